//! Makes the files of a new migration.
//!
//! Its version is above all that are there, whatever the clock says, so that it is never out of
//! order; and nothing that exists is ever written to, however many run this at once. What the
//! files are called and what is in them is planned by pure functions; this one only reads the
//! folder and writes.

mod name;
mod plan;
mod template;
mod version;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::clock::wall_clock;
use crate::source::sections::has_sections;
use plan::{Existing, NewFile, plan};

/// How often it is planned again when somebody else was quicker.
const ATTEMPTS: u32 = 100;

/// A migration whose files were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Its version.
    pub version: i64,
    /// The files, the way up first.
    pub files: Vec<PathBuf>,
}

/// Why no migration was made. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Nothing in the name can be part of a file's name.
    #[error("{name:?} is no name for a migration: it needs a letter (a to z) or a digit")]
    Name {
        /// As it was given.
        name: String,
    },
    /// The name is too long for the journal.
    #[error(
        "the migration's name is too long: with its version, {stem} has {} characters, and at most \
         {max} fit the journal. Give it a shorter name", .stem.len()
    )]
    TooLong {
        /// `<version>_<name>`.
        stem: String,
        /// In bytes.
        max: usize,
    },
    /// There is no version above the newest.
    #[error(
        "there is no version above {newest}, which the folder has already: give that file a smaller one"
    )]
    NoVersion {
        /// The newest in the folder.
        newest: i64,
    },
    /// The folder can be neither read nor made.
    #[error(
        "the folder {} for the new migration can be neither read nor made: {reason}. Check --source",
        .path.display()
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        reason: io::Error,
    },
    /// A file could not be written.
    #[error("the new migration's file {} could not be written: {reason}. Check the folder's permissions and space", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: io::Error,
    },
}

/// Makes the files of a migration called `name` in a folder, which is made if only it is missing.
///
/// They follow the newest ones that are there: a pair of `.up.sql` and `.down.sql`, or a single
/// file with sections for both ways, or one without; their versions are times in UTC
/// (`20260131235959`), or go on counting where the folder counts (`0008`).
pub fn create(folder: &Path, name: &str) -> Result<Created, CreateError> {
    create_at(folder, name, wall_clock().div_euclid(1_000_000))
}

fn create_at(folder: &Path, name: &str, now: i64) -> Result<Created, CreateError> {
    let unusable = |reason| CreateError::Folder { path: folder.to_owned(), reason };
    let _lock = lock(folder).map_err(unusable)?;
    let mut attempt = 1;
    loop {
        let existing = read(folder).map_err(unusable)?;
        let new = plan(&existing, name, now)?;
        match write(folder, &new.files) {
            Ok(files) => return Ok(Created { version: new.version, files }),
            Err((_, reason))
                if reason.kind() == io::ErrorKind::AlreadyExists && attempt < ATTEMPTS =>
            {
                attempt += 1;
            }
            Err((path, reason)) => return Err(CreateError::Write { path, reason }),
        }
    }
}

/// Keeps others who make a migration here waiting until the result is dropped; the system frees it
/// also when this process is killed. Two of them would otherwise give one version to two names.
/// Where a folder can't be locked there are still no files overwritten, and a version that two
/// have is refused before anything is applied.
fn lock(folder: &Path) -> io::Result<Option<File>> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let lock = File::open(folder).and_then(|folder| folder.lock().map(|()| folder));
    Ok(lock.ok())
}

/// The names of the SQL files that are there; of single ones also what they consist of.
fn read(folder: &Path) -> io::Result<Vec<Existing>> {
    let mut existing = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(mut file) = Existing::parse(&name) {
            if file.is_single {
                let text = fs::read(entry.path()).unwrap_or_default();
                file.has_sections = has_sections(&String::from_utf8_lossy(&text));
            }
            existing.push(file);
        }
    }
    Ok(existing)
}

/// Writes all or none.
fn write(folder: &Path, files: &[NewFile]) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    let mut written: Vec<PathBuf> = Vec::with_capacity(files.len());
    for file in files {
        let path = folder.join(&file.name);
        let result = OpenOptions::new().write(true).create_new(true).open(&path);
        // From here on it is ours to remove.
        let result = result.and_then(|mut opened| {
            written.push(path.clone());
            opened.write_all(file.text.as_bytes())
        });
        if let Err(reason) = result {
            for path in &written {
                // Nothing more can be done about one that stays.
                let _ = fs::remove_file(path);
            }
            return Err((path, reason));
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_not_overwritten_and_half_a_pair_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b"), "mine").unwrap();
        let file = |name: &str| NewFile { name: name.to_owned(), text: "new".to_owned() };
        let (path, reason) = write(folder.path(), &[file("a"), file("b")]).unwrap_err();
        assert_eq!((path, reason.kind()), (folder.path().join("b"), io::ErrorKind::AlreadyExists));
        assert_eq!(fs::read_to_string(folder.path().join("b")).unwrap(), "mine");
        assert!(!folder.path().join("a").exists());
    }

    #[test]
    fn a_clock_that_is_behind_makes_no_older_version() {
        let folder = tempfile::tempdir().unwrap();
        let first = create_at(folder.path(), "a", 1_790_000_000).unwrap();
        assert_eq!(first.version, 20_260_921_141_320);
        let second = create_at(folder.path(), "b", 1_600_000_000).unwrap();
        assert_eq!(second.version, first.version + 1);
    }
}
