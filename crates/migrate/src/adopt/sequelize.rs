//! `SequelizeMeta`: the names of the files, `20210101000000-create-user.js`. Ours is the SQL that
//! does the same, with the same digits in front.

use super::checksums::Checksum;
use super::matching::{Key, Record, Recorded};
use super::rows::Row;

pub(super) fn recorded(rows: Vec<Row>) -> Recorded {
    let records = rows.into_iter().map(|row| record(row.name.unwrap_or_default()));
    Recorded { records: records.collect(), ..Recorded::default() }
}

fn record(file: String) -> Record {
    let after_digits = file.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let (digits, rest) = file.split_at(file.len() - after_digits.len());
    let name = rest.split_once('.').map_or(rest, |(name, _)| name);
    Record {
        key: Key::of_digits(digits),
        name: Some(name.to_owned()),
        applied_at: None,
        failed: false,
        checksum: Checksum::None,
        shown: file,
    }
}
