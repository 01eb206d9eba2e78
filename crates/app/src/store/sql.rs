//! Statements as values: the text that runs on every database, and a name for tests.

use std::borrow::Cow;
use std::sync::Arc;

/// One SQL statement, the same text for MySQL, MariaDB and `SQLite`.
#[derive(Clone, Debug)]
pub(super) struct Sql {
    pub(super) text: Arc<str>,
}

/// The largest number of values in one list of a statement.
pub(super) const MAX_LIST: usize = 512;

/// A statement's text with at most one part that is repeated as often as there are values:
/// `{…}` stands once per value, joined by the text between `{` and `|`, as in
/// `id IN ({, |?})`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template {
    /// What tests call it.
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

impl Template {
    /// The statement, for templates without a repeated part.
    pub(super) fn sql(self) -> Sql {
        self.repeated(1)
    }

    /// The statement with its repeated part standing `count` times.
    pub(super) fn repeated(self, count: usize) -> Sql {
        let text = match split(self.text) {
            None => Cow::Borrowed(self.text),
            Some((before, joint, part, after)) => {
                let parts = vec![part; count.clamp(1, MAX_LIST)].join(joint);
                Cow::Owned(format!("{before}{parts}{after}"))
            }
        };
        Sql { text: text.into() }
    }

    /// How many times the repeated part stands for `count` values: the next power of two, so
    /// that lists of all lengths share a few prepared statements. The surplus placeholders
    /// take the last value again, which changes nothing in an `IN` list.
    pub(super) fn padded(count: usize) -> usize {
        count.next_power_of_two().min(MAX_LIST)
    }
}

fn split(text: &str) -> Option<(&str, &str, &str, &str)> {
    let (before, rest) = text.split_once('{')?;
    let (repeated, after) = rest.split_once('}')?;
    let (joint, part) = repeated.split_once('|')?;
    Some((before, joint, part, after))
}

/// Declares statements and the list `ALL` of them, which tests prepare and explain on every
/// database, so that none can be forgotten.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        $($(#[$doc])* const $name: $crate::store::sql::Template =
            $crate::store::sql::Template { name: stringify!($name), text: $text };)+
        /// Every statement of this file.
        pub(in crate::store) const ALL: &[$crate::store::sql::Template] = &[$($name),+];
    };
}
pub(super) use statements;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repeated_part_stands_once_per_value() {
        let template = Template { name: "T", text: "SELECT 1 WHERE id IN ({, |?}) AND x = ?" };
        assert_eq!(&*template.repeated(3).text, "SELECT 1 WHERE id IN (?, ?, ?) AND x = ?");
        assert_eq!(&*template.sql().text, "SELECT 1 WHERE id IN (?) AND x = ?");
        assert_eq!(&*Template { name: "U", text: "SELECT ?" }.repeated(9).text, "SELECT ?");
    }

    #[test]
    fn lists_are_padded_to_few_lengths() {
        let lengths: Vec<_> = [1, 2, 3, 5, 100, 512, 600].map(Template::padded).into();
        assert_eq!(lengths, [1, 2, 4, 8, 128, 512, 512]);
    }
}
