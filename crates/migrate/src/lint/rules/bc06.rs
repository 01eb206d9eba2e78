//! BC06: a NOT NULL column is added without a default.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "BC06",
    severity: Severity::Error,
    title: "a NOT NULL column is added without a default",
    why: "The version that is still running does not know the column: its INSERTs leave it out, \
        and in strict mode (the default) each of them fails. Rows that are there get a value \
        that nobody chose, such as 0.",
    bad: "ALTER TABLE users ADD COLUMN country CHAR(2) NOT NULL;",
    safe: "Give it a default, or let it be NULL until every running version writes it.",
    good: "ALTER TABLE users ADD COLUMN country CHAR(2) NOT NULL DEFAULT 'de';",
    on: On::Both,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let added = look.clauses().filter_map(|(table, clause)| match clause {
        Clause::AddColumn { column, .. }
            if column.not_null
                && matches!(column.default, None | Some(Preset::Null))
                && column.generated.is_none()
                && !column.auto_increment =>
        {
            let name = &column.name;
            Some(Hit::new(format!(
                "{table}.{name} is NOT NULL and has no default: INSERTs of versions that don't know it fail"
            )))
        }
        _ => None,
    });
    added.collect()
}
