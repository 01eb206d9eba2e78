//! What a rule may look at.

use std::collections::BTreeSet;

use super::file::LintFile;
use super::schema::Schema;
use crate::Dialect;
use crate::sql::act::{Act, Clause};
use crate::sql::meaning::{Meaning, Name};

/// A statement as rules see it.
#[derive(Clone, Debug)]
pub(super) struct Seen<'a> {
    pub(super) number: usize,
    pub(super) line: usize,
    pub(super) text: &'a str,
    /// Words and symbols in order; words in lower case.
    pub(super) tokens: Vec<String>,
    pub(super) meaning: Meaning,
    pub(super) act: Act,
}

impl Seen<'_> {
    pub(super) fn place(&self) -> (usize, usize) {
        (self.number, self.line)
    }

    /// Whether these words and symbols follow each other in it.
    pub(super) fn says(&self, words: &str) -> bool {
        let words: Vec<&str> = words.split(' ').collect();
        self.tokens.windows(words.len()).any(|window| window == words.as_slice())
    }

    /// Whether it begins with these words.
    pub(super) fn begins(&self, words: &str) -> bool {
        let mut tokens = self.tokens.iter();
        words.split(' ').all(|word| tokens.next().is_some_and(|token| token == word))
    }

    /// The table that it alters, and how.
    pub(super) fn alters(&self) -> Option<(&Name, &[Clause])> {
        match &self.act {
            Act::AlterTable { table, clauses } => Some((table, clauses)),
            _ => None,
        }
    }
}

/// What a release makes, and so nobody uses yet. Names are in lower case.
#[derive(Clone, Debug, Default)]
pub(super) struct Release {
    pub(super) tables: BTreeSet<String>,
    /// Table and column, and the file that adds it.
    pub(super) columns: Vec<(String, String, String)>,
    /// Views, triggers, routines, events.
    pub(super) others: BTreeSet<String>,
}

impl Release {
    pub(super) fn has_column(&self, table: &str, column: &str) -> bool {
        self.columns.iter().any(|(known, name, _)| {
            known.eq_ignore_ascii_case(table) && name.eq_ignore_ascii_case(column)
        })
    }
}

/// One statement and everything that tells what it does.
pub(super) struct Look<'a> {
    pub(super) file: &'a LintFile,
    pub(super) dialect: Dialect,
    pub(super) statement: &'a Seen<'a>,
    /// All statements of the file.
    pub(super) statements: &'a [Seen<'a>],
    /// The tables before this statement.
    pub(super) schema: &'a Schema,
    pub(super) release: &'a Release,
}

impl<'a> Look<'a> {
    /// Whether a release that is running may use the table.
    pub(super) fn in_use(&self, table: &str) -> bool {
        !self.release.tables.contains(&table.to_lowercase())
    }

    /// The table that the statement alters, if somebody may use it, and the clauses.
    pub(super) fn alters_used(&self) -> Option<(&'a Name, &'a [Clause])> {
        self.statement.alters().filter(|(table, _)| self.in_use(&table.name))
    }

    /// The clauses on a table that somebody may use; none else.
    pub(super) fn clauses(&self) -> impl Iterator<Item = (&'a str, &'a Clause)> {
        self.alters_used().into_iter().flat_map(|(table, clauses)| {
            clauses.iter().map(move |clause| (table.name.as_str(), clause))
        })
    }

    /// A column that is defined anew: its table, the name it had, the definition it gets.
    pub(super) fn redefined(
        &self,
    ) -> impl Iterator<Item = (&'a str, &'a str, &'a crate::sql::column::Column)> {
        self.clauses().filter_map(|(table, clause)| match clause {
            Clause::Modify(column) => Some((table, column.name.as_str(), column)),
            Clause::Change { from, column } => Some((table, from.as_str(), column)),
            _ => None,
        })
    }
}
