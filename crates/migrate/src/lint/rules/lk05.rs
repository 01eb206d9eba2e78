//! LK05: a table is converted to another character set.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "LK05",
    severity: Severity::Error,
    title: "a table is converted to another character set",
    why: "The table is copied, and nobody writes to it meanwhile; texts take more bytes and may no \
        longer fit an index or a row; types may change (TEXT becomes MEDIUMTEXT); with the \
        collation, what is equal changes.",
    bad: "ALTER TABLE users CONVERT TO CHARACTER SET utf8mb4;",
    safe: "On a small table, allow the copy. On a large one, use gh-ost or pt-online-schema-change, \
        or convert column by column through new columns. DEFAULT CHARACTER SET changes what new \
        columns get, and nothing else.",
    good: "ALTER TABLE users DEFAULT CHARACTER SET utf8mb4;",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let converted =
        look.clauses().filter(|(_, clause)| matches!(clause, Clause::ConvertCharset { .. }));
    converted
        .map(|(table, _)| {
            Hit::new(format!(
                "{table} is converted: it is copied, and nobody can write to it meanwhile"
            ))
        })
        .collect()
}
