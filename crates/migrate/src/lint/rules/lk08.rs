//! LK08: an `AUTO_INCREMENT` column is added to a table that is in use.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "LK08",
    severity: Severity::Error,
    title: "an AUTO_INCREMENT column is added to a table that is in use",
    why: "Every row gets a number: the table is made anew, and nobody writes to it meanwhile. \
        Which row gets which number differs between a server and its replicas.",
    bad: "ALTER TABLE events ADD COLUMN id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY;",
    safe: "Make a new table that has the column, write both, copy the rows in batches, and exchange \
        the two with one RENAME TABLE.",
    good: "CREATE TABLE events_new (\n\
        \x20   id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,\n\
        \x20   what VARCHAR(100) NOT NULL\n\
        ) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let added = look.clauses().filter_map(|(table, clause)| match clause {
        Clause::AddColumn { column, .. } if column.auto_increment => {
            let name = &column.name;
            Some(Hit::new(format!(
                "{table}.{name} numbers every row: nobody can write to the table meanwhile"
            )))
        }
        _ => None,
    });
    added.collect()
}
