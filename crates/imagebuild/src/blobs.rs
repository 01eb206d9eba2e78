//! A folder of blobs by their digest: what image layouts and the cache are made of.
//!
//! A blob is there whole or not at all: it is written aside and renamed to its digest.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::NamedTempFile;

use crate::digest::{Digest, Hashing};

/// In front of the names of files that are being written.
const ASIDE: &str = ".part-";
/// What was being written so long ago is what a run that was killed left behind.
const ABANDONED: Duration = Duration::from_hours(24);

/// The clock by which files get their times.
#[expect(clippy::disallowed_methods, reason = "it is compared with times of files only")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// A folder of blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blobs(PathBuf);

/// Why a blob can't be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// A file or folder can't be written.
    #[error("{} can't be written: {reason}", .path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A blob can't be read.
    #[error("{} can't be read: {reason}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A blob is not what its name says.
    #[error("{} holds other bytes than its name says. Remove it, and run this again", .0.display())]
    Damaged(PathBuf),
}

impl BlobError {
    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |reason| Self::Write { path, reason }
    }

    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |reason| Self::Read { path, reason }
    }
}

/// A blob that is being written beside the others.
pub struct Aside {
    file: NamedTempFile,
    folder: PathBuf,
}

impl Blobs {
    /// Opens a folder, or makes it.
    pub fn open(folder: &Path) -> Result<Self, BlobError> {
        fs::create_dir_all(folder).map_err(BlobError::write(folder))?;
        Ok(Self(folder.to_owned()))
    }

    /// Where a blob is, or would be.
    pub fn path(&self, digest: Digest) -> PathBuf {
        self.0.join(digest.hex())
    }

    /// Whether a blob of this size is there.
    pub fn has(&self, digest: Digest, size: u64) -> bool {
        fs::metadata(self.path(digest)).is_ok_and(|about| about.is_file() && about.len() == size)
    }

    /// A place for a blob whose digest is not known yet.
    pub fn aside(&self) -> Result<Aside, BlobError> {
        let file = NamedTempFile::with_prefix_in(ASIDE, &self.0);
        let file = file.map_err(BlobError::write(&self.0))?;
        Ok(Aside { file, folder: self.0.clone() })
    }

    /// Puts a small blob in.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, BlobError> {
        let digest = Digest::of(bytes);
        replace(&self.path(digest), bytes)?;
        Ok(digest)
    }

    /// Reads a small blob, which must be what its name says.
    pub fn get(&self, digest: Digest) -> Result<Vec<u8>, BlobError> {
        let path = self.path(digest);
        let bytes = fs::read(&path).map_err(BlobError::read(&path))?;
        if Digest::of(&bytes) == digest { Ok(bytes) } else { Err(BlobError::Damaged(path)) }
    }

    /// Takes a blob of another folder, which must be what its name says.
    pub fn take(&self, other: &Self, digest: Digest) -> Result<(), BlobError> {
        let from = other.path(digest);
        let mut aside = self.aside()?;
        let mut file = File::open(&from).map_err(BlobError::read(&from))?;
        let mut hashing = Hashing::new(aside.file());
        io::copy(&mut file, &mut hashing).map_err(BlobError::write(&self.path(digest)))?;
        let (_, found, _) = hashing.finish();
        if found == digest { aside.keep(digest) } else { Err(BlobError::Damaged(from)) }
    }

    /// Removes what runs that were killed left behind.
    pub(crate) fn sweep(&self) {
        let files = fs::read_dir(&self.0).into_iter().flatten().filter_map(Result::ok);
        for file in
            files.filter(|it| it.file_name().as_encoded_bytes().starts_with(ASIDE.as_bytes()))
        {
            let age = file.metadata().and_then(|about| about.modified());
            let age = age.map(|time| now().duration_since(time).unwrap_or_default());
            if age.is_ok_and(|age| age > ABANDONED) {
                // Another run may have done it.
                let _ = fs::remove_file(file.path());
            }
        }
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }
}

impl Aside {
    /// Where to write.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Makes it the blob of its digest.
    pub fn keep(self, digest: Digest) -> Result<(), BlobError> {
        let path = self.folder.join(digest.hex());
        let kept = readable(&self.file)
            .and_then(|()| self.file.persist(&path).map_err(|error| error.error));
        kept.map(drop).map_err(BlobError::write(&path))
    }
}

/// Writes a file aside and renames it.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), BlobError> {
    let write = || {
        let mut file = NamedTempFile::with_prefix_in(ASIDE, path.parent().unwrap_or(path))?;
        file.write_all(bytes)?;
        readable(&file)?;
        file.persist(path).map_err(|error| error.error).map(drop)
    };
    write().map_err(BlobError::write(path))
}

/// Temporary files are their owner's alone; images are for everybody.
fn readable(file: &NamedTempFile) -> io::Result<()> {
    file.as_file().set_permissions(Permissions::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_that_is_another_is_neither_read_nor_taken() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] =
            ["one", "other"].map(|name| Blobs::open(&folder.path().join(name)).unwrap());
        let digest = one.put(b"abc").unwrap();
        other.take(&one, digest).unwrap();
        assert_eq!(other.get(digest).unwrap(), b"abc");
        fs::write(one.path(digest), "abd").unwrap();
        assert!(matches!(one.get(digest), Err(BlobError::Damaged(_))));
        fs::remove_file(other.path(digest)).unwrap();
        assert!(matches!(other.take(&one, digest), Err(BlobError::Damaged(_))));
        assert_eq!(fs::read_dir(other.folder()).unwrap().count(), 0, "nothing is left of it");
    }

    #[test]
    fn what_was_abandoned_long_ago_is_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let digest = blobs.put(b"abc").unwrap();
        let make = |name: &str, age: Duration| {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(now() - age).unwrap();
        };
        make(".part-new", Duration::ZERO);
        make(".part-old", 2 * ABANDONED);
        File::open(blobs.path(digest)).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        blobs.sweep();
        let there = |name: &str| folder.path().join(name).exists();
        assert!(there(".part-new") && !there(".part-old") && blobs.has(digest, 3));
    }
}
