//! The applied texts, compressed: a history of thousands of files should not weigh on a database.

use std::io::{Read as _, Write as _};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};

/// The largest text that is unpacked again, in bytes; a row that was tampered with must not fill
/// the memory.
const MAX_TEXT: u64 = 64 * 1024 * 1024;

/// Packs a text (zlib, RFC 1950).
pub(crate) fn compress(text: &str) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(text.as_bytes());
    encoder.finish().unwrap_or_default()
}

/// Unpacks a text; `None` if it is none, or too large.
pub(crate) fn decompress(bytes: &[u8]) -> Option<String> {
    let mut text = String::new();
    let mut decoder = ZlibDecoder::new(bytes).take(MAX_TEXT);
    decoder.read_to_string(&mut text).ok().map(|_| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_and_rubbish_does_not() {
        for text in ["", "SELECT 'ä😀';\n", &"CREATE TABLE t (x INT);\n".repeat(10_000)] {
            let packed = compress(text);
            assert_eq!(decompress(&packed).as_deref(), Some(text));
        }
        assert!(compress(&"x".repeat(100_000)).len() < 1_000);
        assert_eq!(decompress(b"rubbish"), None);
    }
}
