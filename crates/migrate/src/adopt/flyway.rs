//! `flyway_schema_history`: a row for whatever Flyway did, in the order it did it. What counts for a
//! version is its last row: undone and deleted ones are not applied.
//!
//! A version such as `1.2.3` has no place among whole numbers. If any is of that kind, the files
//! were numbered anew, and every record is matched by its name.

use std::collections::BTreeMap;

use super::checksums::Checksum;
use super::findings::{Note, Problem};
use super::matching::{Baseline, Key, Record, Recorded, micros};
use super::rows::Row;

/// `1.2.3` in parts, which order as Flyway orders them.
type Version = Vec<u64>;

pub(super) fn recorded(rows: Vec<Row>) -> Recorded {
    let mut recorded = Recorded::default();
    let mut versions: BTreeMap<Version, Row> = BTreeMap::new();
    let mut repeatables: BTreeMap<String, Row> = BTreeMap::new();
    let mut baseline: Option<(Version, Row)> = None;
    for row in rows {
        let kind = row.kind.clone().unwrap_or_default();
        if kind == "SCHEMA" {
            // Flyway made the database itself.
            continue;
        }
        let Some(text) = &row.version else {
            repeatables.insert(row.name.clone().unwrap_or_default(), row);
            continue;
        };
        let Some(version) = parse(text) else {
            recorded.records.push(record(row, Key::Nothing("its version is not made of numbers")));
            continue;
        };
        let succeeded = row.success == Some(1);
        if kind.contains("BASELINE") && succeeded {
            baseline = Some((version, row));
        } else if kind.starts_with("UNDO_") && succeeded || kind == "DELETE" {
            versions.remove(&version);
        } else {
            versions.insert(version, row);
        }
    }

    let whole = |version: &Version| matches!(version.as_slice(), [_]);
    let all_whole = versions.keys().all(whole);
    if let Some((version, row)) = baseline {
        match version.as_slice() {
            [version] if all_whole && i64::try_from(*version).is_ok() => {
                let applied_at = micros(row.recorded_at);
                recorded.baseline = Some(Baseline { version: *version as i64, applied_at });
            }
            _ => recorded.problems.push(Problem::Baseline { record: shown(&row) }),
        }
    }
    for (version, row) in versions {
        let key = match version.as_slice() {
            [number] if all_whole => Key::of_digits(&number.to_string()),
            _ => Key::Name,
        };
        recorded.records.push(record(row, key));
    }
    for row in repeatables.into_values() {
        if row.kind.as_deref() == Some("DELETE") {
            continue;
        }
        let record = shown(&row);
        if row.success == Some(1) {
            recorded.notes.push(Note::Repeatable { record });
        } else {
            recorded.problems.push(Problem::Failed { record });
        }
    }
    recorded
}

/// Trailing zeros mean nothing: `1.0` is `1`.
fn parse(text: &str) -> Option<Version> {
    let mut parts: Version =
        text.split(['.', '_']).map(str::parse).collect::<Result<_, _>>().ok()?;
    while parts.len() > 1 && parts.last() == Some(&0) {
        parts.pop();
    }
    Some(parts)
}

fn record(row: Row, key: Key) -> Record {
    let checksum = row.checksum.as_deref().and_then(|number| number.parse().ok());
    Record {
        shown: shown(&row),
        key,
        applied_at: micros(row.recorded_at),
        failed: row.success != Some(1),
        // That of an undo is of another file, and of code written in Java there is none.
        checksum: match row.kind.as_deref() {
            Some("SQL") => checksum.map_or(Checksum::None, Checksum::Crc32),
            _ => Checksum::None,
        },
        name: row.name,
    }
}

/// As Flyway's own listing has it.
fn shown(row: &Row) -> String {
    let name = row.name.as_deref().unwrap_or_default();
    match &row.version {
        Some(version) => format!("{version} ({name})"),
        None => format!("the repeatable {name:?}"),
    }
}
