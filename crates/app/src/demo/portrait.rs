//! Portraits of the people of the demo: a few shapes each, from back to front.

use super::canvas::{Canvas, Colour, Point, ellipse, mix};

/// What is on somebody's head; the colour is that of the hair unless it says otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hair {
    Short,
    Bob,
    Long,
    Bun,
    Curls,
    /// A flat cap of that colour over short hair.
    Cap(Colour),
    /// A baker's hat of that colour over short hair.
    BakerHat(Colour),
    /// A knitted cap of that colour, with a tuft of hair below.
    Beanie(Colour),
    /// A kerchief of that colour over braids.
    Kerchief(Colour),
}

/// What else there is in a face.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feature {
    Glasses,
    Beard,
    Moustache,
    Freckles,
    Earrings,
}

/// Everything that makes a portrait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// The background, from top to bottom.
    pub(super) sky: [Colour; 2],
    /// A large disc behind the head.
    pub(super) sun: Colour,
    pub(super) skin: Colour,
    pub(super) hair: Hair,
    pub(super) hair_colour: Colour,
    pub(super) clothes: Colour,
    pub(super) features: &'static [Feature],
}

/// Draws a portrait as a PNG file of 512 × 512 pixels.
pub(super) fn draw(look: &Look) -> Vec<u8> {
    let mut canvas = Canvas::gradient(look.sky);
    canvas.disc((64.0, 36.0), (38.0, 38.0), look.sun, 0.55);
    canvas.hair_behind(look);
    canvas.body(look);
    canvas.face(look);
    canvas.hair_in_front(look);
    if look.features.contains(&Feature::Glasses) {
        canvas.glasses();
    }
    canvas.into_png()
}

impl Canvas {
    fn hair_behind(&mut self, look: &Look) {
        let colour = look.hair_colour;
        let shade = mix(colour, 0, 0.18);
        match look.hair {
            Hair::Bob => self.dome((50.0, 46.0), (25.5, 27.0), 66.0, shade),
            Hair::Long => {
                self.disc((50.0, 44.0), (25.0, 26.0), shade, 1.0);
                for side in [-1.0, 1.0] {
                    self.disc((50.0 + 17.0 * side, 64.0), (11.0, 27.0), shade, 1.0);
                }
            }
            Hair::Bun => self.disc((50.0, 17.0), (10.0, 9.5), shade, 1.0),
            Hair::Curls => {
                for step in 0..13_u8 {
                    let angle = (170.0 + f32::from(step) * 200.0 / 12.0).to_radians();
                    let centre = (50.0 + 21.0 * angle.cos(), 42.0 + 20.5 * angle.sin());
                    self.disc(centre, (8.6, 8.6), if step % 2 == 0 { colour } else { shade }, 1.0);
                }
            }
            Hair::Kerchief(_) => {
                for side in [-1.0, 1.0] {
                    for (row, y) in [50.0, 58.0, 66.0, 74.0].into_iter().enumerate() {
                        let lean = 19.0 + row as f32 * 1.2;
                        let tone = if row % 2 == 0 { colour } else { shade };
                        self.disc((50.0 + lean * side, y), (5.5, 6.0), tone, 1.0);
                    }
                }
            }
            Hair::Short | Hair::Cap(_) | Hair::BakerHat(_) | Hair::Beanie(_) => {}
        }
    }

    fn body(&mut self, look: &Look) {
        let shadow = mix(look.skin, 0x8a_30_18, 0.24);
        self.disc((50.0, 107.0), (38.0, 31.0), look.clothes, 1.0);
        self.disc((50.0, 78.0), (12.5, 8.0), mix(look.clothes, 0, 0.2), 1.0);
        self.stroke((50.0, 60.0), (50.0, 74.0), 15.0, shadow);
        self.disc((50.0, 77.0), (9.8, 5.5), shadow, 1.0);
        if !matches!(look.hair, Hair::Bob | Hair::Long) {
            for x in [31.5, 68.5] {
                self.disc((x, 48.0), (3.6, 5.0), shadow, 1.0);
            }
        }
        if look.features.contains(&Feature::Earrings) {
            for x in [30.8, 69.2] {
                self.disc((x, 55.5), (2.3, 2.8), 0xff_d1_5c, 1.0);
            }
        }
        self.disc((50.0, 45.5), (18.8, 22.0), look.skin, 1.0);
    }

    fn face(&mut self, look: &Look) {
        const DARK: Colour = 0x33_24_2b;
        let shadow = mix(look.skin, 0x8a_30_18, 0.4);
        for x in [39.0, 61.0] {
            self.disc((x, 54.0), (4.6, 3.2), 0xff_6b_5e, 0.28);
        }
        if look.features.contains(&Feature::Freckles) {
            for (x, y) in [(39.0, 51.5), (36.8, 53.6), (41.2, 53.8)] {
                self.disc((x, y), (0.75, 0.75), 0xb8_64_3c, 0.8);
                self.disc((100.0 - x, y), (0.75, 0.75), 0xb8_64_3c, 0.8);
            }
        }
        if look.features.contains(&Feature::Beard) {
            let (jaw, cheeks) = ((50.0, 51.5), (50.0, 46.5));
            self.paint(jaw, (19.6, 20.0), look.hair_colour, 1.0, |p| {
                let inside = ellipse(p, jaw, (19.4, 19.6));
                inside.max(-ellipse(p, cheeks, (15.5, 11.0))).max(46.0 - p.1)
            });
            self.disc((50.0, 59.6), (6.4, 3.4), look.skin, 1.0);
        }
        for x in [42.5, 57.5] {
            self.disc((x, 47.0), (2.3, 2.7), DARK, 1.0);
            self.disc((x + 0.8, 46.0), (0.8, 0.8), 0xff_ff_ff, 0.9);
            let brow = mix(look.hair_colour, DARK, 0.35);
            self.stroke((x - 3.2, 41.6), (x + 3.2, 41.2), 1.5, brow);
        }
        self.stroke((50.0, 49.0), (50.4, 52.4), 1.7, shadow);
        // The smile: the lower part of a ring.
        let mouth = (50.0, 54.6);
        self.paint(mouth, (8.0, 8.0), mix(0x8c_2f_2f, look.skin, 0.12), 1.0, |p| {
            (ellipse(p, mouth, (6.0, 5.4)).abs() - 0.8).max(56.8 - p.1)
        });
        if look.features.contains(&Feature::Moustache) {
            for side in [-1.0, 1.0] {
                let (inner, outer) = ((50.0 + side, 55.4), (50.0 + 7.5 * side, 56.6));
                self.stroke(inner, outer, 3.2, look.hair_colour);
            }
        }
    }

    /// Hair over the forehead and temples: a cap with the face cut out of it.
    fn crown(&mut self, colour: Colour, face: Point, face_radii: Point) {
        let (centre, radii) = ((50.0, 42.0), (21.2, 22.4));
        self.paint(centre, radii, colour, 1.0, |p| {
            ellipse(p, centre, radii).max(-ellipse(p, face, face_radii)).max(p.1 - 51.0)
        });
    }

    fn hair_in_front(&mut self, look: &Look) {
        let colour = look.hair_colour;
        match look.hair {
            Hair::Short => self.crown(colour, (52.0, 55.0), (17.8, 21.5)),
            Hair::Bun => self.crown(colour, (50.0, 55.5), (17.6, 22.5)),
            Hair::Curls => self.crown(colour, (50.0, 54.0), (18.0, 20.0)),
            Hair::Long => self.crown(colour, (57.0, 55.0), (23.5, 24.5)),
            Hair::Bob => {
                self.crown(colour, (50.0, 58.0), (16.8, 22.0));
                self.stroke((37.0, 35.5), (63.0, 35.5), 5.5, colour);
            }
            Hair::Cap(cap) => {
                self.crown(colour, (50.0, 55.0), (17.6, 20.0));
                self.dome((50.0, 34.0), (23.0, 15.0), 34.0, cap);
                self.stroke((30.0, 34.0), (70.0, 34.0), 4.4, mix(cap, 0, 0.35));
                self.disc((50.0, 28.0), (3.0, 3.0), 0xf2_c1_4e, 1.0);
            }
            Hair::BakerHat(hat) => {
                self.crown(colour, (50.0, 55.0), (18.0, 20.0));
                for (x, y) in [(37.0, 18.0), (63.0, 18.0), (50.0, 13.5)] {
                    self.disc((x, y), (12.0, 11.0), hat, 1.0);
                }
                self.stroke((36.0, 28.0), (64.0, 28.0), 9.0, mix(hat, 0x8a_7a_60, 0.18));
            }
            Hair::Beanie(wool) => {
                self.crown(colour, (50.0, 56.0), (17.4, 20.0));
                self.stroke((41.0, 36.0), (55.0, 38.0), 5.0, colour);
                self.dome((50.0, 33.0), (21.0, 20.5), 34.0, wool);
                self.stroke((31.5, 33.0), (68.5, 33.0), 7.0, mix(wool, 0, 0.16));
                self.disc((50.0, 12.0), (5.4, 5.4), mix(wool, 0xff_ff_ff, 0.5), 1.0);
            }
            Hair::Kerchief(cloth) => {
                self.crown(colour, (50.0, 55.0), (18.4, 20.5));
                let face = (50.0, 53.5);
                self.paint((50.0, 38.0), (22.5, 20.5), cloth, 1.0, |p| {
                    ellipse(p, (50.0, 39.0), (22.0, 20.5)).max(-ellipse(p, face, (22.5, 21.0)))
                });
                for (x, y) in [(38.0, 27.5), (46.0, 23.5), (54.5, 25.5), (62.5, 28.5)] {
                    self.disc((x, y), (1.5, 1.5), 0xff_ff_ff, 0.9);
                }
            }
        }
    }

    fn glasses(&mut self) {
        const FRAME: Colour = 0x2b_2d_42;
        for x in [42.2, 57.8] {
            self.disc((x, 47.2), (6.0, 6.0), 0xff_ff_ff, 0.16);
            self.paint((x, 47.2), (8.0, 8.0), FRAME, 1.0, |p| {
                ellipse(p, (x, 47.2), (6.2, 6.2)).abs() - 0.65
            });
        }
        self.stroke((48.4, 46.6), (51.6, 46.6), 1.3, FRAME);
    }
}
