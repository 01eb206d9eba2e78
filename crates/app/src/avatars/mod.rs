//! Profile pictures: from whatever was uploaded to two tidy square files in a folder or a bucket.
//!
//! [`process`] is the pure half (bytes in, bytes out); [`Avatars`] keeps the files.

mod jpeg;
mod picture;
mod storage;
mod webp;

use std::fmt;

pub use picture::{Picture, PictureError, process};
pub use storage::{AvatarError, Avatars, S3Settings, SetupError, StoredFile};

/// The sides of the square files made of each picture, in pixels: the larger one first.
pub const SIZES: [u32; 2] = [512, 128];

/// The largest upload that is looked at, in bytes (5 MiB).
pub const MAX_UPLOAD_BYTES: usize = 5 * 1024 * 1024;

/// How many hexadecimal digits of the picture's hash make its name: 128 bits, so that two
/// different pictures never meet.
const HEX_DIGITS: usize = 32;

/// What both files of a picture are encoded as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Jpeg,
    Png,
}

impl Encoding {
    fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }

    fn from_extension(extension: &str) -> Option<Self> {
        match extension {
            "jpg" => Some(Self::Jpeg),
            "png" => Some(Self::Png),
            _ => None,
        }
    }
}

/// The name of a picture as `users.avatar` stores it: 32 lower-case hexadecimal digits, a dot and
/// `jpg` or `png`. It is derived from the content, so that the same picture has the same name and
/// a file, once served, never changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AvatarName(String);

impl AvatarName {
    fn new(hex: &str, encoding: Encoding) -> Self {
        Self(format!("{hex}.{}", encoding.extension()))
    }

    /// Reads a stored name back; `None` for everything that [`process`] could not have made.
    pub fn parse(name: &str) -> Option<Self> {
        let (hex, extension) = name.split_once('.')?;
        is_hex(hex).then_some(())?;
        Some(Self::new(hex, Encoding::from_extension(extension)?))
    }

    /// The name of the file of one of the [`SIZES`], such as `0f…9c-512.jpg`.
    pub fn file(&self, size: u32) -> String {
        let (hex, extension) = self.0.split_once('.').unwrap_or((&self.0, ""));
        format!("{hex}-{size}.{extension}")
    }

    /// What both files are: `image/jpeg` or `image/png`.
    pub fn content_type(&self) -> &'static str {
        let (_, extension) = self.0.split_once('.').unwrap_or_default();
        Encoding::from_extension(extension).unwrap_or(Encoding::Png).content_type()
    }

    /// The name as `users.avatar` stores it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AvatarName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the file of that name holds; `None` for a name that [`AvatarName::file`] could not have
/// made. Names come from the outside: nothing else may reach the store.
fn parse_file_name(name: &str) -> Option<Encoding> {
    let (stem, extension) = name.split_once('.')?;
    let (hex, size) = stem.split_once('-')?;
    // Compared as text: parsed as a number, "0512" and "+512" would pass as well.
    let known_size = SIZES.iter().any(|known| known.to_string() == size);
    (is_hex(hex) && known_size).then_some(())?;
    Encoding::from_extension(extension)
}

fn is_hex(text: &str) -> bool {
    text.len() == HEX_DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "00112233445566778899aabbccddeeff";

    #[test]
    fn a_name_survives_storage_and_names_its_files() {
        let name = AvatarName::parse(&format!("{HEX}.jpg")).unwrap();
        assert_eq!(name.as_str(), format!("{HEX}.jpg"));
        assert_eq!(name.file(512), format!("{HEX}-512.jpg"));
        assert_eq!(name.file(128), format!("{HEX}-128.jpg"));
        for size in SIZES {
            assert_eq!(parse_file_name(&name.file(size)), Some(Encoding::Jpeg));
        }
    }

    #[test]
    fn names_that_are_not_ours_are_refused() {
        let upper = HEX.to_uppercase();
        let short = &HEX[1..];
        for name in [
            "",
            ".jpg",
            "..",
            "../../etc/passwd",
            &format!("../{HEX}.jpg"),
            &format!("{upper}.jpg"),
            &format!("{short}.jpg"),
            &format!("{HEX}0.jpg"),
            &format!("{HEX}.gif"),
            &format!("{HEX}.JPG"),
            &format!("{HEX}.jpg.png"),
            &format!("{HEX}.jpg\n"),
            &format!("{HEX}-512.jpg"),
            &format!("{short}é.jpg"),
        ] {
            assert_eq!(AvatarName::parse(name), None, "{name:?}");
        }
        for name in [
            "",
            "-512.jpg",
            &format!("{HEX}.jpg"),
            &format!("../{HEX}-512.jpg"),
            &format!("{upper}-512.jpg"),
            &format!("{HEX}-64.jpg"),
            &format!("{HEX}-0512.jpg"),
            &format!("{HEX}-+512.jpg"),
            &format!("{HEX}-512"),
            &format!("{HEX}-512.gif"),
            &format!("{HEX}-512.jpg/"),
            &format!("{HEX}-512-128.jpg"),
            &format!("{HEX}-512.jpg\0"),
        ] {
            assert_eq!(parse_file_name(name), None, "{name:?}");
        }
    }
}
