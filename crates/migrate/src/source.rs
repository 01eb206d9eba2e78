//! Migration files: what they are called, and what belongs together.
//!
//! A folder is flat. `<version>_<name>.up.sql` applies to every database; where one text cannot,
//! there is a pair `<version>_<name>.mysql.up.sql` and `<version>_<name>.sqlite.up.sql`. The same
//! with `.down.sql`, which may be absent. A single `<version>_<name>.sql` holds both ways between
//! `-- migrate:up` and `-- migrate:down` (dbmate's way), or only the way up (sqlx's). Everything
//! that is wrong is reported at once.

pub(crate) mod file_name;
mod folder;
mod parts;
mod problem;
pub(crate) mod script;
pub(crate) mod sections;

use std::collections::BTreeMap;
use std::path::Path;

use crate::Dialect;
use crate::checksum::{checksum, normalise};
use file_name::{Direction, FileName};
use parts::Habits;
pub use problem::{Problem, SourceError};

/// A text for every dialect, normalised.
#[derive(Clone, Debug)]
enum Text {
    Portable(String),
    Pair { mysql: String, sqlite: String },
}

impl Text {
    fn on(&self, dialect: Dialect) -> &str {
        match (self, dialect) {
            (Self::Portable(text), _)
            | (Self::Pair { mysql: text, .. }, Dialect::MySql)
            | (Self::Pair { sqlite: text, .. }, Dialect::Sqlite) => text,
        }
    }
}

/// One migration: a version, a name and its texts.
#[derive(Clone, Debug)]
pub struct Migration {
    version: i64,
    /// The file name up to the first dot, `0001_users`: the version as it was written.
    stem: String,
    name: String,
    up: Text,
    down: Option<Text>,
    /// Whether one file holds both ways.
    single: bool,
    /// What was taken from the files' texts, by file.
    habits: BTreeMap<String, Habits>,
}

impl Migration {
    /// What orders it; not negative.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Its name, without the version.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The SQL that applies it.
    pub fn up(&self, dialect: Dialect) -> &str {
        self.up.on(dialect)
    }

    /// The SQL that takes it back, if there is one.
    pub fn down(&self, dialect: Dialect) -> Option<&str> {
        self.down.as_ref().map(|text| text.on(dialect))
    }

    /// SHA-256 (64 hex digits) of what [`up`](Self::up) gives for this dialect, whatever white
    /// space ends its lines.
    pub fn checksum(&self, dialect: Dialect) -> String {
        checksum(self.up(dialect))
    }

    /// The file that [`up`](Self::up) comes from, for messages.
    pub fn file(&self, dialect: Dialect) -> String {
        self.file_of(&self.up, dialect, "up")
    }

    /// The file that [`down`](Self::down) comes from, or would come from, for messages.
    pub fn down_file(&self, dialect: Dialect) -> String {
        self.file_of(self.down.as_ref().unwrap_or(&self.up), dialect, "down")
    }

    fn file_of(&self, text: &Text, dialect: Dialect, direction: &str) -> String {
        let stem = &self.stem;
        match text {
            _ if self.single => format!("{stem}.sql"),
            Text::Portable(_) => format!("{stem}.{direction}.sql"),
            Text::Pair { .. } => format!("{stem}.{}.{direction}.sql", dialect.tag()),
        }
    }
}

/// Migrations, read and checked, in the order of their versions. Never empty.
#[derive(Clone, Debug)]
pub struct Migrations(Vec<Migration>);

impl Migrations {
    /// From file names and their texts, in any order. Names that do not end in `.sql` are ignored.
    pub fn from_files<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, SourceError> {
        let mut problems = Vec::new();
        let versions = group(files, &mut problems);
        let migrations: Vec<Migration> = versions
            .into_iter()
            .filter_map(|(version, files)| files.complete(version, &mut problems))
            .collect();
        if migrations.is_empty() && problems.is_empty() {
            problems.push(Problem::NoFiles);
        }
        if problems.is_empty() { Ok(Self(migrations)) } else { Err(SourceError { problems }) }
    }

    /// From a table of file names and texts that a build script put into the program.
    pub fn embedded(files: &[(&str, &str)]) -> Result<Self, SourceError> {
        Self::from_files(files.iter().copied())
    }

    /// From a folder. Folders inside it are ignored.
    pub fn from_dir(dir: &Path) -> Result<Self, SourceError> {
        let files = folder::read(dir)?;
        Self::from_files(files.iter().map(|(name, text)| (name.as_str(), text.as_str())))
    }

    /// In the order of their versions.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Migration> + DoubleEndedIterator {
        self.0.iter()
    }

    /// The one with this version.
    pub fn get(&self, version: i64) -> Option<&Migration> {
        let at = self.0.binary_search_by_key(&version, Migration::version).ok()?;
        self.0.get(at)
    }
}

/// The files of one version, as they come in.
struct Files {
    stem: String,
    name: String,
    up: Slot,
    down: Slot,
    single: bool,
    habits: BTreeMap<String, Habits>,
}

/// The up files, or the down files, of one version.
#[derive(Default)]
struct Slot {
    portable: Option<String>,
    mysql: Option<String>,
    sqlite: Option<String>,
}

fn group<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<i64, Files> {
    let mut versions: BTreeMap<i64, Files> = BTreeMap::new();
    for (file, text) in files {
        let parsed = match FileName::parse(file) {
            Ok(Some(parsed)) => parsed,
            Ok(None) => continue,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let habits = Habits::of(text);
        let text = normalise(text);
        if text.is_empty() {
            problems.push(Problem::EmptyFile { file: file.to_owned() });
        }
        let version = versions.entry(parsed.version).or_insert_with(|| Files {
            stem: parsed.stem.to_owned(),
            name: parsed.name.to_owned(),
            up: Slot::default(),
            down: Slot::default(),
            single: parsed.direction == Direction::Both,
            habits: BTreeMap::new(),
        });
        version.habits.insert(file.to_owned(), habits);
        if version.stem != parsed.stem {
            problems.push(Problem::DuplicateVersion {
                version: parsed.version,
                first: version.stem.clone(),
                second: parsed.stem.to_owned(),
            });
            continue;
        }
        let duplicate = match parsed.direction {
            Direction::Up => version.up.put(parsed.dialect, text),
            Direction::Down => version.down.put(parsed.dialect, text),
            Direction::Both => {
                let (up, down) = sections::sections(&text);
                let down = down.is_some_and(|down| version.down.put(parsed.dialect, down));
                version.up.put(parsed.dialect, up) || down
            }
        };
        if duplicate {
            problems.push(Problem::DuplicateFile { file: file.to_owned() });
        }
    }
    versions
}

impl Files {
    /// The migration these files make up, or `None` after reporting why they do not.
    fn complete(self, version: i64, problems: &mut Vec<Problem>) -> Option<Migration> {
        let Self { stem, name, up, down, single, habits } = self;
        match (up.complete(&stem, "up"), down.complete(&stem, "down")) {
            (Ok(Some(up)), Ok(down)) => {
                return Some(Migration { version, stem, name, up, down, single, habits });
            }
            (Ok(None), Ok(_)) => problems.push(Problem::NoUp { stem }),
            (up, down) => problems.extend(up.err().into_iter().chain(down.err())),
        }
        None
    }
}

impl Slot {
    /// Puts a text where it belongs; gives whether there was one already.
    fn put(&mut self, dialect: Option<Dialect>, text: String) -> bool {
        let place = match dialect {
            None => &mut self.portable,
            Some(Dialect::MySql) => &mut self.mysql,
            Some(Dialect::Sqlite) => &mut self.sqlite,
        };
        place.replace(text).is_some()
    }

    fn complete(self, stem: &str, direction: &'static str) -> Result<Option<Text>, Problem> {
        let stem = stem.to_owned();
        match (self.portable, self.mysql, self.sqlite) {
            (None, None, None) => Ok(None),
            (Some(text), None, None) => Ok(Some(Text::Portable(text))),
            (None, Some(mysql), Some(sqlite)) => Ok(Some(Text::Pair { mysql, sqlite })),
            (None, Some(_), None) => {
                Err(Problem::HalfPair { stem, direction, present: "mysql", missing: "sqlite" })
            }
            (None, None, Some(_)) => {
                Err(Problem::HalfPair { stem, direction, present: "sqlite", missing: "mysql" })
            }
            (Some(_), _, _) => Err(Problem::PlainAndPair { stem, direction }),
        }
    }
}

#[cfg(test)]
mod tests;
