//! `_sqlx_migrations`: a row for each migration with version, name, checksum and time. On MySQL the
//! row is written before the statements run, with `success = 0` until they are over.

use super::checksums::Checksum;
use super::matching::{Key, Record, Recorded, micros};
use super::rows::Row;

pub(super) fn recorded(rows: Vec<Row>) -> Recorded {
    Recorded { records: rows.into_iter().map(record).collect(), ..Recorded::default() }
}

fn record(row: Row) -> Record {
    let version = row.version.unwrap_or_default();
    let name = row.name.unwrap_or_default();
    Record {
        shown: format!("{version} ({name})"),
        key: Key::of_digits(&version),
        name: Some(name),
        applied_at: micros(row.recorded_at),
        failed: row.success != Some(1),
        checksum: row.checksum.map_or(Checksum::None, Checksum::Sha384),
    }
}
