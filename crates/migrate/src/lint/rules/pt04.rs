//! PT04: the statement means something else on SQLite.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "PT04",
    severity: Severity::Warning,
    title: "the statement means something else on SQLite",
    why: "The file is for all databases, and both accept the statement, but || joins texts on \
        SQLite and is OR on MySQL; a text in double quotes is a name on SQLite; BOOLEAN, \
        DATETIME, DECIMAL and JSON are words without a meaning there (what is put in is kept as \
        it comes); INT PRIMARY KEY, other than INTEGER PRIMARY KEY, does not number rows.",
    bad: "UPDATE users SET name = email || name WHERE id = 7;",
    safe: "Write texts in single quotes and CONCAT() or two statements instead of ||; keep instants \
        as BIGINT and money as cents.",
    good: "UPDATE users SET name = 'x' WHERE id = 7;",
    on: On::Both,
    ways: Ways::Both,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    if look.file.dialect.is_some() {
        return vec![];
    }
    let statement = look.statement;
    let mut hits = Vec::new();
    if statement.says("| |") {
        hits.push(Hit::new("|| joins texts on SQLite and is OR on MySQL"));
    }
    if statement.tokens.iter().any(|token| token.starts_with('"')) {
        hits.push(Hit::new("a text in double quotes is a name on SQLite: use single quotes"));
    }
    for column in defined(look) {
        let name = &column.name;
        match column.kind.name.as_str() {
            kind @ ("decimal" | "datetime" | "timestamp" | "date" | "time" | "json") => {
                let kind = kind.to_uppercase();
                hits.push(Hit::new(format!("{name} is {kind}, which SQLite keeps as it comes: compare and sort with care")).ranked(Severity::Info));
            }
            "int"
                if column.primary_key && column.words.first().is_some_and(|word| word == "int") =>
            {
                hits.push(
                    Hit::new(format!(
                        "{name} INT PRIMARY KEY numbers no rows on SQLite: write INTEGER"
                    ))
                    .ranked(Severity::Info),
                );
            }
            _ => {}
        }
    }
    hits
}
