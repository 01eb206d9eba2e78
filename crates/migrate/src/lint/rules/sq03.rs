//! SQ03: an engine other than `InnoDB`.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "SQ03",
    severity: Severity::Error,
    title: "an engine other than InnoDB",
    why: "MyISAM, Aria, MEMORY and their like have no transactions: a killed statement leaves half \
        of its rows, which no runner can undo; they lock whole tables, know no foreign keys and \
        can't be changed online.",
    bad: "CREATE TABLE hits (id BIGINT NOT NULL PRIMARY KEY) ENGINE=MyISAM;",
    safe: "Say ENGINE=InnoDB, or nothing: it is the default.",
    good: "CREATE TABLE hits (id BIGINT NOT NULL PRIMARY KEY) ENGINE=InnoDB;",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let hit = |table: &str, engine: &str| {
        (!engine.eq_ignore_ascii_case("innodb")).then(|| {
            Hit::new(format!("table {table} is {engine}: what is killed half way stays half done"))
        })
    };
    match &look.statement.act {
        Act::CreateTable(table) => table
            .engine
            .as_deref()
            .and_then(|engine| hit(&table.name, engine))
            .into_iter()
            .collect(),
        Act::AlterTable { table, clauses } => clauses
            .iter()
            .filter_map(|clause| match clause {
                Clause::Engine(engine) => hit(&table.name, engine),
                _ => None,
            })
            .collect(),
        _ => vec![],
    }
}
