//! Which files to make, judging by those that are there. Pure.

use super::CreateError;
use super::name;
use super::template;
use super::version::{self, Version};
use crate::source::file_name::MAX_STEM;

/// An SQL file that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Existing {
    version: Version,
    /// One file for both ways, or for the way up only.
    pub(super) is_single: bool,
    /// Whether a single file has a section for each way.
    pub(super) has_sections: bool,
}

impl Existing {
    /// `None` if the name is none of an SQL file with a version.
    pub(super) fn parse(file: &str) -> Option<Self> {
        let (stem, extension) = file.rsplit_once('.')?;
        if !extension.eq_ignore_ascii_case("sql") {
            return None;
        }
        let end = file.find(|char: char| !char.is_ascii_digit())?;
        let digits = file.get(..end)?;
        let version = Version { value: digits.parse().ok()?, digits: digits.len() };
        let is_one_way = stem.rsplit_once('.').is_some_and(|(_, way)| matches!(way, "up" | "down"));
        Some(Self { version, is_single: !is_one_way, has_sections: false })
    }
}

/// A migration to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct New {
    pub(super) version: i64,
    pub(super) files: Vec<NewFile>,
}

/// A file to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NewFile {
    pub(super) name: String,
    pub(super) text: String,
}

/// What to make; `now` in Unix seconds.
pub(super) fn plan(existing: &[Existing], name: &str, now: i64) -> Result<New, CreateError> {
    let normal =
        name::normalise(name).ok_or_else(|| CreateError::Name { name: name.to_owned() })?;
    // Of several files with one version any may speak for it: they are of one habit.
    let newest = existing.iter().max_by_key(|file| file.version);
    let no_version = || CreateError::NoVersion {
        newest: newest.map(|newest| newest.version.value).unwrap_or_default(),
    };
    let (version, digits) =
        version::next(newest.map(|newest| newest.version), now).ok_or_else(no_version)?;
    let stem = format!("{digits}_{normal}");
    if stem.len() > MAX_STEM {
        return Err(CreateError::TooLong { stem, max: MAX_STEM });
    }
    let file = |end: &str, text: String| NewFile { name: format!("{stem}{end}"), text };
    let title = normal.replace('_', " ");
    let files = match newest {
        Some(newest) if newest.is_single && newest.has_sections => {
            vec![file(".sql", template::sections(&title, &stem))]
        }
        Some(newest) if newest.is_single => vec![file(".sql", template::only_up(&title, &stem))],
        _ => vec![
            file(".up.sql", template::up(&title, &stem)),
            file(".down.sql", template::down(&title)),
        ],
    };
    Ok(New { version, files })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::sections::has_sections;

    const NOW: i64 = 1_790_000_000; // 2026-09-21 14:13:20 UTC

    fn names(existing: &[(&str, &str)]) -> Vec<String> {
        let existing: Vec<Existing> = existing
            .iter()
            .filter_map(|(name, text)| {
                let file = Existing::parse(name)?;
                Some(Existing { has_sections: has_sections(text), ..file })
            })
            .collect();
        let new = plan(&existing, "New thing", NOW).unwrap();
        new.files.into_iter().map(|file| file.name).collect()
    }

    #[test]
    fn an_empty_folder_gets_a_pair() {
        let pair = ["20260921141320_new_thing.up.sql", "20260921141320_new_thing.down.sql"];
        assert_eq!(names(&[]), pair);
        assert_eq!(names(&[("README.md", ""), ("seed.sql", ""), ("v1_a.sql", "")]), pair);
    }

    #[test]
    fn the_newest_file_shows_the_folder_s_habit() {
        let sections = "-- migrate:up\nSELECT 1;\n-- migrate:down\n";
        assert_eq!(names(&[("20260101000000_a.sql", sections)]), ["20260921141320_new_thing.sql"]);
        assert_eq!(
            names(&[("0007_a.up.sql", ""), ("0007_a.down.sql", "")]),
            ["0008_new_thing.up.sql", "0008_new_thing.down.sql"]
        );
        assert_eq!(
            names(&[("0009_a.sql", sections), ("0010_b.mysql.up.sql", "")]),
            ["0011_new_thing.up.sql", "0011_new_thing.down.sql"]
        );
        assert_eq!(names(&[("3_b.sql", "SELECT 1;"), ("2_a.up.sql", "")]), ["4_new_thing.sql"]);
    }

    #[test]
    fn a_single_file_has_sections_only_where_the_others_have() {
        let text = |of: &str| {
            let existing =
                Existing { has_sections: has_sections(of), ..Existing::parse("1_a.sql").unwrap() };
            plan(&[existing], "x", NOW).unwrap().files.remove(0).text
        };
        assert!(has_sections(&text("--migrate:up transaction:false\n")));
        assert!(!has_sections(&text("SELECT 1; -- migrate:up")));
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(names(&[("9_a.up.sql", ""), ("10_b.up.sql", "")])[0], "11_new_thing.up.sql");
    }

    #[test]
    fn what_can_not_be_a_file_is_refused() {
        let error = |existing: &str, name: &str| {
            let existing: Vec<Existing> = Existing::parse(existing).into_iter().collect();
            plan(&existing, name, NOW).unwrap_err().to_string()
        };
        assert!(error("", "!!").contains("\"!!\" is no name"));
        assert!(error("", &"x".repeat(186)).contains("shorter name"));
        assert!(plan(&[], &"x".repeat(185), NOW).is_ok());
        assert!(error("9223372036854775807_a.up.sql", "x").contains("no version above"));
    }
}
