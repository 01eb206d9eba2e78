//! LK09: a FULLTEXT or SPATIAL index is added to a table that is in use.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "LK09",
    severity: Severity::Warning,
    title: "a FULLTEXT or SPATIAL index is added to a table that is in use",
    why: "Nobody writes to the table while it is built (LOCK=SHARED is the least that the server \
        takes), and the first FULLTEXT index makes the table anew for a hidden column. No \
        INSTANT change is possible on a table with one.",
    bad: "ALTER TABLE users ADD FULLTEXT INDEX users_bio (bio);",
    safe: "Build it on a new table that is filled in batches and exchanged with one RENAME TABLE, \
        or in a quiet hour with a reason here.",
    good: "ALTER TABLE users ADD INDEX users_age (age);",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let added = look.clauses().filter_map(|(table, clause)| match clause {
        Clause::AddIndex { index, .. }
            if matches!(index.kind, IndexKind::Fulltext | IndexKind::Spatial) =>
        {
            Some(Hit::new(format!("nobody can write to {table} while the index is built")))
        }
        _ => None,
    });
    added.collect()
}
