//! The grammar of a migration's file name.

use super::Problem;
use crate::Dialect;

/// Longest `<version>_<name>`, in bytes: it must fit the journal's column.
pub(crate) const MAX_STEM: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
    /// One file for both ways.
    Both,
}

impl Direction {
    /// What a file's name says of it.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Both => "",
        }
    }
}

/// `<version>_<name>[.mysql|.sqlite][.up|.down].sql`, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileName<'a> {
    pub(super) version: i64,
    /// `<version>_<name>` as it was written.
    pub(super) stem: &'a str,
    pub(super) name: &'a str,
    pub(super) dialect: Option<Dialect>,
    pub(super) direction: Direction,
}

impl<'a> FileName<'a> {
    /// `None` for a file that is no SQL at all.
    pub(super) fn parse(file: &'a str) -> Result<Option<Self>, Problem> {
        if !is_sql(file) {
            return Ok(None);
        }
        Self::parse_sql(file)
            .map(Some)
            .map_err(|reason| Problem::BadName { file: file.to_owned(), reason })
    }

    fn parse_sql(file: &'a str) -> Result<Self, &'static str> {
        let parts: Vec<&str> = file.split('.').collect();
        let (stem, dialect, direction, extension) = match *parts.as_slice() {
            [stem, extension] => (stem, None, "", extension),
            [stem, dialect @ ("mysql" | "sqlite"), extension] => {
                (stem, Some(dialect), "", extension)
            }
            [stem, direction, extension] => (stem, None, direction, extension),
            [stem, dialect, direction, extension] => (stem, Some(dialect), direction, extension),
            _ => return Err("it has too many dots"),
        };
        if extension != "sql" {
            return Err("the extension must be in lower case");
        }
        let direction = match direction {
            "up" => Direction::Up,
            "down" => Direction::Down,
            "" => Direction::Both,
            _ => return Err("it says neither up nor down"),
        };
        let dialect = match dialect {
            None => None,
            Some("mysql") => Some(Dialect::MySql),
            Some("sqlite") => Some(Dialect::Sqlite),
            Some(_) => return Err("the database must be mysql (also for MariaDB) or sqlite"),
        };
        let (version, name) = stem.split_once('_').ok_or("there is no _ after the version")?;
        if version.is_empty() || !version.bytes().all(|b| b.is_ascii_digit()) {
            return Err("the version must be digits only");
        }
        let version = version.parse().map_err(|_| "the version does not fit 63 bits")?;
        // Names are printed and stored, so they are kept to what needs no escaping anywhere.
        if name.is_empty()
            || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        {
            return Err("the name must be letters, digits, _ and -");
        }
        if stem.len() > MAX_STEM {
            return Err("it is longer than 200 characters");
        }
        Ok(Self { version, stem, name, dialect, direction })
    }
}

/// Whether a file counts at all. `.SQL` does, to be refused: ignoring it would skip a migration.
pub(super) fn is_sql(file: &str) -> bool {
    file.rsplit_once('.').is_some_and(|(_, extension)| extension.eq_ignore_ascii_case("sql"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_names_are_taken_apart() {
        assert_eq!(
            FileName::parse("0012_add-users_2.mysql.down.sql").unwrap(),
            Some(FileName {
                version: 12,
                stem: "0012_add-users_2",
                name: "add-users_2",
                dialect: Some(Dialect::MySql),
                direction: Direction::Down,
            })
        );
        let largest = FileName::parse("9223372036854775807_last.up.sql").unwrap().unwrap();
        assert_eq!(largest.version, i64::MAX);
        assert_eq!(largest.dialect, None);
    }

    #[test]
    fn files_that_are_no_sql_are_ignored() {
        for file in ["README.md", "sql", "0001_users.up.sql.orig", ".gitkeep", ""] {
            assert_eq!(FileName::parse(file).unwrap(), None, "{file}");
        }
    }

    #[test]
    fn bad_names_are_refused_with_the_reason() {
        let long = format!("1_{}.up.sql", "x".repeat(MAX_STEM));
        for (file, reason) in [
            ("0001_users.upp.sql", "neither up nor down"),
            (".sql", "no _"),
            ("0001_users.up.SQL", "lower case"),
            ("0001.up.sql", "no _"),
            ("_users.up.sql", "digits"),
            ("v1_users.up.sql", "digits"),
            ("-1_users.up.sql", "digits"),
            ("+1_users.up.sql", "digits"),
            ("9223372036854775808_users.up.sql", "63 bits"),
            ("0001_.up.sql", "letters"),
            ("0001_us ers.up.sql", "letters"),
            ("0001_us\u{1b}ers.up.sql", "letters"),
            ("0001_users.mariadb.up.sql", "MariaDB"),
            ("0001_users.v2.mysql.up.sql", "dots"),
            (long.as_str(), "longer"),
        ] {
            let error = FileName::parse(file).unwrap_err().to_string();
            assert!(error.contains(reason), "{file}: {error}");
        }
    }
}
