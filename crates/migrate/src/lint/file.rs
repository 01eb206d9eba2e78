//! The files to judge, as plain values.

use std::collections::BTreeMap;

use super::Names;
use crate::{Dialect, Migration, Migrations, SourceError};

/// One file of a folder, or one way of a file that holds both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LintFile {
    pub(super) file: String,
    pub(super) version: i64,
    pub(super) down: bool,
    /// The only database it is for.
    pub(super) dialect: Option<Dialect>,
    pub(super) text: String,
    /// Whether it belongs to what is to be released.
    pub(super) is_new: bool,
    pub(super) byte_order_mark: bool,
    pub(super) crlf: bool,
    /// Whether this way up has a way back.
    pub(super) has_down: bool,
    /// The first and the last number that are missing before it.
    pub(super) missing: Option<(i64, i64)>,
}

impl LintFile {
    /// Whether it is read by this database.
    pub(super) fn is_for(&self, dialect: Dialect) -> bool {
        self.dialect.is_none_or(|only| only == dialect)
    }
}

/// What is missing before a version, in a series that counts by ones: not in one of dates, nor in
/// one of tens.
fn gaps(versions: &[i64]) -> BTreeMap<i64, (i64, i64)> {
    let is_date = |version: &i64| *version >= 1_000_000;
    let pairs: Vec<(i64, i64)> =
        versions.iter().copied().zip(versions.iter().copied().skip(1)).collect();
    let (ones, others): (Vec<_>, Vec<_>) =
        pairs.into_iter().partition(|(before, after)| after - before == 1);
    if ones.len() < others.len() || versions.last().is_none_or(is_date) {
        return BTreeMap::new();
    }
    others.into_iter().map(|(before, after)| (after, (before + 1, after - 1))).collect()
}

/// The files of a folder in the order of their versions; all are new unless names are given.
pub(super) fn files(
    migrations: &Migrations,
    new: Option<&Names>,
) -> Result<Vec<LintFile>, SourceError> {
    let versions: Vec<i64> = migrations.iter().map(Migration::version).collect();
    let gaps = gaps(&versions);
    let mut files = Vec::new();
    for migration in migrations.iter() {
        for part in migration.parts()? {
            files.push(LintFile {
                version: migration.version(),
                down: part.down,
                dialect: part.dialect,
                text: part.text.into_owned(),
                is_new: new.is_none_or(|new| new.contains(&part.file)),
                byte_order_mark: part.habits.byte_order_mark,
                crlf: part.habits.crlf,
                has_down: migration.has_down(),
                missing: gaps.get(&migration.version()).copied(),
                file: part.file,
            });
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::gaps;

    #[test]
    fn a_number_is_missing_only_where_files_are_counted_by_ones() {
        let found = |versions: &[i64]| gaps(versions).into_iter().collect::<Vec<_>>();
        assert_eq!(found(&[1, 2, 4, 5, 9]), [(4, (3, 3)), (9, (6, 8))]);
        assert_eq!(found(&[1, 2, 3]), []);
        assert_eq!(found(&[10, 20, 30]), []);
        assert_eq!(found(&[20_261_123_090_000, 20_261_123_090_001, 20_261_125_090_000]), []);
        assert_eq!(found(&[7]), []);
    }
}
