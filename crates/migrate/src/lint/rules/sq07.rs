//! SQ07: REFERENCES beside a column.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "SQ07",
    severity: Severity::Error,
    title: "REFERENCES beside a column",
    why: "MySQL before 9.0 reads it and does nothing: there is no foreign key, and nobody says so. \
        MariaDB and SQLite make one, so that the same file gives different schemas.",
    bad: "CREATE TABLE carts (\n\
        \x20   id BIGINT NOT NULL PRIMARY KEY,\n\
        \x20   user_id INT NOT NULL REFERENCES users (id)\n\
        ) ENGINE=InnoDB;",
    safe: "Write FOREIGN KEY (user_id) REFERENCES users (id) as a definition of its own.",
    good: "CREATE TABLE carts (\n\
        \x20   id BIGINT NOT NULL PRIMARY KEY,\n\
        \x20   user_id INT NOT NULL,\n\
        \x20   CONSTRAINT carts_user FOREIGN KEY (user_id) REFERENCES users (id)\n\
        ) ENGINE=InnoDB;",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    defined(look)
        .filter_map(|column| {
            let to = column.references.as_ref()?;
            let name = &column.name;
            Some(Hit::new(format!("{name} REFERENCES {to} makes no foreign key on MySQL before 9.0: write it as FOREIGN KEY ({name}) …")))
        })
        .collect()
}
