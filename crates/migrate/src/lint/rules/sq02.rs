//! SQ02: a character set that can't hold all characters.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "SQ02",
    severity: Severity::Warning,
    title: "a character set that can't hold all characters",
    why: "utf8 (which is utf8mb3) has no emoji and not all names of people; latin1 less still: \
        statements with them fail, or lose them. A table that says nothing gets what the server \
        says, which differs from server to server (MariaDB before 11.6: latin1).",
    bad: "CREATE TABLE notes (id BIGINT NOT NULL PRIMARY KEY, text TEXT NOT NULL) ENGINE=InnoDB DEFAULT CHARACTER SET utf8;",
    safe: "Say utf8mb4, and a collation. For what holds nothing but ASCII, such as tokens, ascii is \
        fine.",
    good: "CREATE TABLE notes (id BIGINT NOT NULL PRIMARY KEY, text TEXT NOT NULL) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let fine = |charset: &str| matches!(charset, "utf8mb4" | "ascii" | "binary");
    let poor = |column: &Column| {
        let charset = column.kind.charset.as_deref().filter(|charset| !fine(charset))?;
        let name = &column.name;
        Some(Hit::new(format!("column {name} is {charset}: say utf8mb4")))
    };
    match &look.statement.act {
        Act::CreateTable(table) if !table.temporary => {
            let name = &table.name;
            let by_collation =
                table.collation.as_deref().and_then(|collation| collation.split('_').next());
            let mut hits: Vec<Hit> = table.columns.iter().filter_map(poor).collect();
            match table.charset.as_deref().or(by_collation) {
                Some(charset) if !fine(charset) => {
                    hits.push(Hit::new(format!("table {name} is {charset}: say utf8mb4")));
                }
                None if table.complete
                    && table
                        .columns
                        .iter()
                        .any(|column| is_text(column) && column.kind.charset.is_none()) =>
                {
                    hits.push(
                        Hit::new(format!(
                            "table {name} has texts and says no character set: it gets the server's"
                        ))
                        .ranked(Severity::Info),
                    );
                }
                _ => {}
            }
            hits
        }
        Act::AlterTable { clauses, .. } => clauses
            .iter()
            .filter_map(|clause| match clause {
                Clause::AddColumn { column, .. }
                | Clause::Modify(column)
                | Clause::Change { column, .. } => poor(column),
                _ => None,
            })
            .collect(),
        _ => vec![],
    }
}

fn is_text(column: &Column) -> bool {
    matches!(
        column.kind.name.as_str(),
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set"
    )
}
