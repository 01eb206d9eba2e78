//! BC13: something is taken away in the same release that brings what replaces it.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "BC13",
    severity: Severity::Error,
    title: "something is taken away in the same release that brings what replaces it",
    why: "Expand, then contract: the release that adds a column or a table must leave the old one \
        alone, because the version before it is running until the rollout is over, and again \
        after a rollback. Found is, in the new files taken together (with --since; else in one \
        file): a column dropped from a table that gets another one, a table dropped while \
        another is made, and a column made NOT NULL that was added as one that may be NULL.",
    bad: "-- file: 0002_expand.up.sql\n\
        ALTER TABLE users ADD COLUMN full_name VARCHAR(100) NULL;\n\
        -- file: 0003_contract.up.sql\n\
        ALTER TABLE users DROP COLUMN name;",
    safe: "Split the change over two releases: now add, and write both; in the next one, when no \
        version that uses the old one can run any more, take away.",
    good: "-- file: 0002_expand.up.sql\n\
        ALTER TABLE users ADD COLUMN full_name VARCHAR(100) NULL;",
    on: On::Both,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    let added_to = |table: &str, but: &str| {
        look.release.columns.iter().find(|(known, column, _)| {
            known.eq_ignore_ascii_case(table) && !column.eq_ignore_ascii_case(but)
        })
    };
    for (table, clause) in look.clauses() {
        match clause {
            Clause::DropColumn { column, .. } if !look.release.has_column(table, column) => {
                if let Some((_, new, file)) = added_to(table, column) {
                    hits.push(Hit::new(format!(
                        "{table}.{column} goes in the same release in which {file} adds {new}: drop it in a later one"
                    )));
                }
            }
            Clause::Modify(new) | Clause::Change { column: new, .. }
                if new.not_null && look.release.has_column(table, &new.name) =>
            {
                let column = &new.name;
                hits.push(Hit::new(format!(
                    "{table}.{column} becomes NOT NULL in the same release that adds it: versions before it don't write it"
                )));
            }
            _ => {}
        }
    }
    if let Act::DropTables(tables) = &look.statement.act
        && let Some(new) = look.release.tables.first()
    {
        let used = tables.iter().filter(|table| look.in_use(&table.name));
        hits.extend(used.map(|table| {
            Hit::new(format!(
                "table {table} goes in the same release that makes {new}: drop it in a later one"
            ))
        }));
    }
    hits
}
