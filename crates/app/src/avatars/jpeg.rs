//! A look at the structure of a JPEG file before it is decoded.
//!
//! The decoder fills what is missing at the end with grey and calls it a success; and it does not
//! count the memory that progressive files take. Both show in the file's markers.

/// What the markers of a complete file say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outline {
    /// Sent as a coarse picture that is then refined: all coefficients are kept while decoding.
    pub(super) progressive: bool,
}

/// The first byte of each marker.
const MARKER: u8 = 0xff;

/// Goes from marker to marker until the end of the picture; `None` if the file is cut short
/// before that.
pub(super) fn outline(file: &[u8]) -> Option<Outline> {
    let mut progressive = false;
    let mut pixels_began = false;
    // After the start marker.
    let mut rest = file.get(2..)?;
    loop {
        let next = rest.iter().position(|byte| *byte == MARKER)?;
        let (kind, after) = rest.get(next + 1..)?.split_first()?;
        match *kind {
            // Repeated first bytes are padding: the second may begin a marker.
            MARKER => {
                rest = rest.get(next + 1..)?;
                continue;
            }
            0xd9 if pixels_began => return Some(Outline { progressive }),
            // Among the pixels: a 255 that is no marker, or a restart. Neither has a body.
            0x00 | 0x01 | 0xd0..=0xd9 => {
                rest = after;
                continue;
            }
            0xc2 | 0xc6 | 0xca | 0xce => progressive = true,
            0xda => pixels_began = true,
            _ => {}
        }
        let length = u16::from_be_bytes(*after.first_chunk::<2>()?);
        rest = after.get(usize::from(length)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(frame: u8) -> Vec<u8> {
        let mut file = vec![0xff, 0xd8];
        // A thumbnail's end inside another block is not the picture's end.
        file.extend([0xff, 0xe1, 0, 6, 0xff, 0xda, 0xff, 0xd9]);
        file.extend([0xff, 0xff, frame, 0, 4, 8, 8]);
        file.extend([0xff, 0xda, 0, 3, 1]);
        file.extend([1, 2, 0xff, 0x00, 3, 0xff, 0xd0, 4]);
        file.extend([0xff, 0xda, 0, 3, 2, 9, 9, 0xff, 0xd9]);
        file
    }

    #[test]
    fn complete_files_are_told_apart() {
        assert_eq!(outline(&file(0xc0)), Some(Outline { progressive: false }));
        assert_eq!(outline(&file(0xc2)), Some(Outline { progressive: true }));
        let more = [file(0xc0), b"left by a camera".to_vec()].concat();
        assert_eq!(outline(&more), Some(Outline { progressive: false }));
    }

    #[test]
    fn cut_anywhere_is_cut_short() {
        let whole = file(0xc0);
        for length in 0..whole.len() {
            assert_eq!(outline(&whole[..length]), None, "{length}");
        }
    }
}
