//! What rules are written with.

pub(super) use crate::lint::look::{Look, Seen};
pub(super) use crate::lint::rule::{Check, Hit, On, Rule, Ways};
pub(super) use crate::lint::{Finding, Severity};
pub(super) use crate::sql::act::{Act, Clause, Index, IndexKind};
pub(super) use crate::sql::column::{Column, Generated, Preset, Type};
pub(super) use crate::sql::meaning::{Meaning, Name};

/// The columns that a statement defines, in a new table or in one that is there.
pub(super) fn defined<'a>(look: &Look<'a>) -> impl Iterator<Item = &'a Column> {
    let (columns, clauses): (&[Column], &[Clause]) = match &look.statement.act {
        Act::CreateTable(table) => (&table.columns, &[]),
        Act::AlterTable { clauses, .. } => (&[], clauses),
        _ => (&[], &[]),
    };
    let of_clauses = clauses.iter().filter_map(|clause| match clause {
        Clause::AddColumn { column, .. }
        | Clause::Modify(column)
        | Clause::Change { column, .. } => Some(column),
        _ => None,
    });
    columns.iter().chain(of_clauses)
}

/// The indexes that a statement makes, with a new table or on one that is there.
pub(super) fn indexed<'a>(look: &Look<'a>) -> impl Iterator<Item = &'a Index> {
    let (indexes, clauses): (&[Index], &[Clause]) = match &look.statement.act {
        Act::CreateTable(table) => (&table.indexes, &[]),
        Act::AlterTable { clauses, .. } => (&[], clauses),
        _ => (&[], &[]),
    };
    let of_clauses = clauses.iter().filter_map(|clause| match clause {
        Clause::AddIndex { index, .. } => Some(index),
        _ => None,
    });
    indexes.iter().chain(of_clauses)
}

/// The columns of an index in parentheses.
pub(super) fn listed(columns: &[Option<String>]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.as_deref().unwrap_or("…")).collect();
    format!(" ({})", names.join(", "))
}

/// A type for a message.
pub(super) fn shown(kind: &Type) -> String {
    let name = kind.name.to_uppercase();
    let unsigned = if kind.unsigned { " UNSIGNED" } else { "" };
    if kind.arguments.is_empty() || matches!(kind.name.as_str(), "enum" | "set") {
        return format!("{name}{unsigned}");
    }
    format!("{name}({}){unsigned}", kind.arguments.join(","))
}

/// The variables of the session that a SET statement sets, in lower case, with what they become.
pub(super) fn set_variables(statement: &Seen<'_>) -> Vec<(String, String)> {
    if !statement.begins("set") || statement.meaning == Meaning::Repeatable {
        return vec![];
    }
    let mut found = Vec::new();
    for window in statement.tokens.windows(4) {
        let [before, name, assign, value] = window else { continue };
        let begins = matches!(before.as_str(), "set" | "," | "session" | "local");
        if begins && assign == "=" {
            let name = name.trim_start_matches("@@session.").trim_start_matches("@@").to_owned();
            found.push((name, value.to_lowercase()));
        }
    }
    found
}

/// The table whose rows a statement changes.
pub(super) fn changed_table<'a>(statement: &'a Seen<'_>) -> Option<&'a str> {
    let skipped = ["low_priority", "quick", "ignore", "delayed", "high_priority", "into", "from"];
    let mut tokens = statement.tokens.iter();
    if !matches!(tokens.next()?.as_str(), "update" | "delete" | "insert" | "replace") {
        return None;
    }
    let mut name = tokens.find(|token| !skipped.contains(&token.as_str()))?;
    if tokens.next().is_some_and(|token| token == ".") {
        name = tokens.next()?;
    }
    Some(name.trim_matches(['`', '"', '[', ']']))
}

/// A finding about a file.
pub(super) fn of_file(
    rule: &Rule,
    file: &str,
    line: usize,
    statement: Option<usize>,
    message: String,
) -> Finding {
    let (rule, severity) = (rule.id, rule.severity);
    Finding { rule, severity, file: file.to_owned(), line, statement, message }
}
