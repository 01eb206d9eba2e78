//! BC08: a UNIQUE, FOREIGN KEY or CHECK is put on a column that is in use.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "BC08",
    severity: Severity::Error,
    title: "a UNIQUE, FOREIGN KEY or CHECK is put on a column that is in use",
    why: "The version that is still running does not know the rule and may write what breaks it: \
        its statements fail. Rows that break it already stop the change itself.",
    bad: "CREATE UNIQUE INDEX users_email ON users (email);",
    safe: "Release a version that keeps the rule by itself, find and mend the rows that break it, \
        and add the constraint in a later release. On a column that is added in the same release \
        it breaks nobody.",
    good: "ALTER TABLE users ADD COLUMN handle VARCHAR(40) NULL, ADD UNIQUE INDEX users_handle (handle);",
    on: On::Both,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let added = look.clauses().filter_map(|(table, clause)| {
        let (what, columns) = match clause {
            Clause::AddIndex { index, .. } => match index.kind {
                IndexKind::Unique => ("a UNIQUE index", Some(&index.columns)),
                IndexKind::Primary => ("a primary key", Some(&index.columns)),
                _ => return None,
            },
            Clause::AddForeignKey(key) => ("a foreign key", Some(&key.columns)),
            Clause::AddCheck { .. } => ("a CHECK", None),
            _ => return None,
        };
        let is_new = |column: &Option<String>| {
            column.as_deref().is_some_and(|column| look.release.has_column(table, column))
        };
        let any_new = columns.is_some_and(|columns| columns.iter().any(is_new));
        (!any_new).then(|| {
            let on = columns.map(|columns| listed(columns)).unwrap_or_default();
            Hit::new(format!(
                "{table} gets {what}{on}: what versions that are running write may break it"
            ))
        })
    });
    added.collect()
}
