//! LK01: the whole table has to be copied.

use super::prelude::*;
use crate::lint::online::{Online, Server, of_clauses};

pub(super) const RULE: Rule = Rule {
    id: "LK01",
    severity: Severity::Error,
    title: "the whole table has to be copied",
    why: "Nobody writes to the table while it is copied, which takes minutes on a large one, and \
        the disk must hold it twice. The runner refuses it unless the statement says that this \
        is fine.",
    bad: "ALTER TABLE orders MODIFY quantity BIGINT NOT NULL DEFAULT 1;",
    safe: "Choose a change that is made at once or in place: add a column instead of changing one's \
        type; extend a VARCHAR within the same length in bytes (255). On a small table, allow \
        the copy. On a large one, use gh-ost or pt-online-schema-change.",
    good: "-- migrate: allow=copy reason=\"a few hundred rows\"\n\
        ALTER TABLE orders MODIFY quantity BIGINT NOT NULL DEFAULT 1;",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let Some((table, clauses)) = look.alters_used() else { return vec![] };
    // LK03, LK05, LK06, LK07 and LK08 speak of these.
    let spoken_of = |clause: &&Clause| match clause {
        Clause::AddForeignKey(_) | Clause::ConvertCharset { .. } | Clause::SetDefault { .. } => {
            true
        }
        Clause::AddColumn { column, .. } => {
            column.auto_increment
                || column.generated == Some(Generated::Stored)
                || column.default == Some(Preset::Expression)
        }
        _ => false,
    };
    let rest: Vec<Clause> = clauses.iter().filter(|clause| !spoken_of(clause)).cloned().collect();
    if rest.is_empty() {
        return vec![];
    }
    let known = look.schema.table(&table.name);
    let of = |server| of_clauses(server, &rest, known);
    let name = &table.name;
    match (of(Server::MySql), of(Server::MariaDb)) {
        (Online::Copy, Online::Copy) => {
            vec![Hit::new(format!("{name} is copied, and nobody can write to it meanwhile"))]
        }
        (Online::Copy, _) => {
            vec![Hit::new(format!(
                "{name} is copied on MySQL, and nobody can write to it meanwhile"
            ))]
        }
        (_, Online::Copy) => {
            vec![Hit::new(format!(
                "{name} is copied on MariaDB, and nobody can write to it meanwhile"
            ))]
        }
        (Online::Unknown, _) | (_, Online::Unknown) => {
            vec![Hit::unsure(format!(
                "how the server changes {name}; the runner asks it before it begins"
            ))]
        }
        _ => vec![],
    }
}
