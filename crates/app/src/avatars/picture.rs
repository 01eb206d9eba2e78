//! From uploaded bytes to the two files of a profile picture. Pure: no I/O.

use std::{
    fmt::{self, Write},
    io::Cursor,
};

use bytes::Bytes;
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbaImage,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
    error::ImageResult,
    imageops::FilterType,
    metadata::Orientation,
};
use sha2::{Digest, Sha256};

use super::{AvatarName, Encoding, HEX_DIGITS, MAX_UPLOAD_BYTES, SIZES, jpeg, webp};

/// The longest side of a picture that is decoded, in pixels.
const MAX_SIDE: u32 = 8192;
/// The most pixels of a picture that is decoded.
const MAX_PIXELS: u64 = 40_000_000;
/// The most memory that one decoder may ask for, in bytes, its output included.
const MAX_DECODER_BYTES: u64 = 192 * 1024 * 1024;
/// Of 100: beyond this, files grow faster than pictures improve.
const JPEG_QUALITY: u8 = 85;
/// Squares larger than this, in pixels a side, are first brought down to half of it by averaging:
/// as good for such a reduction, and several times faster than the better filter.
const AVERAGE_FROM: u32 = 2048;

/// A processed picture.
#[derive(Clone)]
pub struct Picture {
    /// What `users.avatar` stores.
    pub name: AvatarName,
    /// File name and content for each of the [`SIZES`].
    pub files: [(String, Bytes); 2],
}

impl fmt::Debug for Picture {
    /// Without the content, which nobody wants in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picture").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why an upload can't become a profile picture: written for the person who uploaded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// More bytes than [`MAX_UPLOAD_BYTES`].
    #[error(
        "This picture is larger than {} MiB. Save it smaller or with a lower quality and try again.",
        MAX_UPLOAD_BYTES / (1024 * 1024)
    )]
    TooLarge {
        /// The size of the upload in bytes, or of as much of it as was read.
        bytes: usize,
    },
    /// The content is in none of the accepted formats, whatever the file is called.
    #[error(
        "This file is not a picture that can be used here. Choose a PNG, JPEG, WebP or GIF file."
    )]
    NotAPicture,
    /// More pixels than are decoded.
    #[error(
        "This picture measures {width} × {height} pixels, which is too many. Make it smaller: at \
         most {MAX_SIDE} pixels a side and {} megapixels in all.",
        MAX_PIXELS / 1_000_000
    )]
    TooManyPixels {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// It starts like a picture but can't be read as one; in plain words why.
    #[error("This picture can't be read: {0}. Save it again as PNG or JPEG and try that file.")]
    Broken(&'static str),
}

pub(super) const DAMAGED: PictureError = PictureError::Broken("it is damaged or cut short");
const EMPTY: PictureError = PictureError::Broken("it has no pixels");
const MEMORY: PictureError = PictureError::Broken("it takes too much memory to open");
const VARIANT: PictureError = PictureError::Broken("it uses a rare variant of its format");

/// Decodes, orients, squares and re-encodes a picture into both [`SIZES`].
///
/// The format is recognised by the content. Everything but the pixels (place, camera, comments) is
/// left behind; the orientation that a camera noted is applied first. Of an animation the first
/// frame is taken. Opaque pictures become JPEG, others PNG.
///
/// CPU-bound (up to a second for the largest pictures): call it off the async threads.
pub fn process(upload: &[u8]) -> Result<Picture, PictureError> {
    let (picture, orientation) = decode(upload)?;
    let mut large = square(picture);
    // Turning the small square is cheap, and turning it before or after squaring is the same.
    large.apply_orientation(orientation);
    encode(&large).map_err(|error| plain(&error))
}

/// Decodes within the limits: what a file claims is checked before anything is allocated for it.
fn decode(upload: &[u8]) -> Result<(DynamicImage, Orientation), PictureError> {
    if upload.len() > MAX_UPLOAD_BYTES {
        return Err(PictureError::TooLarge { bytes: upload.len() });
    }
    let format = image::guess_format(upload).map_err(|_| PictureError::NotAPicture)?;
    let mut progressive = false;
    match format {
        ImageFormat::Png | ImageFormat::Gif => {}
        ImageFormat::Jpeg => progressive = jpeg::outline(upload).ok_or(DAMAGED)?.progressive,
        ImageFormat::WebP => webp::check(upload, MAX_PIXELS).map_err(|flaw| match flaw {
            webp::Flaw::CutShort => DAMAGED,
            webp::Flaw::FrameTooLarge { width, height } => {
                PictureError::TooManyPixels { width, height }
            }
        })?,
        _ => return Err(PictureError::NotAPicture),
    }

    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(upload), format);
    // Sides are not limited here, so that the error below can name them.
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(|error| plain(&error))?;

    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(EMPTY);
    }
    let pixels = u64::from(width) * u64::from(height);
    if width > MAX_SIDE || height > MAX_SIDE || pixels > MAX_PIXELS {
        return Err(PictureError::TooManyPixels { width, height });
    }
    // `from_decoder` allocates its output without looking at the limits; so they are applied here.
    limits.reserve(decoder.total_bytes()).map_err(|_| MEMORY)?;
    if progressive {
        // One 16-bit coefficient for each byte of the output, which the decoder does not count.
        limits.reserve(decoder.total_bytes().saturating_mul(2)).map_err(|_| MEMORY)?;
    }
    // A camera's note that can't be read is no reason to refuse the picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    decoder.set_limits(limits).map_err(|error| plain(&error))?;
    let picture = DynamicImage::from_decoder(decoder).map_err(|error| plain(&error))?;
    Ok((picture, orientation))
}

/// The centre square, brought to the larger of the [`SIZES`] with 8 bits a channel.
fn square(picture: DynamicImage) -> DynamicImage {
    let (width, height) = (picture.width(), picture.height());
    let side = width.min(height);
    let mut picture = if width == height {
        picture
    } else {
        picture.crop_imm((width - side) / 2, (height - side) / 2, side, side)
    };
    let see_through = picture.color().has_alpha();
    if see_through {
        let mut pixels = picture.into_rgba8();
        premultiply(&mut pixels);
        picture = DynamicImage::ImageRgba8(pixels);
    }
    if side > AVERAGE_FROM {
        picture = picture.thumbnail_exact(AVERAGE_FROM / 2, AVERAGE_FROM / 2);
    }
    let [large, _] = SIZES;
    let picture = picture.resize_exact(large, large, FilterType::Lanczos3);
    if see_through {
        let mut pixels = picture.into_rgba8();
        unpremultiply(&mut pixels);
        DynamicImage::ImageRgba8(pixels)
    } else {
        DynamicImage::ImageRgb8(picture.into_rgb8())
    }
}

/// Weighs colours by opacity: otherwise the invisible colour of transparent pixels (often black)
/// would bleed into the edges when neighbours are mixed.
fn premultiply(pixels: &mut RgbaImage) {
    for pixel in pixels.pixels_mut() {
        let [r, g, b, a] = pixel.0;
        if a != u8::MAX {
            let weigh = |c: u8| ((u16::from(c) * u16::from(a) + 127) / 255) as u8;
            pixel.0 = [weigh(r), weigh(g), weigh(b), a];
        }
    }
}

fn unpremultiply(pixels: &mut RgbaImage) {
    for pixel in pixels.pixels_mut() {
        let [r, g, b, a] = pixel.0;
        if a != u8::MAX {
            let alpha = u16::from(a.max(1));
            let restore = |c: u8| ((u16::from(c) * 255 + alpha / 2) / alpha).min(255) as u8;
            pixel.0 = [restore(r), restore(g), restore(b), a];
        }
    }
}

fn encode(large: &DynamicImage) -> ImageResult<Picture> {
    let opaque = large.as_rgba8().is_none_or(|rgba| rgba.pixels().all(|p| p.0[3] == u8::MAX));
    let encoding = if opaque { Encoding::Jpeg } else { Encoding::Png };
    let write = |picture: &DynamicImage| -> ImageResult<Bytes> {
        let mut file = Vec::new();
        match encoding {
            Encoding::Jpeg => DynamicImage::ImageRgb8(picture.to_rgb8())
                .write_with_encoder(JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY))?,
            Encoding::Png => picture.write_with_encoder(PngEncoder::new(&mut file))?,
        }
        Ok(file.into())
    };
    let [large_side, small_side] = SIZES;
    let large_file = write(large)?;
    let small_file = write(&large.resize_exact(small_side, small_side, FilterType::Lanczos3))?;

    let hash = Sha256::digest(&large_file);
    let hex = hash.iter().take(HEX_DIGITS / 2).fold(String::new(), |mut hex, byte| {
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let name = AvatarName::new(&hex, encoding);
    let files = [(name.file(large_side), large_file), (name.file(small_side), small_file)];
    Ok(Picture { name, files })
}

/// The library's errors in the words of the person who uploaded the picture.
fn plain(error: &ImageError) -> PictureError {
    match error {
        ImageError::Limits(_) => MEMORY,
        ImageError::Unsupported(_) => VARIANT,
        _ => DAMAGED,
    }
}

#[cfg(test)]
#[path = "picture_tests.rs"]
mod tests;
