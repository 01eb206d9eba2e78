//! BC12: a text column becomes shorter, or compares in another way.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "BC12",
    severity: Severity::Error,
    title: "a text column becomes shorter, or compares in another way",
    why: "The version that is still running writes texts of the old length: they fail, or are cut \
        where the mode is not strict. With another collation other texts are equal: a unique \
        index may be broken by rows that are there, and lookups find other rows.",
    bad: "ALTER TABLE users MODIFY name VARCHAR(50) NULL;",
    safe: "Release a version that writes no longer texts, look for rows that are longer (or equal \
        under the new collation), and shorten it in a later release.",
    good: "ALTER TABLE users MODIFY name VARCHAR(150) NULL;",
    on: On::Both,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let changed = look.redefined().filter_map(|(table, from, new)| {
        let old = look.schema.column(table, from)?;
        if let (Some(was), Some(is)) = (old.kind.length(), new.kind.length())
            && matches!(new.kind.name.as_str(), "char" | "varchar" | "binary" | "varbinary")
            && old.kind.name == new.kind.name
            && is < was
        {
            return Some(Hit::new(format!(
                "{table}.{from} holds {is} characters instead of {was}: what versions that are running write may not fit"
            )));
        }
        let before = old.kind.collation.as_ref().or(look.schema.table(table)?.collation.as_ref());
        let after = new.kind.collation.as_ref();
        (after.is_some() && before != after).then(|| {
            let after = after.map_or("", String::as_str);
            Hit::new(format!(
                "{table}.{from} compares by {after}: texts that differed may be equal, also in unique indexes"
            ))
        })
    });
    let converted = look.clauses().filter_map(|(table, clause)| match clause {
        Clause::ConvertCharset { collation: Some(after) } => Some(Hit::new(format!(
            "all texts of {table} compare by {after}: texts that differed may be equal, also in unique indexes"
        ))),
        _ => None,
    });
    changed.chain(converted).collect()
}
