//! SQ08: a name of more than 64 characters.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "SQ08",
    severity: Severity::Error,
    title: "a name of more than 64 characters",
    why: "MySQL and MariaDB refuse it (SQLite does not, so that a development database takes what \
        the real one refuses).",
    bad: "ALTER TABLE users ADD COLUMN the_moment_at_which_this_person_last_confirmed_the_address_of_their_letterbox BIGINT NULL;",
    safe: "Take a shorter one.",
    good: "ALTER TABLE users ADD COLUMN confirmed_at BIGINT NULL;",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let table = match &look.statement.act {
        Act::CreateTable(table) => Some(table.name.as_str()),
        _ => None,
    };
    let columns = defined(look).map(|column| column.name.as_str());
    table
        .into_iter()
        .chain(columns)
        .chain(indexed(look).filter_map(|index| index.name.as_deref()))
        .filter(|name| name.chars().count() > 64)
        .map(|name| {
            Hit::new(format!("{name} has {} characters: 64 are allowed", name.chars().count()))
        })
        .collect()
}
