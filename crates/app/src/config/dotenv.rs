//! `.env` files: `NAME=value` lines, with the line each value stands on.
//!
//! As in a shell, `$NAME` outside single quotes stands for another variable.

use std::{
    cell::Cell,
    collections::BTreeMap,
    io::{self, Read},
};

/// The values of a `.env` file.
#[derive(Default)]
pub(super) struct DotEnv(BTreeMap<String, (String, usize)>);

impl DotEnv {
    /// The value of a variable, and the line it stands on.
    pub(super) fn get(&self, variable: &str) -> Option<(&str, usize)> {
        self.0.get(variable).map(|(value, line)| (value.as_str(), *line))
    }

    /// Reads the text of a file, or tells on which line it stops making sense. The line itself is
    /// not repeated, since it may hold a password.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let line = Cell::new(0);
        let mut values = BTreeMap::new();
        for entry in dotenvy::Iter::new(Lines { rest: text, line: &line }) {
            match entry {
                // As in a shell script, the last of two assignments counts.
                Ok((name, value)) => values.insert(name, (value, line.get())),
                Err(dotenvy::Error::LineParse(entry, _)) => {
                    // An open quote swallows all that follows: point at where it opened.
                    let first = (line.get() + 1).saturating_sub(entry.lines().count().max(1));
                    return Err(format!(
                        "line {first} is not NAME=value; put single quotes around values with \
                         spaces, quotes or $, and close them"
                    ));
                }
                Err(error) => {
                    return Err(format!("line {} cannot be read: {error}", line.get()));
                }
            };
        }
        Ok(Self(values))
    }
}

/// Hands out a text at most one line at a time, so that what has been read so far tells the line
/// that the parser, which does not count lines, has come to.
struct Lines<'a> {
    rest: &'a [u8],
    line: &'a Cell<usize>,
}

impl Read for Lines<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ends = self.rest.iter().position(|byte| *byte == b'\n').map(|newline| newline + 1);
        let line = ends.unwrap_or(self.rest.len());
        let length = line.min(buffer.len());
        let Some((mut now, later)) = self.rest.split_at_checked(length) else {
            return Ok(0);
        };
        if length == line && length > 0 {
            self.line.set(self.line.get() + 1);
        }
        self.rest = later;
        now.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_their_lines() {
        let text = "\u{feff}# comment\nA=1\n\nexport B='two words' # note\r\nC=\"x\ny\"\nA=3";
        let values = DotEnv::parse(text.as_bytes()).unwrap();
        assert_eq!(values.get("A"), Some(("3", 7)));
        assert_eq!(values.get("B"), Some(("two words", 4)));
        assert_eq!(values.get("C"), Some(("x\ny", 6)));
        assert_eq!(values.get("D"), None);
    }

    #[test]
    fn mistakes_name_the_line_and_nothing_else() {
        for (text, line) in [
            ("A=1\nnonsense secret\nB=2", "line 2 "),
            ("A=1\n\nB='secret\nC=2\nD=3\n", "line 3 "),
            ("A=one secret\n", "line 1 "),
        ] {
            let message = DotEnv::parse(text.as_bytes()).err().unwrap_or_default();
            assert!(message.starts_with(line), "{text:?}: {message}");
            assert!(!message.contains("secret"), "{message}");
        }
        let message = DotEnv::parse(b"A=1\nB=\xff\n").err().unwrap();
        assert!(message.starts_with("line 2 cannot be read"), "{message}");
    }
}
