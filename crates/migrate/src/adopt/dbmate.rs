//! dbmate's `schema_migrations`: the digits that a file's name begins with, and nothing else.

use super::checksums::Checksum;
use super::matching::{Key, Record, Recorded};
use super::rows::Row;

pub(super) fn recorded(rows: Vec<Row>) -> Recorded {
    Recorded { records: rows.into_iter().map(record).collect(), ..Recorded::default() }
}

fn record(row: Row) -> Record {
    let version = row.version.unwrap_or_default();
    Record {
        key: Key::of_digits(&version),
        shown: version,
        name: None,
        applied_at: None,
        failed: false,
        checksum: Checksum::None,
    }
}
