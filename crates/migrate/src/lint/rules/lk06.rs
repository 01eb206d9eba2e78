//! LK06: a column is added with an expression as its default.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "LK06",
    severity: Severity::Error,
    title: "a column is added with an expression as its default",
    why: "The server computes the value for every row that is there, and so copies the table. One \
        that is not the same each time (UUID(), RAND()) can differ on a replica, or is refused \
        there.",
    bad: "ALTER TABLE users ADD COLUMN token VARCHAR(36) NULL DEFAULT (UUID());",
    safe: "Add the column without a default, which is instant; set the default in a statement of \
        its own, which is instant too and holds for new rows; fill the old rows in batches.",
    good: "ALTER TABLE users ADD COLUMN token VARCHAR(36) NULL;",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let added = look.clauses().filter_map(|(table, clause)| match clause {
        Clause::AddColumn { column, .. } if column.default == Some(Preset::Expression) => {
            let name = &column.name;
            Some(Hit::new(format!(
                "the default of {table}.{name} is computed for every row: the table is copied"
            )))
        }
        _ => None,
    });
    added.collect()
}
