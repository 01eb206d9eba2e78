//! AT06: IF EXISTS or IF NOT EXISTS hides what is different.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "AT06",
    severity: Severity::Warning,
    title: "IF EXISTS or IF NOT EXISTS hides what is different",
    why: "Each migration runs once, and the runner knows whether it did. If the object is there \
        already, or gone, somebody has changed the database by hand, or another tool has: the \
        statement does nothing, the migration counts as applied, and the schema is not the one \
        that the files say.",
    bad: "CREATE TABLE IF NOT EXISTS countries (code CHAR(2) NOT NULL PRIMARY KEY) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;",
    safe: "Leave it away: if the object is there, somebody must look. `migrate schema diff` shows \
        what is different.",
    good: "CREATE TABLE countries (code CHAR(2) NOT NULL PRIMARY KEY) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;",
    on: On::Both,
    ways: Ways::Both,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let statement = look.statement;
    let object = ["create", "drop", "alter", "rename"].iter().any(|word| statement.begins(word));
    // In the head: a body has statements of its own.
    let head: Vec<&str> = statement.tokens.iter().take(12).map(String::as_str).collect();
    let says = |words: &[&str]| object && head.windows(words.len()).any(|window| window == words);
    let what = if says(&["if", "not", "exists"]) {
        "IF NOT EXISTS"
    } else if says(&["if", "exists"]) {
        "IF EXISTS"
    } else {
        return vec![];
    };
    vec![Hit::new(format!(
        "{what}: where the database is not what the files say, nobody would notice"
    ))]
}
