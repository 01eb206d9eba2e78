//! SQ10: a zero date.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "SQ10",
    severity: Severity::Error,
    title: "a zero date",
    why: "'0000-00-00' is no date: the default modes of MySQL and MariaDB's strict modes refuse it \
        (NO_ZERO_DATE), also for columns that have it as their default when anything else of the \
        table changes; most drivers can't read it.",
    bad: "ALTER TABLE users ADD COLUMN born DATE NOT NULL DEFAULT '0000-00-00';",
    safe: "Say NULL for what is not known.",
    good: "ALTER TABLE users ADD COLUMN born DATE NULL;",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let zero = |token: &String| {
        let bare = token.trim_matches(['\'', '"']);
        bare.len() != token.len() && (bare.starts_with("0000-00-00") || bare == "0000-00")
    };
    look.statement
        .tokens
        .iter()
        .find(|token| zero(token))
        .map(|token| Hit::new(format!("{token} is no date")))
        .into_iter()
        .collect()
}
