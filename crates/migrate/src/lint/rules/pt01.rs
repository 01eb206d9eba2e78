//! PT01: SQLite does not accept the statement, and the file is for it, too.

use super::prelude::*;
use super::sqlite_syntax::refused;

pub(super) const RULE: Rule = Rule {
    id: "PT01",
    severity: Severity::Error,
    title: "SQLite does not accept the statement, and the file is for it, too",
    why: "A file without a database in its name runs on all of them. SQLite knows one clause in an \
        ALTER TABLE, and of these only RENAME, ADD COLUMN, RENAME COLUMN and DROP COLUMN; no \
        AUTO_INCREMENT, no ENGINE, no ENUM, no keys inside CREATE TABLE.",
    bad: "ALTER TABLE users MODIFY name VARCHAR(200) NULL;",
    safe: "Put what only MySQL reads into an executable comment, as in /*! ENGINE=InnoDB */; or \
        make a pair of files, .mysql.up.sql and .sqlite.up.sql. If the folder is for MySQL and \
        MariaDB alone, say --only mysql.",
    good: "ALTER TABLE users ADD COLUMN nick VARCHAR(40) NULL;",
    on: On::Both,
    ways: Ways::Both,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    if look.file.dialect.is_some() {
        return vec![];
    }
    refused(look.statement)
        .into_iter()
        .map(|what| {
            Hit::new(format!(
                "SQLite does not accept {what}: make a pair of files, or an executable comment; if \
                 the folder is not for SQLite, say --only mysql"
            ))
        })
        .collect()
}
