//! PT03: only one of MySQL and MariaDB accepts the statement.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "PT03",
    severity: Severity::Warning,
    title: "only one of MySQL and MariaDB accepts the statement",
    why: "The two have grown apart: IF [NOT] EXISTS on columns and indexes, CREATE OR REPLACE \
        TABLE, sequences and RETURNING are MariaDB's; INVISIBLE indexes, indexes on expressions \
        and LATERAL are MySQL's.",
    bad: "ALTER TABLE users ADD COLUMN IF NOT EXISTS country CHAR(2) NULL;",
    safe: "If the folder is for one of them alone, say so as the reason. If not, write what both \
        accept.",
    good: "ALTER TABLE users ADD COLUMN country CHAR(2) NULL;",
    on: On::MySql,
    ways: Ways::Both,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let statement = look.statement;
    let clauses = statement.alters().map(|(_, clauses)| clauses).unwrap_or_default();
    let says_if = clauses.iter().any(|clause| {
        matches!(
            clause,
            Clause::AddColumn { says_if: true, .. }
                | Clause::DropColumn { says_if: true, .. }
                | Clause::AddIndex { says_if: true, .. }
                | Clause::DropIndex { says_if: true, .. }
        )
    });
    let expression = clauses.iter().any(
        |clause| matches!(clause, Clause::AddIndex { index, .. } if index.columns.contains(&None)),
    );
    let found = [
        (says_if, "MySQL", "IF [NOT] EXISTS on columns and indexes"),
        (statement.begins("create or replace table"), "MySQL", "CREATE OR REPLACE TABLE"),
        (statement.begins("create sequence"), "MySQL", "CREATE SEQUENCE"),
        (
            statement.meaning == Meaning::Dml
                && statement.tokens.iter().any(|token| token == "returning"),
            "MySQL",
            "RETURNING",
        ),
        (expression, "MariaDB", "an index on an expression"),
        (
            clauses.iter().any(|clause| matches!(clause, Clause::HideIndex { .. }))
                && statement.tokens.iter().any(|token| token == "invisible"),
            "MariaDB",
            "an INVISIBLE index (there it is IGNORED)",
        ),
    ];
    found
        .into_iter()
        .filter(|(is, ..)| *is)
        .map(|(_, who, what)| Hit::new(format!("{who} does not accept {what}")))
        .collect()
}
