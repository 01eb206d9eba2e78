//! AT07: nobody can tell whether the statement has happened.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "AT07",
    severity: Severity::Info,
    title: "nobody can tell whether the statement has happened",
    why: "If the runner is killed while it runs, the database does not show whether it was done, \
        and a person has to say so with `repair`. No rule knows either what it does.",
    bad: "CALL rebuild_statistics();",
    safe: "Write what the procedure does into the migration itself, as statements whose effect can \
        be seen.",
    good: "UPDATE users SET age = 18 WHERE id = 7;",
    on: On::Both,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    if look.statement.meaning != Meaning::Opaque {
        return vec![];
    }
    let words: Vec<&str> = look.statement.text.split_whitespace().take(3).collect();
    let begin = words.join(" ");
    vec![Hit::unsure(format!(
        "what {begin:?} does: after a kill a person has to say whether it happened"
    ))]
}
