//! SQ06: an index that another one makes needless.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "SQ06",
    severity: Severity::Warning,
    title: "an index that another one makes needless",
    why: "An index on (a, b) serves every query that one on (a) serves; every write keeps both, \
        and both take memory. The primary key is an index, too.",
    bad: "ALTER TABLE users ADD INDEX users_name_age (name, age);",
    safe: "Drop the shorter one when the longer one is there (first make it INVISIBLE), or leave \
        the new one away.",
    good: "ALTER TABLE users ADD INDEX users_age (age);",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let table = match &look.statement.act {
        Act::CreateTable(table) => &table.name,
        Act::AlterTable { table, .. } => &table.name,
        _ => return vec![],
    };
    let added: Vec<&Index> = indexed(look).collect();
    let there = look.schema.table(table).map(|table| table.indexes.as_slice()).unwrap_or_default();
    let mut hits = Vec::new();
    for (at, index) in added.iter().enumerate() {
        let others = there.iter().chain(added.iter().take(at).copied());
        for other in others {
            let short = [(*index, other), (other, *index)]
                .into_iter()
                .find(|(short, long)| covers(long, short));
            if let Some((short, long)) = short {
                hits.push(Hit::new(format!(
                    "{} of {table} is needless beside {}",
                    named(short),
                    named(long)
                )));
                break;
            }
        }
    }
    hits
}

/// Whether the long one serves every query that the short one serves.
fn covers(long: &Index, short: &Index) -> bool {
    let lower = |column: &Option<String>| column.as_deref().map(str::to_lowercase);
    let plain = |index: &Index| !matches!(index.kind, IndexKind::Fulltext | IndexKind::Spatial);
    let is_rule = matches!(short.kind, IndexKind::Unique | IndexKind::Primary);
    plain(long)
        && plain(short)
        && !is_rule
        && short.columns.len() <= long.columns.len()
        && short
            .columns
            .iter()
            .zip(&long.columns)
            .all(|(short, long)| short.is_some() && lower(short) == lower(long))
}

fn named(index: &Index) -> String {
    match (&index.name, index.kind) {
        (_, IndexKind::Primary) => "the primary key".to_owned(),
        (Some(name), _) => format!("index {name}"),
        (None, _) => format!("the index{}", listed(&index.columns)),
    }
}
