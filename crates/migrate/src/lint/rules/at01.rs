//! AT01: changes of the schema and of rows are in one file.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "AT01",
    severity: Severity::Error,
    title: "changes of the schema and of rows are in one file",
    why: "On MySQL and MariaDB each change of the schema commits by itself: what was done before \
        it can't be rolled back when something after it fails. A file that changes rows alone is \
        one transaction, and a file that changes the schema alone can be taken up where it \
        stopped.",
    bad: "ALTER TABLE users ADD COLUMN country CHAR(2) NULL;\n\
        UPDATE users SET country = 'de' WHERE id < 1000;",
    safe: "Make two migrations of it: one for the schema, one for the rows.",
    good: "ALTER TABLE users ADD COLUMN country CHAR(2) NULL;",
    on: On::MySql,
    ways: Ways::Both,
    check: Check::File(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let first =
        |wanted: fn(&Meaning) -> bool| look.statements.iter().find(|seen| wanted(&seen.meaning));
    let ddl = first(|meaning| matches!(meaning, Meaning::Ddl(_)));
    let dml = first(|meaning| matches!(meaning, Meaning::Dml));
    let Some((ddl, dml)) = ddl.zip(dml) else { return vec![] };
    let (schema, rows) = (ddl.number, dml.number);
    vec![Hit::new(format!("statement {schema} changes the schema and statement {rows} rows: make two migrations of it")).at(dml.place())]
}
