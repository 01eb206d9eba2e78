//! PT02: MySQL and MariaDB do not accept the statement, and the file is for them, too.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "PT02",
    severity: Severity::Error,
    title: "MySQL and MariaDB do not accept the statement, and the file is for them, too",
    why: "AUTOINCREMENT, PRAGMA, WITHOUT ROWID, STRICT, INSERT OR …, ON CONFLICT, indexes with \
        WHERE are SQLite's own.",
    bad: "INSERT OR IGNORE INTO users (id, email) VALUES (1, 'a@example.org');",
    safe: "Make a pair of files, .mysql.up.sql and .sqlite.up.sql.",
    good: "INSERT INTO users (id, email) VALUES (1, 'a@example.org');",
    on: On::MySql,
    ways: Ways::Both,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let statement = look.statement;
    let creates = statement.begins("create");
    let index = creates && statement.tokens.iter().take(3).any(|token| token == "index");
    let says = |word: &str| statement.tokens.iter().any(|token| token == word);
    let found = [
        (creates && says("autoincrement"), "AUTOINCREMENT"),
        (statement.begins("pragma"), "PRAGMA"),
        (statement.begins("vacuum"), "VACUUM"),
        (creates && statement.says("without rowid"), "WITHOUT ROWID"),
        (
            matches!(&statement.act, Act::CreateTable(table) if table.options.iter().any(|word| word == "strict")),
            "STRICT",
        ),
        (
            ["replace", "ignore", "abort", "fail", "rollback"].iter().any(|word| {
                statement.begins(&format!("insert or {word}"))
                    || statement.begins(&format!("update or {word}"))
            }),
            "INSERT OR … and UPDATE OR …",
        ),
        (statement.begins("insert") && statement.says("on conflict"), "ON CONFLICT"),
        (index && says("where"), "an index with WHERE"),
        (statement.begins("drop index") && !says("on"), "DROP INDEX without ON table"),
    ];
    found
        .into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, what)| Hit::new(format!("MySQL and MariaDB do not accept {what}")))
        .collect()
}
