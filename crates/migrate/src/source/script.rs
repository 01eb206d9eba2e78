//! A migration's text taken apart: its statements, and what is to be known of each before it runs.

use crate::Dialect;
use crate::checksum::sha256_hex;
use crate::sql::classify::meaning;
use crate::sql::directive;
use crate::sql::meaning::{Meaning, Transaction};
use crate::sql::split::split;

/// The statements of one file.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) statements: Vec<ScriptStatement>,
    /// `-- migrate: min-version V`.
    pub(crate) min_version: Option<i64>,
}

/// One statement of a file.
#[derive(Clone, Debug)]
pub(crate) struct ScriptStatement {
    /// Its place in the file, from 1.
    pub(crate) number: usize,
    /// The line on which it begins, from 1.
    pub(crate) line: usize,
    pub(crate) text: String,
    /// SHA-256 of the text.
    pub(crate) checksum: String,
    pub(crate) meaning: Meaning,
    /// Why a copy of the table is acceptable, if somebody said so.
    pub(crate) allow_copy: Option<String>,
}

/// Why a text can't be taken apart, or not be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScriptError {
    /// From 1.
    pub(crate) line: usize,
    /// What is wrong and what to do about it.
    pub(crate) message: String,
}

impl Script {
    /// Takes a text apart. `BEGIN` and `COMMIT` are left out: the runner's own transactions are
    /// there already, and with these the journal's rows would fall out of them.
    pub(crate) fn parse(dialect: Dialect, text: &str) -> Result<Self, ScriptError> {
        let split = split(dialect, text)
            .map_err(|error| ScriptError { line: error.line, message: error.to_string() })?;
        let directives = directive::directives(dialect, text, &split)
            .map_err(|error| ScriptError { line: error.line, message: error.to_string() })?;
        let mut statements = Vec::with_capacity(split.len());
        for statement in &split {
            let meaning = meaning(dialect, statement);
            match meaning {
                Meaning::Transaction(Transaction::Begin | Transaction::Commit) => continue,
                Meaning::Transaction(other) => {
                    return Err(ScriptError { line: statement.line, message: refusal(other) });
                }
                Meaning::Session { .. } if begins_with(statement.text, "use") => {
                    let message = "USE would move the rest of the file, and the record of it, to \
                         another database. Name the database in front of the table instead, or \
                         give it migrations of its own";
                    return Err(ScriptError { line: statement.line, message: message.to_owned() });
                }
                _ => {}
            }
            statements.push(ScriptStatement {
                number: statement.number,
                line: statement.line,
                text: statement.text.to_owned(),
                checksum: sha256_hex(statement.text),
                meaning,
                allow_copy: directives.reason(statement.number, "copy").map(ToOwned::to_owned),
            });
        }
        Ok(Self { statements, min_version: directives.min_version })
    }

    /// Whether a transaction covers all of it on a database that commits at each change of the
    /// schema.
    pub(crate) fn changes_rows_only(&self) -> bool {
        self.statements.iter().all(|statement| {
            matches!(statement.meaning, Meaning::Dml | Meaning::Read | Meaning::Session { .. })
        })
    }
}

fn begins_with(text: &str, word: &str) -> bool {
    text.split(|char: char| !char.is_alphanumeric())
        .find(|found| !found.is_empty())
        .is_some_and(|found| found.eq_ignore_ascii_case(word))
}

fn refusal(transaction: Transaction) -> String {
    let (what, instead) = match transaction {
        Transaction::LockTables | Transaction::UnlockTables => (
            "LOCK TABLES and UNLOCK TABLES",
            "they would shut the record of this migration out. Leave them away: other runners \
             wait already",
        ),
        _ => (
            "ROLLBACK, SAVEPOINT and XA",
            "the runner's own transaction would be undone with what it records. Leave them away, \
             or split the file in two",
        ),
    };
    format!("{what} can't be part of a migration: {instead}")
}
