//! SQ11: a numbered key that may run out of numbers.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "SQ11",
    severity: Severity::Info,
    title: "a numbered key that may run out of numbers",
    why: "INT ends at 2,147,483,647 (SMALLINT at 32,767): then every INSERT fails, and making the \
        column wider copies the table and everything that refers to it. Gaps count: a rolled- \
        back INSERT takes a number, too.",
    bad: "CREATE TABLE clicks (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB;",
    safe: "Take BIGINT unless the number of rows has a bound. (A file that is for SQLite, too, \
        needs INTEGER for a numbered key: keep it, or make a pair of files.)",
    good: "CREATE TABLE clicks (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB;",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let small = |column: &&Column| {
        matches!(column.kind.name.as_str(), "tinyint" | "smallint" | "mediumint")
    };
    defined(look)
        .filter(|column| column.auto_increment && (small(column) || column.kind.name == "int"))
        // INTEGER is the only type that numbers rows on SQLite.
        .filter(|column| small(column) || look.file.dialect.is_some())
        .map(|column| {
            let hit = Hit::new(format!(
                "{} is {}: its numbers may run out",
                column.name,
                column.kind.name.to_uppercase()
            ));
            if small(&column) { hit.ranked(Severity::Warning) } else { hit }
        })
        .collect()
}
