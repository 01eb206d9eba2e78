//! Reads the `.sql` files of one folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::file_name::is_sql;
use super::{Problem, SourceError};

/// File names and texts, sorted by name so that messages do not depend on the file system.
pub(super) fn read(dir: &Path) -> Result<Vec<(String, String)>, SourceError> {
    let mut paths = list(dir).map_err(|reason| SourceError {
        problems: vec![Problem::Unreadable { path: dir.to_owned(), reason }],
    })?;
    paths.sort();

    let mut files = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !is_sql(&name) || path.is_dir() {
            continue;
        }
        match fs::read(&path).map(String::from_utf8) {
            Ok(Ok(text)) => files.push((name, text)),
            Ok(Err(_)) => problems.push(Problem::NotUtf8 { file: name }),
            Err(reason) => problems.push(Problem::Unreadable { path, reason }),
        }
    }
    if problems.is_empty() { Ok(files) } else { Err(SourceError { problems }) }
}

fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect()
}
