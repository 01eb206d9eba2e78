//! What makes two copies of a migration file "the same".
//!
//! A checkout on Windows, an editor that adds a byte order mark and one that adds a last newline
//! must not make an applied migration look edited. Anything else does, a comment included.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// The text that is both hashed and sent to the database: no byte order mark, line ends as LF, no
/// white space at the end. Hashing and sending the same text is the point: what a literal that
/// spans lines puts into the database does not depend on the checkout either.
pub(crate) fn normalise(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.trim_end().replace("\r\n", "\n")
}

/// What tells whether a file is the one that was applied: the SHA-256 of its text without the white
/// space at the ends of lines, which editors take away. Shown as 64 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checksum([u8; 32]);

impl Checksum {
    pub(crate) fn of(normalised: &str) -> Self {
        if normalised.lines().all(|line| line.trim_end().len() == line.len()) {
            return Self(Sha256::digest(normalised).into());
        }
        let lines: Vec<&str> = normalised.lines().map(str::trim_end).collect();
        Self(Sha256::digest(lines.join("\n")).into())
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// SHA-256 of `text` in 64 lower-case hex digits.
pub(crate) fn sha256_hex(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// In lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |four: u8| char::from_digit(u32::from(four), 16).unwrap_or('?');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_is_the_published_one() {
        assert_eq!(
            sha256_hex("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn checkout_and_editor_habits_do_not_change_the_text() {
        let plain = normalise("SELECT 1;\nSELECT 2;\n");
        assert_eq!(plain, "SELECT 1;\nSELECT 2;");
        assert_eq!(normalise("\u{feff}SELECT 1;\r\nSELECT 2;\r\n\r\n"), plain);
        assert_eq!(normalise("SELECT 1;\nSELECT 2;"), plain);
    }

    #[test]
    fn white_space_at_the_end_of_a_line_does_not_change_the_checksum() {
        let of = |text| Checksum::of(text).to_string();
        assert_eq!(of("SELECT 1; \n\t\nSELECT 2;"), of("SELECT 1;\n\nSELECT 2;"));
        assert_eq!(of("SELECT 1;\nSELECT 2;"), sha256_hex("SELECT 1;\nSELECT 2;"));
        assert_ne!(of("SELECT 1;\n SELECT 2;"), of("SELECT 1;\nSELECT 2;"));
    }

    #[test]
    fn everything_else_does_change_it() {
        let plain = normalise("SELECT 1;");
        assert_ne!(normalise("SELECT 1; -- why"), plain);
        assert_ne!(normalise(" SELECT 1;"), plain);
        assert_ne!(normalise("SELECT\r1;"), normalise("SELECT\n1;"));
    }
}
