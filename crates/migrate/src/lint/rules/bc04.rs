//! BC04: a table is renamed.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "BC04",
    severity: Severity::Error,
    title: "a table is renamed",
    why: "The version that is still running fails with the first statement that names the table as \
        it was called before. Only an exchange of two tables in one RENAME TABLE leaves no gap.",
    bad: "ALTER TABLE users RENAME TO people;",
    safe: "Keep the name in the database and change it in the program alone; or make a view with \
        the new name, move the program to it, and rename in a later release.",
    good: "CREATE VIEW people AS SELECT id, email, name FROM users;",
    on: On::Both,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let hit = |from: &str, to: &str| {
        Hit::new(format!("table {from} becomes {to}: versions that know it as {from} fail"))
    };
    match &look.statement.act {
        Act::RenameTables(pairs) => {
            let comes_back =
                |name: &str| pairs.iter().any(|(_, to)| to.name.eq_ignore_ascii_case(name));
            pairs
                .iter()
                .filter(|(from, _)| look.in_use(&from.name) && !comes_back(&from.name))
                // The other one of an exchange came into being in this release, or in this statement.
                .filter(|(from, _)| look.schema.table(&from.name).is_some() || pairs.len() == 1)
                .map(|(from, to)| hit(&from.name, &to.name))
                .collect()
        }
        _ => look
            .clauses()
            .filter_map(|(table, clause)| match clause {
                Clause::RenameTable(to) => Some(hit(table, &to.name)),
                _ => None,
            })
            .collect(),
    }
}
