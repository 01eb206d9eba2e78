//! A look at the structure of a WebP file before it is decoded.
//!
//! The decoder believes two claims that a file makes about itself, whatever limits it was given:
//! how long a chunk is, and how large a lossy frame is when the frame contradicts the header. A
//! hundred bytes could thus ask for gigabytes; so the claims are checked here first.

/// What is wrong with a WebP file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// A chunk claims more bytes than the file has.
    CutShort,
    /// A lossy frame claims more pixels than allowed.
    FrameTooLarge {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
}

/// `RIFF`, the length of the rest, `WEBP`.
const FILE_HEADER: usize = 12;
/// Position, size, duration and flags of one frame of an animation, before the frame's own chunks.
const FRAME_HEADER: usize = 16;

/// Checks every claim of a file that starts like a WebP file.
pub(super) fn check(file: &[u8], max_pixels: u64) -> Result<(), Flaw> {
    check_chunks(file.get(FILE_HEADER..).unwrap_or_default(), max_pixels, true)
}

fn check_chunks(mut rest: &[u8], max_pixels: u64, frames: bool) -> Result<(), Flaw> {
    // Fewer bytes than a chunk header at the end are harmless padding.
    while let Some((header, after)) = rest.split_first_chunk::<8>() {
        let [k0, k1, k2, k3, length @ ..] = *header;
        // Chunks are padded to an even length; the last one may have lost its padding.
        let length = u32::from_le_bytes(length) as usize;
        let body = after.get(..length).ok_or(Flaw::CutShort)?;
        match &[k0, k1, k2, k3] {
            b"VP8 " => check_lossy_frame(body, max_pixels)?,
            // Frames hold chunks but no frames, hence no deeper recursion.
            b"ANMF" if frames => {
                check_chunks(body.get(FRAME_HEADER..).unwrap_or_default(), max_pixels, false)?;
            }
            _ => {}
        }
        rest = after.get(length.saturating_add(length & 1)..).unwrap_or_default();
    }
    Ok(())
}

/// A lossy frame starts with a 3-byte tag and a 3-byte start code; then come 14 bits each of
/// width and height, with 2 bits of scale on top.
fn check_lossy_frame(body: &[u8], max_pixels: u64) -> Result<(), Flaw> {
    let Some(&[w0, w1, h0, h1]) = body.get(6..).and_then(|sizes| sizes.first_chunk::<4>()) else {
        return Err(Flaw::CutShort);
    };
    let width = u32::from(u16::from_le_bytes([w0, w1]) & 0x3fff);
    let height = u32::from(u16::from_le_bytes([h0, h1]) & 0x3fff);
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(Flaw::FrameTooLarge { width, height });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: &[u8], body: &[u8]) -> Vec<u8> {
        let mut bytes = kind.to_vec();
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        bytes
    }

    fn file(chunks: &[u8]) -> Vec<u8> {
        [b"RIFF\0\0\0\0WEBP", chunks].concat()
    }

    fn lossy(width: u16, height: u16) -> Vec<u8> {
        let sizes = [width.to_le_bytes(), height.to_le_bytes()].concat();
        chunk(b"VP8 ", &[&[0x30, 1, 0, 0x9d, 1, 0x2a][..], &sizes, &[0; 5]].concat())
    }

    #[test]
    fn modest_files_pass() {
        assert_eq!(check(&file(&lossy(100, 100)), 10_000), Ok(()));
        assert_eq!(check(&file(&[chunk(b"VP8L", &[1; 7]), lossy(1, 1)].concat()), 10), Ok(()));
        assert_eq!(check(b"RIFF", 10), Ok(()), "too short to hold any claim");
    }

    #[test]
    fn false_claims_are_found() {
        let flaw = Flaw::FrameTooLarge { width: 16_383, height: 16_000 };
        assert_eq!(check(&file(&lossy(16_383, 16_000)), 40_000_000), Err(flaw));
        let frame = chunk(b"ANMF", &[vec![0; 16], lossy(16_383, 16_000)].concat());
        assert_eq!(check(&file(&frame), 40_000_000), Err(flaw));
        let endless = [chunk(b"VP8L", &[0; 4]), b"EXIF\xf0\xff\xff\xff".to_vec()].concat();
        assert_eq!(check(&file(&endless), 40_000_000), Err(Flaw::CutShort));
        assert_eq!(check(&file(&chunk(b"VP8 ", &[0; 3])), 10), Err(Flaw::CutShort));
    }
}
