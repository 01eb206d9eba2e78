use image::{ImageBuffer, Luma, Pixel, Rgb, RgbImage, Rgba};

use super::*;

const RED: Rgb<u8> = Rgb([220, 30, 30]);
const BLUE: Rgb<u8> = Rgb([30, 30, 220]);

/// Red above, blue below.
fn two_colours(width: u32, height: u32) -> DynamicImage {
    let paint = |_, y| if y < height / 2 { RED } else { BLUE };
    DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, paint))
}

fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// Opens both files, checks their sizes, and returns the larger one.
fn opened(picture: &Picture) -> DynamicImage {
    let [large, small] = SIZES.map(|size| {
        let (name, bytes) =
            picture.files.iter().find(|(n, _)| *n == picture.name.file(size)).unwrap();
        let found = image::guess_format(bytes).unwrap();
        assert_eq!(found.extensions_str()[0], name.split_once('.').unwrap().1);
        let opened = image::load_from_memory(bytes).unwrap();
        assert_eq!((opened.width(), opened.height()), (size, size));
        opened
    });
    let middle = |i: &DynamicImage| i.to_rgb8().get_pixel(i.width() / 8, i.height() / 8).0;
    for (a, b) in middle(&large).into_iter().zip(middle(&small)) {
        assert!(a.abs_diff(b) < 30, "both files show the same");
    }
    large
}

fn extension(picture: &Picture) -> &str {
    picture.name.as_str().split_once('.').unwrap().1
}

#[track_caller]
fn assert_colour(picture: &DynamicImage, x: u32, y: u32, expected: Rgb<u8>) {
    let found = picture.to_rgb8().get_pixel(x, y).to_rgb();
    let close = found.0.iter().zip(expected.0).all(|(a, b)| a.abs_diff(b) < 30);
    assert!(close, "at {x},{y}: {found:?} instead of {expected:?}");
}

fn chunk(kind: &[u8], body: &[u8]) -> Vec<u8> {
    let crc = [kind, body].concat().iter().fold(u32::MAX, |crc, byte| {
        (0..8)
            .fold(crc ^ u32::from(*byte), |c, _| (c >> 1) ^ (0xedb8_8320 & (c & 1).wrapping_neg()))
    });
    [&(body.len() as u32).to_be_bytes()[..], kind, body, &(!crc).to_be_bytes()].concat()
}

/// A PNG that claims a size and holds next to nothing.
fn hollow_png(width: u32, height: u32) -> Vec<u8> {
    let sizes = [width.to_be_bytes(), height.to_be_bytes()].concat();
    let header = chunk(b"IHDR", &[&sizes[..], &[8, 6, 0, 0, 0]].concat());
    [&b"\x89PNG\r\n\x1a\n"[..], &header, &chunk(b"IDAT", &[0x78, 0x9c, 3, 0]), &chunk(b"IEND", &[])]
        .concat()
}

/// The picture with an EXIF block after the start marker: an orientation and a GPS position.
fn with_exif(jpeg: &[u8], orientation: u16) -> Vec<u8> {
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        let mut bytes = Vec::new();
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(value.to_le_bytes());
        bytes
    };
    let mut tiff = b"II\x2a\0\x08\0\0\0\x02\0".to_vec();
    tiff.extend(entry(0x0112, 3, 1, u32::from(orientation)));
    tiff.extend(entry(0x8825, 4, 1, 38)); // where the GPS block starts
    tiff.extend([0; 4]);
    tiff.extend(1_u16.to_le_bytes());
    tiff.extend(entry(0x0001, 2, 2, u32::from(b'N')));
    tiff.extend([0; 4]);
    tiff.extend(b"52.520008,13.404954");
    let body = [&b"Exif\0\0"[..], &tiff].concat();
    let length = (body.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &body, &jpeg[2..]].concat()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn each_accepted_format_is_recognised_by_its_content() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif] {
        let picture = process(&file(&two_colours(60, 40), format)).unwrap();
        assert_eq!(extension(&picture), "jpg", "opaque {format:?}");
        let large = opened(&picture);
        assert_colour(&large, 256, 100, RED);
        assert_colour(&large, 256, 400, BLUE);
    }
}

#[test]
fn other_files_are_refused() {
    let bmp = b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0";
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    for other in [&b""[..], b"\x89PN", b"%PDF-1.7", bmp, svg, b"<html>", &[0; 64]] {
        assert_eq!(process(other).unwrap_err(), PictureError::NotAPicture, "{other:?}");
    }
    let message = PictureError::NotAPicture.to_string();
    assert!(message.contains("PNG, JPEG, WebP or GIF"), "{message}");
    let large = vec![0; MAX_UPLOAD_BYTES + 1];
    let error = process(&large).unwrap_err();
    assert_eq!(error, PictureError::TooLarge { bytes: large.len() });
    assert!(error.to_string().contains("5 MiB"), "{error}");
}

#[test]
fn truncated_and_damaged_pictures_are_refused() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif] {
        let noise =
            |x: u32, y: u32| Rgb([x * 37 + y * 59, x * y * 13, x ^ (y * 7)].map(|c| c as u8));
        let whole = file(&DynamicImage::ImageRgb8(RgbImage::from_fn(90, 90, noise)), format);
        assert!(process(&whole).is_ok());
        for length in [12, 20, 40, whole.len() / 2, whole.len() * 9 / 10] {
            let error = process(&whole[..length]).expect_err(&format!("{format:?} {length}"));
            assert!(matches!(error, PictureError::Broken(_)), "{format:?} {length}: {error}");
            assert!(!error.to_string().contains("Error"), "{error}");
        }
    }
}

#[test]
fn a_camera_that_was_held_sideways_is_put_right() {
    let upright = file(&two_colours(64, 64), ImageFormat::Jpeg);
    // 6: turn clockwise by a quarter, so that what was above comes to the right.
    let sideways = with_exif(&upright, 6);
    assert!(contains(&sideways, b"Exif"));
    let picture = process(&sideways).unwrap();
    let large = opened(&picture);
    assert_colour(&large, 400, 256, RED);
    assert_colour(&large, 100, 256, BLUE);
    for (_, bytes) in &picture.files {
        assert!(!contains(bytes, b"Exif") && !contains(bytes, b"52.520008"), "nothing but pixels");
        assert!(!contains(bytes, &[0xff, 0xe1]), "no APP1 block");
    }
    // A nonsensical note is ignored.
    assert_colour(&opened(&process(&with_exif(&upright, 99)).unwrap()), 256, 100, RED);
}

#[test]
fn transparency_is_kept_and_does_not_bleed() {
    let mut pixels = RgbaImage::from_pixel(60, 60, Rgba([0, 0, 0, 0]));
    for (_, y, pixel) in pixels.enumerate_pixels_mut() {
        if y < 30 {
            *pixel = Rgba([250, 250, 250, 255]);
        }
    }
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
        let picture = process(&file(&DynamicImage::ImageRgba8(pixels.clone()), format)).unwrap();
        assert_eq!(extension(&picture), "png", "{format:?}");
        let large = opened(&picture).into_rgba8();
        assert_eq!(large.get_pixel(256, 500).0[3], 0);
        assert_eq!(large.get_pixel(256, 10).0[3], 255);
        assert!(large.pixels().all(|p| p.0[3] < 16 || p.0[0] > 230), "no dark fringe");
    }
    // An alpha channel that says nothing is no transparency.
    let opaque = DynamicImage::ImageRgba8(two_colours(9, 9).to_rgba8());
    assert_eq!(extension(&process(&file(&opaque, ImageFormat::Png)).unwrap()), "jpg");
}

#[test]
fn bombs_are_refused_by_their_claims() {
    for (width, height) in [(100_000, 100_000), (1, 8193), (8193, 1), (6400, 6400)] {
        let error = process(&hollow_png(width, height)).unwrap_err();
        assert_eq!(error, PictureError::TooManyPixels { width, height });
        assert!(error.to_string().contains(&format!("{width} × {height}")), "{error}");
    }
    let error = process(&hollow_png(0x7fff_ffff, 0x7fff_ffff)).unwrap_err();
    assert!(matches!(error, PictureError::Broken(_)), "{error}");
    // All there, and compressed a thousandfold.
    let flat = DynamicImage::new_luma8(8000, 8000);
    let bomb = file(&flat, ImageFormat::Png);
    assert!(bomb.len() < MAX_UPLOAD_BYTES);
    let error = process(&bomb).unwrap_err();
    assert_eq!(error, PictureError::TooManyPixels { width: 8000, height: 8000 });
    // Within the limit of pixels, but not within that of memory: 8 bytes each.
    let mut deep = hollow_png(6000, 6000);
    deep[24] = 16;
    let header = chunk(b"IHDR", &deep[16..29]);
    deep.splice(8..33, header);
    assert_eq!(process(&deep).unwrap_err(), MEMORY);
}

#[test]
fn the_same_picture_has_the_same_name() {
    let first = process(&file(&two_colours(50, 50), ImageFormat::Png)).unwrap();
    let again = process(&file(&two_colours(50, 50), ImageFormat::Png)).unwrap();
    let other = process(&file(&two_colours(50, 10), ImageFormat::Png)).unwrap();
    assert_eq!(first.name, again.name);
    assert_ne!(first.name, other.name);
    assert_eq!(AvatarName::parse(first.name.as_str()), Some(first.name));
}

#[test]
fn the_centre_is_kept() {
    let paint = |x, _| if (100..150).contains(&x) { RED } else { BLUE };
    let wide = DynamicImage::ImageRgb8(RgbImage::from_fn(250, 50, paint));
    let large = opened(&process(&file(&wide, ImageFormat::Png)).unwrap());
    for x in [2, 256, 509] {
        assert_colour(&large, x, 256, RED);
    }
}

#[test]
fn odd_sizes_and_depths_are_fine() {
    for (width, height) in [(1, 1), (1, 1000), (1000, 1), (513, 511), (2100, 2049)] {
        opened(&process(&file(&two_colours(width, height), ImageFormat::Png)).unwrap());
    }
    let grey = ImageBuffer::from_pixel(20, 20, Luma([100_u8]));
    let grey16 = ImageBuffer::from_pixel(20, 20, Luma([100_u16 << 8]));
    let colour16 = ImageBuffer::from_pixel(20, 20, Rgb([100_u16 << 8; 3]));
    for picture in [
        DynamicImage::ImageLuma8(grey),
        DynamicImage::ImageLuma16(grey16),
        DynamicImage::ImageRgb16(colour16),
    ] {
        let large = opened(&process(&file(&picture, ImageFormat::Png)).unwrap());
        assert_colour(&large, 256, 256, Rgb([100; 3]));
    }
    let faint = ImageBuffer::from_pixel(20, 20, Rgba([100_u16 << 8, 0, 0, 0x8000]));
    let picture = process(&file(&DynamicImage::ImageRgba16(faint), ImageFormat::Png)).unwrap();
    assert_eq!(extension(&picture), "png");
    assert_eq!(opened(&picture).to_rgba8().get_pixel(256, 256).0[3], 128);
}
