//! What a linter asks of a migration: every text with the file it comes from.

use std::borrow::Cow;

use super::{Migration, SourceError, Texts};
use crate::Dialect;

/// One text of a migration.
#[derive(Clone, Debug)]
pub(crate) struct Part<'a> {
    pub(crate) file: String,
    pub(crate) down: bool,
    /// The only database it is for.
    pub(crate) dialect: Option<Dialect>,
    pub(crate) text: Cow<'a, str>,
    pub(crate) habits: Habits,
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
    pub(crate) fn parts(&self) -> Result<Vec<Part<'_>>, SourceError> {
        let mut parts = Vec::new();
        for (texts, down) in [(Some(&self.up), false), (self.down.as_ref(), true)] {
            let dialects = match texts {
                None => continue,
                Some(Texts::Portable(_)) => vec![None],
                Some(Texts::Pair(_)) => vec![Some(Dialect::MySql), Some(Dialect::Sqlite)],
            };
            for dialect in dialects {
                let on = dialect.unwrap_or(Dialect::MySql);
                let (file, text) = if down {
                    (self.down_file(on), self.down(on)?.unwrap_or_default())
                } else {
                    (self.file(on), self.up(on)?)
                };
                let habits = texts.map(|texts| texts.on(on).habits).unwrap_or_default();
                parts.push(Part { file, down, dialect, text, habits });
            }
        }
        Ok(parts)
    }
}
