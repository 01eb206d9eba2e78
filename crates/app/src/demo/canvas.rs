//! A canvas for flat shapes with smooth edges, in a square of 100 × 100 units.
//!
//! Shapes are signed distances (negative inside). Each is painted block by block within its box:
//! the portraits are drawn at the first start of a debug build, where every pixel counts.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// The side of the finished portrait in pixels.
const SIDE: u32 = 512;
/// The side in pixels of the blocks that are skipped or filled as a whole where possible.
const BLOCK: u32 = 8;
/// Pixels drawn per unit.
const SCALE: f32 = SIDE as f32 / 100.0;

/// A colour as 0xRRGGBB.
pub(super) type Colour = u32;
/// A place, or two radii, in units.
pub(super) type Point = (f32, f32);

/// The distance from the edge of an ellipse: good enough near the edge, where it matters.
pub(super) fn ellipse(p: Point, centre: Point, radii: Point) -> f32 {
    let (x, y) = ((p.0 - centre.0) / radii.0, (p.1 - centre.1) / radii.1);
    (x.hypot(y) - 1.0) * radii.0.min(radii.1)
}

/// The distance from a line with round ends.
fn line(p: Point, from: Point, to: Point, thickness: f32) -> f32 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (px, py) = (p.0 - from.0, p.1 - from.1);
    let along = ((px * dx + py * dy) / (dx * dx + dy * dy).max(f32::EPSILON)).clamp(0.0, 1.0);
    (px - dx * along).hypot(py - dy * along) - thickness / 2.0
}

fn channels(colour: Colour) -> [f32; 3] {
    let [_, r, g, b] = colour.to_be_bytes();
    [r, g, b].map(f32::from)
}

pub(super) fn mix(a: Colour, b: Colour, share_of_b: f32) -> Colour {
    let ([ar, ag, ab], [br, bg, bb]) = (channels(a), channels(b));
    let blend = |a: f32, b: f32| (a + (b - a) * share_of_b) as u8;
    u32::from_be_bytes([0, blend(ar, br), blend(ag, bg), blend(ab, bb)])
}

pub(super) struct Canvas(RgbImage);

impl Canvas {
    pub(super) fn gradient([top, bottom]: [Colour; 2]) -> Self {
        let mut pixels = RgbImage::new(SIDE, SIDE);
        for (y, row) in pixels.rows_mut().enumerate() {
            let [_, r, g, b] = mix(top, bottom, y as f32 / SIDE as f32).to_be_bytes();
            row.for_each(|pixel| *pixel = Rgb([r, g, b]));
        }
        Self(pixels)
    }

    /// Paints a shape within a box of a centre and half its width and height.
    pub(super) fn paint(
        &mut self,
        centre: Point,
        reach: Point,
        colour: Colour,
        opacity: f32,
        shape: impl Fn(Point) -> f32,
    ) {
        let range = |centre: f32, reach: f32| {
            let pixel = |units: f32| (units * SCALE).clamp(0.0, SIDE as f32) as u32;
            pixel(centre - reach - 1.0)..pixel(centre + reach + 1.0)
        };
        let (columns, rows) = (range(centre.0, reach.0), range(centre.1, reach.1));
        // In pixels, at the middle of a square of pixels that starts there.
        let distance = |x: u32, y: u32, side: u32| {
            let middle = |at: u32| (at as f32 + side as f32 / 2.0) / SCALE;
            shape((middle(x), middle(y))) * SCALE
        };
        let new = channels(colour);
        for top in rows.clone().step_by(BLOCK as usize) {
            for left in columns.clone().step_by(BLOCK as usize) {
                // No distance grows faster than the way: a block whose middle is far from the
                // edge is all outside or all inside.
                let middle = distance(left, top, BLOCK);
                if middle > BLOCK as f32 {
                    continue;
                }
                let inside = middle < -(BLOCK as f32);
                for y in top..(top + BLOCK).min(rows.end) {
                    for x in left..(left + BLOCK).min(columns.end) {
                        // Edges fade over one pixel.
                        let cover =
                            if inside { 1.0 } else { (0.5 - distance(x, y, 1)).clamp(0.0, 1.0) };
                        if cover > 0.0 {
                            self.blend(x, y, new, cover * opacity);
                        }
                    }
                }
            }
        }
    }

    fn blend(&mut self, x: u32, y: u32, new: [f32; 3], share: f32) {
        let Some(Rgb(pixel)) = self.0.get_pixel_mut_checked(x, y) else { return };
        // Most pixels are simply covered.
        if share >= 1.0 {
            *pixel = new.map(|channel| channel as u8);
            return;
        }
        for (old, new) in pixel.iter_mut().zip(new) {
            *old = (f32::from(*old) + (new - f32::from(*old)) * share) as u8;
        }
    }

    pub(super) fn disc(&mut self, centre: Point, radii: Point, colour: Colour, opacity: f32) {
        self.paint(centre, radii, colour, opacity, |p| ellipse(p, centre, radii));
    }

    pub(super) fn stroke(&mut self, from: Point, to: Point, thickness: f32, colour: Colour) {
        let centre = (f32::midpoint(from.0, to.0), f32::midpoint(from.1, to.1));
        let reach = ((from.0 - to.0).abs() / 2.0, (from.1 - to.1).abs() / 2.0);
        let reach = (reach.0 + thickness, reach.1 + thickness);
        self.paint(centre, reach, colour, 1.0, |p| line(p, from, to, thickness));
    }

    /// The part of an ellipse above a height.
    pub(super) fn dome(&mut self, centre: Point, radii: Point, floor: f32, colour: Colour) {
        self.paint(centre, radii, colour, 1.0, |p| ellipse(p, centre, radii).max(p.1 - floor));
    }

    /// The canvas as a PNG file.
    pub(super) fn into_png(self) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        // Writing to memory can't fail; an empty portrait would be noticed by the tests.
        let _ = DynamicImage::ImageRgb8(self.0).write_to(&mut file, ImageFormat::Png);
        file.into_inner()
    }
}
