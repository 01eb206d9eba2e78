//! SQ12: an index is dropped that was not made invisible first.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "SQ12",
    severity: Severity::Info,
    title: "an index is dropped that was not made invisible first",
    why: "If a query needs it after all, building it again takes minutes, in which that query \
        reads whole tables. An invisible index (MariaDB: IGNORED) is not used, is still kept up \
        to date, and is visible again at once.",
    bad: "ALTER TABLE users DROP INDEX users_name;",
    safe: "Make it invisible in one release, look at the slow queries for some days, and drop it in \
        the next.",
    good: "-- migrate: allow=PT03 reason=\"this folder is for MySQL alone\"\n\
        ALTER TABLE users ALTER INDEX users_name INVISIBLE;",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let dropped = look.clauses().filter_map(|(table, clause)| match clause {
        Clause::DropIndex { index, .. } if !look.schema.is_hidden(table, index) => Some(Hit::new(
            format!("index {index} of {table} was not made invisible in an earlier release"),
        )),
        _ => None,
    });
    dropped.collect()
}
