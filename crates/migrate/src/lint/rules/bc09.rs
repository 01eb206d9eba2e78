//! BC09: a default is dropped.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "BC09",
    severity: Severity::Error,
    title: "a default is dropped",
    why: "The version that is still running may leave the column out of its INSERTs, since it \
        could so far: on a NOT NULL column each of them fails. MODIFY and CHANGE drop a default \
        that they don't repeat.",
    bad: "ALTER TABLE users ALTER COLUMN age DROP DEFAULT;",
    safe: "Release a version that always writes the column; drop the default in a later release.",
    good: "ALTER TABLE users ALTER COLUMN age SET DEFAULT 18;",
    on: On::Both,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let hit = |table: &str, column: &str| {
        Hit::new(format!(
            "{table}.{column} loses its default: INSERTs of versions that leave it out fail"
        ))
    };
    let dropped = look.clauses().filter_map(|(table, clause)| match clause {
        Clause::DropDefault { column } => Some(hit(table, column)),
        _ => None,
    });
    let forgotten = look.redefined().filter_map(|(table, from, new)| {
        let old = look.schema.column(table, from)?;
        let had = old.default.is_some_and(|default| default != Preset::Null);
        (had && new.default.is_none() && new.not_null && new.generated.is_none())
            .then(|| hit(table, from))
    });
    dropped.chain(forgotten).collect()
}
