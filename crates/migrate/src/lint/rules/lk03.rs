//! LK03: a foreign key is added to a table that is in use.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "LK03",
    severity: Severity::Error,
    title: "a foreign key is added to a table that is in use",
    why: "With foreign_key_checks on, the server copies the table to check every row, and nobody \
        writes to it meanwhile; the table that is referred to is locked, too. With \
        foreign_key_checks off it is made in place, but rows that break it stay unnoticed.",
    bad: "-- migrate: allow=BC08 reason=\"release 41 writes only ids that exist\"\n\
        ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id);",
    safe: "Look for rows that would break it, mend them, and add the key with foreign_key_checks = \
        0 for this statement alone.",
    good: "SET foreign_key_checks = 0;\n\
        -- migrate: allow=BC08 reason=\"release 41 writes only ids that exist\"\n\
        ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id);\n\
        SET foreign_key_checks = 1;",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let off = look
        .statements
        .iter()
        .take_while(|statement| statement.number < look.statement.number)
        .fold(false, |off, statement| {
            match set_variables(statement).iter().rfind(|(name, _)| name == "foreign_key_checks") {
                Some((_, value)) => matches!(value.as_str(), "0" | "off" | "false"),
                None => off,
            }
        });
    if off {
        return vec![];
    }
    let added = look.clauses().filter_map(|(table, clause)| {
        let by_column =
            matches!(clause, Clause::AddColumn { column, .. } if column.references.is_some());
        (by_column || matches!(clause, Clause::AddForeignKey(_))).then(|| {
            Hit::new(format!(
                "{table} is copied to check the foreign key, unless foreign_key_checks is 0"
            ))
        })
    });
    added.collect()
}
