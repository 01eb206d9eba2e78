//! What of MySQL's SQL is a syntax error on SQLite. (<https://www.sqlite.org/lang.html>.)

use crate::Dialect;
use crate::lint::look::Seen;
use crate::sql::act::{Act, Clause, IndexKind, Table, act};
use crate::sql::column::{Column, Generated, Preset};
use crate::sql::lexer::{Kind, Lexer};

/// Statements that SQLite does not know, by their first words.
const STATEMENTS: [&str; 29] = [
    "alter view",
    "alter database",
    "alter event",
    "call",
    "create database",
    "create event",
    "create function",
    "create or replace",
    "create procedure",
    "create user",
    "delimiter",
    "do",
    "drop database",
    "drop event",
    "drop function",
    "drop procedure",
    "flush",
    "grant",
    "insert ignore",
    "insert delayed",
    "load data",
    "lock",
    "optimize",
    "rename",
    "revoke",
    "set",
    "show",
    "truncate",
    "unlock",
];

/// Options behind the parentheses of a table.
const OPTIONS: [&str; 9] = [
    "engine",
    "default",
    "charset",
    "character",
    "collate",
    "auto_increment",
    "comment",
    "row_format",
    "partition",
];

/// Each thing in a statement that SQLite does not accept.
pub(in crate::lint) fn refused(statement: &Seen<'_>) -> Vec<String> {
    // As SQLite reads it: executable comments are comments there.
    let tokens: Vec<String> = Lexer::new(Dialect::Sqlite, statement.text)
        .filter(|token| token.kind.is_significant())
        .map(|token| match token.kind {
            Kind::Word => token.text.to_lowercase(),
            _ => token.text.to_owned(),
        })
        .collect();
    if tokens.is_empty() {
        return vec![];
    }
    let begins = |words: &str| {
        words.split(' ').zip(&tokens).all(|(word, token)| word == token)
            && words.split(' ').count() <= tokens.len()
    };
    if let Some(words) = STATEMENTS.iter().find(|words| begins(words)) {
        return vec![words.to_uppercase()];
    }
    let says = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        tokens.windows(words.len()).any(|window| window == words.as_slice())
    };
    let mut found = Vec::new();
    for words in ["on duplicate key", "straight_join", "for update", "sql_calc_found_rows"] {
        if says(words) {
            found.push(words.to_uppercase());
        }
    }
    for function in [
        "now",
        "unix_timestamp",
        "uuid",
        "curdate",
        "curtime",
        "rand",
        "date_add",
        "date_sub",
        "from_unixtime",
        "last_insert_id",
        "md5",
        "sha2",
    ] {
        if says(&format!("{function} (")) {
            found.push(format!("{}()", function.to_uppercase()));
        }
    }
    if (begins("update") || begins("delete")) && says("limit") {
        found.push("LIMIT in UPDATE and DELETE".to_owned());
    }
    match act(Dialect::Sqlite, statement.text) {
        Act::CreateTable(table) => of_table(&table, &mut found),
        Act::AlterTable { clauses, .. } if begins("alter") => of_clauses(&clauses, &mut found),
        Act::AlterTable { .. } if begins("drop") => {
            found.push("DROP INDEX … ON table".to_owned());
        }
        Act::AlterTable { clauses, .. } => {
            for clause in &clauses {
                match clause {
                    Clause::AddIndex { index, .. }
                        if matches!(index.kind, IndexKind::Fulltext | IndexKind::Spatial) =>
                    {
                        found.push("FULLTEXT and SPATIAL".to_owned());
                    }
                    Clause::Algorithm(_) | Clause::Lock(_) => {
                        found.push("ALGORITHM and LOCK".to_owned());
                    }
                    _ => {}
                }
            }
        }
        Act::DropTables(tables) if tables.len() > 1 => {
            found.push("several tables in one DROP TABLE".to_owned());
        }
        _ => {}
    }
    found
}

fn of_table(table: &Table, found: &mut Vec<String>) {
    for column in &table.columns {
        of_column(column, found);
    }
    for index in &table.indexes {
        match index.kind {
            IndexKind::Plain => found.push("KEY among the definitions of a table".to_owned()),
            IndexKind::Fulltext | IndexKind::Spatial => {
                found.push("FULLTEXT and SPATIAL".to_owned());
            }
            IndexKind::Primary | IndexKind::Unique => {}
        }
    }
    let options = table.options.iter().filter(|word| OPTIONS.contains(&word.as_str()));
    if let Some(option) = options.take(1).next() {
        found.push(format!("the table's option {}", option.to_uppercase()));
    }
}

fn of_column(column: &Column, found: &mut Vec<String>) {
    let says = |word: &str| column.words.iter().any(|found| found == word);
    let words = ["auto_increment", "comment", "charset", "enum", "set", "zerofill"];
    // SET is also a word of ON DELETE SET NULL.
    let words = words
        .into_iter()
        .filter(|word| says(word) && (*word != "set" || column.kind.name == "set"));
    found.extend(words.map(str::to_uppercase));
    if says("character") && column.kind.charset.is_some() {
        found.push("CHARACTER SET of a column".to_owned());
    }
    if column.kind.words_after && column.kind.unsigned {
        found.push("UNSIGNED behind the parentheses of a type".to_owned());
    }
    if says("on") && says("update") && column.references.is_none() {
        found.push("ON UPDATE of a column".to_owned());
    }
}

fn of_clauses(clauses: &[Clause], found: &mut Vec<String>) {
    if clauses.len() > 1 {
        found.push("several clauses in one ALTER TABLE".to_owned());
    }
    for clause in clauses {
        let what = match clause {
            Clause::RenameTable(_)
            | Clause::RenameColumn { .. }
            | Clause::DropColumn { says_if: false, .. } => continue,
            Clause::AddColumn { column, says_if: false } => {
                of_column(column, found);
                of_added(column, found);
                continue;
            }
            Clause::AddColumn { .. } | Clause::DropColumn { .. } => "IF [NOT] EXISTS of a column",
            Clause::Modify(_) => "ALTER TABLE … MODIFY",
            Clause::Change { .. } => "ALTER TABLE … CHANGE",
            Clause::SetDefault { .. } | Clause::DropDefault { .. } => {
                "ALTER TABLE … ALTER COLUMN … DEFAULT"
            }
            Clause::AddIndex { .. } => "ALTER TABLE … ADD INDEX (use CREATE INDEX)",
            Clause::DropIndex { .. } => "ALTER TABLE … DROP INDEX",
            Clause::AddForeignKey(_) | Clause::AddCheck { .. } => "ALTER TABLE … ADD CONSTRAINT",
            Clause::DropConstraint { .. } | Clause::DropPrimaryKey => {
                "ALTER TABLE … DROP of a constraint"
            }
            Clause::Algorithm(_) | Clause::Lock(_) => "ALGORITHM and LOCK",
            _ => "this clause of ALTER TABLE",
        };
        found.push(what.to_owned());
    }
}

/// (<https://www.sqlite.org/lang_altertable.html>, "ALTER TABLE ADD COLUMN".)
fn of_added(column: &Column, found: &mut Vec<String>) {
    let empty = matches!(column.default, None | Some(Preset::Null));
    let reasons = [
        (column.primary_key || column.unique, "a column added as PRIMARY KEY or UNIQUE"),
        (
            column.not_null && empty && column.generated.is_none(),
            "a NOT NULL column added without a default",
        ),
        (
            matches!(column.default, Some(Preset::Now | Preset::Expression)),
            "a column added with a default that is not constant",
        ),
        (column.generated == Some(Generated::Stored), "a STORED column added"),
        (column.placed, "FIRST and AFTER"),
        (column.references.is_some() && !empty, "a column added with REFERENCES and a default"),
    ];
    found.extend(reasons.into_iter().filter(|(is, _)| *is).map(|(_, what)| what.to_owned()));
}
