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

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use crate::Dialect;
use crate::checksum::{Checksum, normalise};
use file_name::{Direction, FileName};
use parts::Habits;
pub use problem::{Problem, SourceError};

/// One text: what tells it from another, and the text itself unless it is read again when somebody
/// asks for it.
#[derive(Clone, Debug)]
struct Text {
    checksum: Checksum,
    habits: Habits,
    /// What the name of its file says: [`Direction::Both`] if that holds both ways.
    written: Direction,
    /// Normalised.
    held: Option<Box<str>>,
}

/// A text for every dialect.
#[derive(Clone, Debug)]
enum Texts {
    Portable(Text),
    Pair(Box<Pair>),
}

#[derive(Clone, Debug)]
struct Pair {
    mysql: Text,
    sqlite: Text,
}

impl Texts {
    fn on(&self, dialect: Dialect) -> &Text {
        match (self, dialect) {
            (Self::Portable(text), _) => text,
            (Self::Pair(pair), Dialect::MySql) => &pair.mysql,
            (Self::Pair(pair), Dialect::Sqlite) => &pair.sqlite,
        }
    }
}

/// One migration: a version, a name and its texts.
#[derive(Clone, Debug)]
pub struct Migration {
    version: i64,
    /// The file name up to the first dot, `0001_users`: the version as it was written.
    stem: Box<str>,
    up: Texts,
    down: Option<Texts>,
    /// Where its texts are read when they are asked for; those of thousands of migrations, of which
    /// hardly one is pending, are not kept.
    folder: Option<Arc<Path>>,
}

impl Migration {
    /// What orders it; not negative.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Its name, without the version.
    pub fn name(&self) -> &str {
        self.stem.split_once('_').map_or("", |(_, name)| name)
    }

    /// The SQL that applies it. Fails if its file, which was read before, can't be read any more or
    /// has changed since.
    pub fn up(&self, dialect: Dialect) -> Result<Cow<'_, str>, SourceError> {
        self.text(self.up.on(dialect), self.file(dialect), Direction::Up)
    }

    /// The SQL that takes it back, if there is one. Fails as [`up`](Self::up) does.
    pub fn down(&self, dialect: Dialect) -> Result<Option<Cow<'_, str>>, SourceError> {
        let Some(down) = &self.down else { return Ok(None) };
        self.text(down.on(dialect), self.down_file(dialect), Direction::Down).map(Some)
    }

    /// Whether there is SQL that takes it back.
    pub fn has_down(&self) -> bool {
        self.down.is_some()
    }

    fn text<'a>(
        &self,
        text: &'a Text,
        file: String,
        way: Direction,
    ) -> Result<Cow<'a, str>, SourceError> {
        if let Some(held) = &text.held {
            return Ok(Cow::Borrowed(held));
        }
        let read = folder::read_text(self.folder.as_deref().unwrap_or(Path::new(".")), &file);
        let again = read.map(|read| {
            let read = normalise(&read);
            match (text.written, way) {
                (Direction::Both, Direction::Down) => sections::sections(&read).1,
                (Direction::Both, _) => Some(sections::sections(&read).0),
                _ => Some(read),
            }
        });
        match again {
            Ok(Some(again)) if Checksum::of(&again) == text.checksum => Ok(Cow::Owned(again)),
            Ok(_) => Err(Problem::Changed { file }.into()),
            Err(problem) => Err(problem.into()),
        }
    }

    /// SHA-256 (64 hex digits) of what [`up`](Self::up) gives for this dialect, whatever white
    /// space ends its lines.
    pub fn checksum(&self, dialect: Dialect) -> String {
        self.up.on(dialect).checksum.to_string()
    }

    /// The file that [`up`](Self::up) comes from, for messages.
    pub fn file(&self, dialect: Dialect) -> String {
        self.file_of(&self.up, dialect, self.up.on(dialect).written)
    }

    /// The file that [`down`](Self::down) comes from, or would come from, for messages.
    pub fn down_file(&self, dialect: Dialect) -> String {
        let up = self.up.on(dialect).written;
        let otherwise = if up == Direction::Both { up } else { Direction::Down };
        let written = self.down.as_ref().map_or(otherwise, |down| down.on(dialect).written);
        self.file_of(self.down.as_ref().unwrap_or(&self.up), dialect, written)
    }

    fn file_of(&self, texts: &Texts, dialect: Dialect, written: Direction) -> String {
        let of_pair = match texts {
            Texts::Portable(_) => "",
            Texts::Pair(_) => dialect.tag(),
        };
        let parts = [&*self.stem, of_pair, written.tag(), "sql"];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
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
        let files = files.into_iter().collect();
        Self::new(files, |(name, _)| name, |(_, text)| Ok((*text).into()), None)
    }

    /// From files, their names and texts; with a folder, the texts are not kept.
    fn new<File>(
        files: Vec<File>,
        name: impl Fn(&File) -> &str,
        read: impl for<'a> Fn(&'a File) -> Result<Cow<'a, str>, Problem>,
        folder: Option<&Arc<Path>>,
    ) -> Result<Self, SourceError> {
        let mut problems = Vec::new();
        let mut versions = Vec::with_capacity(files.len());
        for file in files {
            match FileName::parse(name(&file)) {
                Ok(None) => {}
                Ok(Some(parsed)) => versions.push((parsed.version, file)),
                Err(problem) => problems.push(problem),
            }
        }
        versions.sort_by_key(|(version, _)| *version);
        let mut migrations = Vec::with_capacity(versions.len());
        for files in versions.chunk_by(|a, b| a.0 == b.0) {
            let mut migration = Files::default();
            for (_, file) in files {
                migration.put(name(file), read(file), folder.is_none(), &mut problems);
            }
            migrations.extend(migration.complete(folder.cloned(), &mut problems));
        }
        migrations.shrink_to_fit();
        if migrations.is_empty() && problems.is_empty() {
            problems.push(Problem::NoFiles);
        }
        if problems.is_empty() { Ok(Self(migrations)) } else { Err(SourceError { problems }) }
    }

    /// From a table of file names and texts that a build script put into the program.
    pub fn embedded(files: &[(&str, &str)]) -> Result<Self, SourceError> {
        Self::from_files(files.iter().copied())
    }

    /// From a folder. Folders inside it are ignored. All files are read, and what tells whether one
    /// is changed is kept; a text is read again when it is needed.
    pub fn from_dir(dir: &Path) -> Result<Self, SourceError> {
        let names = folder::names(dir)?;
        Self::new(
            names,
            String::as_str,
            |name| folder::read_text(dir, name).map(Cow::Owned),
            Some(&dir.into()),
        )
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
#[derive(Default)]
struct Files {
    version: i64,
    stem: String,
    up: Slot,
    down: Slot,
}

/// The up files, or the down files, of one version.
#[derive(Default)]
struct Slot {
    portable: Option<Text>,
    mysql: Option<Text>,
    sqlite: Option<Text>,
}

impl Files {
    /// Takes a file in, or reports why it can't be taken.
    fn put(
        &mut self,
        file: &str,
        text: Result<Cow<'_, str>, Problem>,
        hold: bool,
        problems: &mut Vec<Problem>,
    ) {
        let (parsed, text) = match (FileName::parse(file), text) {
            (Ok(Some(parsed)), Ok(text)) => (parsed, text),
            (Ok(None), _) => return,
            (Err(problem), _) | (_, Err(problem)) => {
                problems.push(problem);
                return;
            }
        };
        if self.stem.is_empty() {
            (self.version, self.stem) = (parsed.version, parsed.stem.to_owned());
        }
        if self.stem != parsed.stem {
            problems.push(Problem::DuplicateVersion {
                version: parsed.version,
                first: self.stem.clone(),
                second: parsed.stem.to_owned(),
            });
            return;
        }
        let habits = Habits::of(&text);
        let normalised = normalise(&text);
        if normalised.is_empty() {
            problems.push(Problem::EmptyFile { file: file.to_owned() });
        }
        let text = |text: String| Text {
            checksum: Checksum::of(&text),
            habits,
            written: parsed.direction,
            held: hold.then(|| text.into()),
        };
        let duplicate = match parsed.direction {
            Direction::Up => self.up.put(parsed.dialect, text(normalised)),
            Direction::Down => self.down.put(parsed.dialect, text(normalised)),
            Direction::Both => {
                let (up, down) = sections::sections(&normalised);
                let down = down.is_some_and(|down| self.down.put(parsed.dialect, text(down)));
                self.up.put(parsed.dialect, text(up)) || down
            }
        };
        if duplicate {
            problems.push(Problem::DuplicateFile { file: file.to_owned() });
        }
    }

    /// The migration these files make up, or `None` after reporting why they do not.
    fn complete(self, folder: Option<Arc<Path>>, problems: &mut Vec<Problem>) -> Option<Migration> {
        let Self { version, stem, up, down } = self;
        match (up.complete(&stem, "up"), down.complete(&stem, "down")) {
            (Ok(Some(up)), Ok(down)) => {
                return Some(Migration { version, stem: stem.into(), up, down, folder });
            }
            // Without a stem there was nothing that could be taken, which was reported.
            (Ok(None), Ok(_)) if stem.is_empty() => {}
            (Ok(None), Ok(_)) => problems.push(Problem::NoUp { stem }),
            (up, down) => problems.extend(up.err().into_iter().chain(down.err())),
        }
        None
    }
}

impl Slot {
    /// Puts a text where it belongs; gives whether there was one already.
    fn put(&mut self, dialect: Option<Dialect>, text: Text) -> bool {
        let place = match dialect {
            None => &mut self.portable,
            Some(Dialect::MySql) => &mut self.mysql,
            Some(Dialect::Sqlite) => &mut self.sqlite,
        };
        place.replace(text).is_some()
    }

    fn complete(self, stem: &str, direction: &'static str) -> Result<Option<Texts>, Problem> {
        let stem = stem.to_owned();
        match (self.portable, self.mysql, self.sqlite) {
            (None, None, None) => Ok(None),
            (Some(text), None, None) => Ok(Some(Texts::Portable(text))),
            (None, Some(mysql), Some(sqlite)) => {
                Ok(Some(Texts::Pair(Box::new(Pair { mysql, sqlite }))))
            }
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
