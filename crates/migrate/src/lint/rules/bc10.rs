//! BC10: a value of an ENUM or SET is removed or moved.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "BC10",
    severity: Severity::Error,
    title: "a value of an ENUM or SET is removed or moved",
    why: "The version that is still running writes and compares with the value; rows that hold it \
        stop the change or lose it. A value put between others renumbers those behind it, which \
        copies the table and changes what ORDER BY and comparisons with numbers give.",
    bad: "ALTER TABLE users MODIFY state ENUM('active','gone') NOT NULL DEFAULT 'active';",
    safe: "Add values at the end only, which is instant. Remove one in a later release, when nobody \
        writes it and no row holds it.",
    good: "ALTER TABLE users MODIFY state ENUM('new','active','gone','banned') NOT NULL DEFAULT 'new';",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let changed = look.redefined().filter_map(|(table, from, new)| {
        let old = look.schema.column(table, from)?;
        if old.kind.name != new.kind.name || !matches!(new.kind.name.as_str(), "enum" | "set") {
            return None;
        }
        let (was, is) = (&old.kind.arguments, &new.kind.arguments);
        let gone: Vec<&str> =
            was.iter().filter(|value| !is.contains(value)).map(String::as_str).collect();
        if !gone.is_empty() {
            let gone = gone.join(", ");
            return Some(Hit::new(format!(
                "{table}.{from} can't hold {gone} any more, which versions that are running may write"
            )));
        }
        let moved = was.iter().zip(is).any(|(was, is)| was != is);
        moved.then(|| {
            Hit::new(format!(
                "the values of {table}.{from} are renumbered: put new ones at the end"
            ))
        })
    });
    changed.collect()
}
