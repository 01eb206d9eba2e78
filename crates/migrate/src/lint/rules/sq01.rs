//! SQ01: a table has no primary key.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "SQ01",
    severity: Severity::Error,
    title: "a table has no primary key",
    why: "Replication by rows looks every changed row up without one by reading the whole table; \
        clusters and managed servers refuse such tables (sql_require_primary_key); online tools \
        can't copy them in parts; InnoDB makes a hidden key that nobody can use.",
    bad: "CREATE TABLE visits (user_id INT NOT NULL, page VARCHAR(80) NOT NULL) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;",
    safe: "Give it a number, or make a key of the columns that tell rows apart.",
    good: "CREATE TABLE visits (\n\
        \x20   user_id INT NOT NULL,\n\
        \x20   page VARCHAR(80) NOT NULL,\n\
        \x20   PRIMARY KEY (user_id, page)\n\
        ) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let Act::CreateTable(table) = &look.statement.act else { return vec![] };
    let name = &table.name;
    if table.temporary || table.indexes.iter().any(|index| index.kind == IndexKind::Primary) {
        return vec![];
    }
    if !table.complete {
        return vec![Hit::unsure(format!(
            "whether {name} gets a primary key from where it is copied"
        ))];
    }
    vec![Hit::new(format!("table {name} has no primary key"))]
}
