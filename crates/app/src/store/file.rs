//! Notices that the file of an `SQLite` database is not the one that was opened any more.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::StoreError;

/// Where the database's file is, and which one it was at the first look.
///
/// Connections go on in a file that was removed or replaced, and what they write is lost with the
/// last of them: without a word, unless somebody looks.
#[derive(Clone, Debug)]
pub(super) struct DatabaseFile {
    path: Arc<Path>,
    /// Device and inode. Nothing as long as there was no file: it is made by the first connection.
    opened: Arc<OnceLock<(u64, u64)>>,
}

impl DatabaseFile {
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.into(), opened: Arc::default() }
    }

    /// Fails unless the file is still the same. Costs a system call.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let there = fs::metadata(&self.path).ok().map(|file| (file.dev(), file.ino()));
        let opened = there.map(|there| self.opened.get_or_init(|| there));
        if opened.or(self.opened.get()) == there.as_ref() {
            Ok(())
        } else {
            Err(StoreError::FileGone(self.path.to_path_buf()))
        }
    }
}
