//! BC03: a column is renamed.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "BC03",
    severity: Severity::Error,
    title: "a column is renamed",
    why: "There is no moment at which both versions work: the old one fails as soon as the old \
        name is gone, the new one until the new name is there.",
    bad: "ALTER TABLE users RENAME COLUMN name TO full_name;",
    safe: "Add a column with the new name; write both; copy the old rows in batches; read the new \
        one; in a later release, drop the old one. Or keep the name in the database and change \
        it only in the program.",
    good: "ALTER TABLE users ADD COLUMN full_name VARCHAR(100) NULL;",
    on: On::Both,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let renamed = look.clauses().filter_map(|(table, clause)| {
        let (from, to) = match clause {
            Clause::RenameColumn { from, to } => (from, to),
            Clause::Change { from, column } => (from, &column.name),
            _ => return None,
        };
        let same = from.eq_ignore_ascii_case(to) || look.release.has_column(table, from);
        (!same).then(|| {
            Hit::new(format!(
                "column {table}.{from} becomes {to}: versions that know it as {from} fail"
            ))
        })
    });
    renamed.collect()
}
