//! SQ13: what only a dump needs.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "SQ13",
    severity: Severity::Info,
    title: "what only a dump needs",
    why: "mysqldump writes the next number of a table (AUTO_INCREMENT=1234), widths of integers \
        (INT(11), deprecated since MySQL 8.0.17) and LOCK TABLES: true for the database that was \
        dumped, noise or worse in a migration.",
    bad: "CREATE TABLE tags (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB AUTO_INCREMENT=1234;",
    safe: "Leave it away.",
    good: "CREATE TABLE tags (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB;",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    if let Act::CreateTable(table) = &look.statement.act
        && table.options.iter().any(|word| word == "auto_increment")
    {
        hits.push(Hit::new(format!("the next number of {} is from a dump", table.name)));
    }
    let wide = |column: &&Column| {
        matches!(column.kind.name.as_str(), "smallint" | "mediumint" | "int" | "bigint")
            && !column.kind.arguments.is_empty()
    };
    hits.extend(defined(look).filter(wide).map(|column| {
        Hit::new(format!("the width in the type of {} means nothing: leave it away", column.name))
    }));
    hits
}
