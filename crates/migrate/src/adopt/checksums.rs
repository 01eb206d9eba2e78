//! Whether a file still is what another tool applied, by that tool's own checksum.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha384};

/// What a tool recorded of a file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Checksum {
    /// It records none.
    None,
    /// sqlx: SHA-384 of the file's bytes, in lower-case hex digits.
    Sha384(String),
    /// Flyway: CRC-32 of the lines without their ends and without a byte order mark.
    Crc32(i32),
}

impl Checksum {
    /// Whether it can be of this text, which is normalised: the file's line ends, byte order mark
    /// and last newlines are not known any more. Every usual combination is tried, for a checkout
    /// with other line ends is not an edit.
    pub(super) fn is_of(&self, text: &str) -> bool {
        match self {
            Self::None => true,
            Self::Sha384(recorded) => is_sha384(recorded, text),
            Self::Crc32(recorded) => crc32(text) == recorded.cast_unsigned(),
        }
    }
}

fn is_sha384(recorded: &str, text: &str) -> bool {
    let with_crlf = text.replace('\n', "\r\n");
    // The most likely one first: LF, and one at the end.
    [(text, "\n"), (with_crlf.as_str(), "\r\n")].into_iter().any(|(text, end)| {
        [end, "", &end.repeat(2)].into_iter().any(|tail| {
            ["", "\u{feff}"].into_iter().any(|mark| sha384_hex([mark, text, tail]) == recorded)
        })
    })
}

fn sha384_hex(parts: [&str; 3]) -> String {
    let mut hasher = Sha384::new();
    for part in parts {
        hasher.update(part.as_bytes());
    }
    let mut hex = String::with_capacity(96);
    for byte in hasher.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Bit by bit: a history is read once, and a table would be longer than this.
fn crc32(text: &str) -> u32 {
    let bytes = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n'));
    !bytes.fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlx(bytes: &str) -> Checksum {
        Checksum::Sha384(sha384_hex(["", bytes, ""]))
    }

    #[test]
    fn the_checksums_are_the_published_ones() {
        assert_eq!(
            sha384_hex(["a", "b", "c"]),
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
             8086072ba1e7cc2358baeca134c825a7"
        );
        assert_eq!(crc32("123456789"), 0xcbf4_3926);
    }

    #[test]
    fn line_ends_marks_and_last_newlines_make_no_other_text() {
        let text = "SELECT 1;\nSELECT 2;";
        for bytes in [
            "SELECT 1;\nSELECT 2;",
            "SELECT 1;\nSELECT 2;\n",
            "SELECT 1;\nSELECT 2;\n\n",
            "SELECT 1;\r\nSELECT 2;\r\n",
            "SELECT 1;\r\nSELECT 2;",
            "\u{feff}SELECT 1;\r\nSELECT 2;\r\n",
        ] {
            assert!(sqlx(bytes).is_of(text), "{bytes:?}");
        }
        assert!(Checksum::Crc32(crc32("SELECT 1;\r\nSELECT 2;\r\n").cast_signed()).is_of(text));
        assert!(Checksum::None.is_of(text));
    }

    #[test]
    fn another_text_is_seen() {
        for text in ["SELECT 1", "SELECT  1;", "SELECT 1; -- why", ""] {
            assert!(!sqlx("SELECT 1;\n").is_of(text), "{text:?}");
            assert!(!Checksum::Crc32(crc32("SELECT 1;").cast_signed()).is_of(text), "{text:?}");
        }
    }
}
