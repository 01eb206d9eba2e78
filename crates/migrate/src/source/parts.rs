//! What a linter asks of a migration: every text with the file it comes from.

use super::{Migration, Text};
use crate::Dialect;

/// One text of a migration.
#[derive(Clone, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) file: String,
    pub(crate) down: bool,
    /// The only database it is for.
    pub(crate) dialect: Option<Dialect>,
    pub(crate) text: &'a str,
}

/// What was taken from a file's text when it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Habits {
    pub(crate) byte_order_mark: bool,
    pub(crate) crlf: bool,
}

impl Habits {
    pub(super) fn of(text: &str) -> Self {
        Self { byte_order_mark: text.starts_with('\u{feff}'), crlf: text.contains("\r\n") }
    }
}

impl Migration {
    /// Its texts: the way up, then the way back.
    pub(crate) fn parts(&self) -> Vec<Part<'_>> {
        let mut parts = Vec::new();
        for (text, down) in [(Some(&self.up), false), (self.down.as_ref(), true)] {
            let file = |dialect| if down { self.down_file(dialect) } else { self.file(dialect) };
            match text {
                None => {}
                Some(Text::Portable(text)) => {
                    parts.push(Part { file: file(Dialect::MySql), down, dialect: None, text });
                }
                Some(Text::Pair { mysql, sqlite }) => {
                    for (dialect, text) in [(Dialect::MySql, mysql), (Dialect::Sqlite, sqlite)] {
                        parts.push(Part {
                            file: file(dialect),
                            down,
                            dialect: Some(dialect),
                            text,
                        });
                    }
                }
            }
        }
        parts
    }

    /// What was taken from the text of one of its files.
    pub(crate) fn habits(&self, file: &str) -> Habits {
        self.habits.get(file).copied().unwrap_or_default()
    }
}
