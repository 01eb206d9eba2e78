//! BC07: a column that may be NULL may no more.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "BC07",
    severity: Severity::Error,
    title: "a column that may be NULL may no more",
    why: "The version that is still running may write NULL, or leave the column out: each such \
        statement fails. A row that holds NULL stops the change itself.",
    bad: "ALTER TABLE users MODIFY name VARCHAR(100) NOT NULL;",
    safe: "Release a version that never writes NULL; fill the old rows in batches; then, in a later \
        release, make it NOT NULL. A default helps those who leave the column out, not those who \
        write NULL.",
    good: "-- migrate: allow=BC07 reason=\"release 41 always writes it, 0007 filled the rest\"\n\
        ALTER TABLE users MODIFY name VARCHAR(100) NOT NULL;",
    on: On::Both,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let narrowed = look.redefined().filter_map(|(table, from, new)| {
        let old = look.schema.column(table, from)?;
        (new.not_null && !old.not_null).then(|| {
            Hit::new(format!(
                "{table}.{from} becomes NOT NULL: versions that are running may write NULL or leave it out"
            ))
        })
    });
    narrowed.collect()
}
