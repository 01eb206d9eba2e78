//! What makes two copies of a migration file "the same".
//!
//! A checkout on Windows, an editor that adds a byte order mark and one that adds a last newline
//! must not make an applied migration look edited. Anything else does, a comment included.

use sha2::{Digest as _, Sha256};

/// The text that is both hashed and sent to the database: no byte order mark, line ends as LF, no
/// white space at the end. Hashing and sending the same text is the point: what a literal that
/// spans lines puts into the database does not depend on the checkout either.
pub(crate) fn normalise(text: &str) -> String {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.trim_end().replace("\r\n", "\n")
}

/// What tells whether a file is the one that was applied: its text without the white space at the
/// ends of lines, which editors take away.
pub(crate) fn checksum(normalised: &str) -> String {
    if normalised.lines().all(|line| line.trim_end().len() == line.len()) {
        return sha256_hex(normalised);
    }
    let lines: Vec<&str> = normalised.lines().map(str::trim_end).collect();
    sha256_hex(&lines.join("\n"))
}

/// SHA-256 of `text` in 64 lower-case hex digits.
pub(crate) fn sha256_hex(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    let digit = |four: u8| char::from_digit(u32::from(four), 16).unwrap_or('?');
    for byte in Sha256::digest(text.as_bytes()) {
        hex.extend([digit(byte >> 4), digit(byte & 0xf)]);
    }
    hex
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
        assert_eq!(checksum("SELECT 1; \n\t\nSELECT 2;"), checksum("SELECT 1;\n\nSELECT 2;"));
        assert_eq!(checksum("SELECT 1;\nSELECT 2;"), sha256_hex("SELECT 1;\nSELECT 2;"));
        assert_ne!(checksum("SELECT 1;\n SELECT 2;"), checksum("SELECT 1;\nSELECT 2;"));
    }

    #[test]
    fn everything_else_does_change_it() {
        let plain = normalise("SELECT 1;");
        assert_ne!(normalise("SELECT 1; -- why"), plain);
        assert_ne!(normalise(" SELECT 1;"), plain);
        assert_ne!(normalise("SELECT\r1;"), normalise("SELECT\n1;"));
    }
}
