//! LK07: a generated column that is STORED is added.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "LK07",
    severity: Severity::Error,
    title: "a generated column that is STORED is added",
    why: "Its value is computed for every row that is there: the table is copied, and nobody \
        writes to it meanwhile.",
    bad: "ALTER TABLE users ADD COLUMN email_key VARCHAR(200) AS (LOWER(email)) STORED;",
    safe: "Make it VIRTUAL, which is instant; an index on it is built in place.",
    good: "ALTER TABLE users ADD COLUMN email_key VARCHAR(200) AS (LOWER(email)) VIRTUAL;",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let added = look.clauses().filter_map(|(table, clause)| match clause {
        Clause::AddColumn { column, .. } if column.generated == Some(Generated::Stored) => {
            let name = &column.name;
            Some(Hit::new(format!("{table}.{name} is STORED: the table is copied to compute it")))
        }
        _ => None,
    });
    added.collect()
}
