//! AT02: several changes of the schema are in one file.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "AT02",
    severity: Severity::Warning,
    title: "several changes of the schema are in one file",
    why: "Each commits by itself, so that after a failure the first ones are done and the others \
        not. This runner takes it up where it stopped; but who reads the history sees half a \
        migration, and another tool starts again from the first. Indexes of a table that the \
        same file makes don't count.",
    bad: "ALTER TABLE users ADD COLUMN country CHAR(2) NULL;\n\
        ALTER TABLE orders ADD COLUMN country CHAR(2) NULL;",
    safe: "One migration for each, or one ALTER TABLE with several clauses.",
    good: "ALTER TABLE users ADD COLUMN country CHAR(2) NULL, ADD COLUMN city VARCHAR(80) NULL;",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::File(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let mut made: Vec<String> = Vec::new();
    let mut own = Vec::new();
    for seen in look.statements {
        let Meaning::Ddl(ddl) = &seen.meaning else { continue };
        let of_new = ddl.tables.iter().any(|table| made.contains(&table.name.to_lowercase()));
        if let Act::CreateTable(table) = &seen.act {
            made.push(table.name.to_lowercase());
        }
        if !of_new {
            own.push(seen);
        }
    }
    match own.as_slice() {
        [_, second, ..] => {
            let count = own.len();
            vec![
                Hit::new(format!(
                    "{count} changes of the schema in one file, each committed by itself"
                ))
                .at(second.place()),
            ]
        }
        _ => vec![],
    }
}
