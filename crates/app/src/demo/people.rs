//! Who lives in the demo.

use super::portrait::{Feature, Hair, Look};

/// A person before the portrait is drawn.
pub(super) struct Sketch {
    pub(super) username: &'static str,
    pub(super) email: &'static str,
    pub(super) look: Look,
}

/// Whom a username belongs to, as an index into [`PEOPLE`].
pub(super) fn index_of(username: &str) -> Option<usize> {
    PEOPLE.iter().position(|person| person.username == username)
}

/// The first one is whom visitors sign in as.
pub(super) const PEOPLE: [Sketch; 12] = [
    // Writes programs; new on the row.
    Sketch {
        username: "ada",
        email: super::SIGN_IN_EMAIL,
        look: Look {
            sky: [0xff_d9_c0, 0xff_b3_8a],
            sun: 0xff_ee_dd,
            skin: 0xc6_86_5c,
            hair: Hair::Curls,
            hair_colour: 0x3a_24_1f,
            clothes: 0x1f_8a_8a,
            features: &[Feature::Glasses],
        },
    },
    // Kept the lock and the ferry running; retired; announces the weather.
    Sketch {
        username: "bengt",
        email: "bengt@graphbook.example",
        look: Look {
            sky: [0x9f_c3_d9, 0x5d_8a_a8],
            sun: 0xd6_e8_f2,
            skin: 0xf0_c3_a4,
            hair: Hair::Cap(0x22_38_5c),
            hair_colour: 0xe9_e6_e0,
            clothes: 0x2f_4b_7c,
            features: &[Feature::Beard],
        },
    },
    // Illustrates children's books; lives with Pickle the cat.
    Sketch {
        username: "zoë",
        email: "zoe@graphbook.example",
        look: Look {
            sky: [0xc9_f0_dc, 0x7f_cf_b0],
            sun: 0xf0_ff_f6,
            skin: 0xfa_d7_c0,
            hair: Hair::Bob,
            hair_colour: 0xd2_55_2f,
            clothes: 0xf0_b4_29,
            features: &[Feature::Freckles],
        },
    },
    // Bakes.
    Sketch {
        username: "kofi",
        email: "kofi@graphbook.example",
        look: Look {
            sky: [0xff_e2_8a, 0xf5_b8_3d],
            sun: 0xff_f4_cc,
            skin: 0x7a_4a_33,
            hair: Hair::BakerHat(0xff_fc_f5),
            hair_colour: 0x22_18_17,
            clothes: 0xf5_f1_e8,
            features: &[],
        },
    },
    // Teaches maths; collects board games.
    Sketch {
        username: "priya",
        email: "priya@graphbook.example",
        look: Look {
            sky: [0xdc_c9_f5, 0xa9_86_dd],
            sun: 0xf3_ea_ff,
            skin: 0xb8_7a_50,
            hair: Hair::Long,
            hair_colour: 0x1f_1a_20,
            clothes: 0xd9_3a_7c,
            features: &[Feature::Earrings],
        },
    },
    // Repairs bicycles.
    Sketch {
        username: "lukas_k",
        email: "lukas@graphbook.example",
        look: Look {
            sky: [0xd3_ec_ff, 0x8f_c8_f0],
            sun: 0xff_ff_ff,
            skin: 0xf5_c9_a8,
            hair: Hair::Short,
            hair_colour: 0xd9_a4_4a,
            clothes: 0x3c_8a_4a,
            features: &[Feature::Moustache],
        },
    },
    // Nurse, mostly at night; cooks.
    Sketch {
        username: "inés",
        email: "ines@graphbook.example",
        look: Look {
            sky: [0xff_b8_a8, 0xf0_7a_72],
            sun: 0xff_de_d4,
            skin: 0xe0_a8_7c,
            hair: Hair::Bun,
            hair_colour: 0x4a_2c_20,
            clothes: 0x3f_b8_af,
            features: &[Feature::Earrings],
        },
    },
    // Photographs.
    Sketch {
        username: "yuki-t",
        email: "yuki@graphbook.example",
        look: Look {
            sky: [0x2c_31_5e, 0x5b_5f_97],
            sun: 0xf6_e7_b4,
            skin: 0xf8_d9_bd,
            hair: Hair::Bob,
            hair_colour: 0x1c_1a_24,
            clothes: 0xe8_e6_f0,
            features: &[],
        },
    },
    // Keeps the tea house; plays the oud.
    Sketch {
        username: "omar.h",
        email: "omar@graphbook.example",
        look: Look {
            sky: [0xf2_dc_b3, 0xd9_a8_66],
            sun: 0xff_f3_d9,
            skin: 0xd0_96_68,
            hair: Hair::Short,
            hair_colour: 0x2a_24_26,
            clothes: 0x8c_2f_3f,
            features: &[Feature::Beard],
        },
    },
    // Keeps bees and the community garden.
    Sketch {
        username: "мила",
        email: "mila@graphbook.example",
        look: Look {
            sky: [0xd8_ec_a8, 0x8f_bf_5a],
            sun: 0xf6_ff_d6,
            skin: 0xf9_d3_b6,
            hair: Hair::Kerchief(0xd8_3a_3a),
            hair_colour: 0xe3_b8_5e,
            clothes: 0x4a_6f_a5,
            features: &[],
        },
    },
    // Conducts the choir; plays the cello; makes puns.
    Sketch {
        username: "chiara",
        email: "chiara@graphbook.example",
        look: Look {
            sky: [0x8f_a8_ff, 0x5a_6c_e0],
            sun: 0xc4_d0_ff,
            skin: 0xef_c0_98,
            hair: Hair::Long,
            hair_colour: 0x7a_34_20,
            clothes: 0x23_23_36,
            features: &[],
        },
    },
    // Studies computer science, under the roof of the tea house.
    Sketch {
        username: "sam-w",
        email: "sam@graphbook.example",
        look: Look {
            sky: [0x5a_4a_6e, 0x8a_6a_9a],
            sun: 0xb8_9a_c4,
            skin: 0xe3_b0_8a,
            hair: Hair::Beanie(0x4f_d0_a8),
            hair_colour: 0x5a_3a_28,
            clothes: 0xff_8a_5c,
            features: &[Feature::Glasses],
        },
    },
];
