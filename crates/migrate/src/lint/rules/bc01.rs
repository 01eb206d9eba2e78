//! BC01: a column is dropped.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "BC01",
    severity: Severity::Error,
    title: "a column is dropped",
    why: "While the new version is rolled out, the old one still runs: every statement of it that \
        names the column fails, and so does every INSERT that lists it. After a rollback it is \
        the same, and what the column held is lost.",
    bad: "ALTER TABLE users DROP COLUMN name;",
    safe: "First release a version that neither reads nor writes the column (a NOT NULL column gets \
        a default before that). Drop it in a later release, when no older version can run any \
        more, and say so with `-- migrate: min-version`.",
    good: "-- migrate: min-version 1\n\
        -- migrate: allow=BC01 reason=\"nothing since release 41 names it\"\n\
        ALTER TABLE users DROP COLUMN name;",
    on: On::Both,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let dropped = look.clauses().filter_map(|(table, clause)| match clause {
        Clause::DropColumn { column, .. } if !look.release.has_column(table, column) => {
            Some(Hit::new(format!(
                "column {table}.{column} is dropped while versions that use it may be running"
            )))
        }
        _ => None,
    });
    dropped.collect()
}
