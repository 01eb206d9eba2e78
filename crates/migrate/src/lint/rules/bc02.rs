//! BC02: a table is dropped.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "BC02",
    severity: Severity::Error,
    title: "a table is dropped",
    why: "Every statement of the version that is still running that names the table fails from \
        this moment on, and what it held is lost.",
    bad: "DROP TABLE orders;",
    safe: "First release a version that does not use the table. Drop it in a later release, when no \
        older version can run any more.",
    good: "-- migrate: allow=BC02 reason=\"nothing since release 41 uses it\"\n\
        DROP TABLE orders;",
    on: On::Both,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let Act::DropTables(tables) = &look.statement.act else { return vec![] };
    let used = tables.iter().filter(|table| look.in_use(&table.name));
    used.map(|table| {
        Hit::new(format!("table {table} is dropped while versions that use it may be running"))
    })
    .collect()
}
