//! Reads the `.sql` files of one folder.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use super::file_name::is_sql;
use super::{Problem, SourceError};

/// File names and texts, sorted by name so that messages do not depend on the file system.
pub(super) fn read(dir: &Path) -> Result<Vec<(String, String)>, SourceError> {
    let mut names = list(dir).map_err(|reason| SourceError {
        problems: vec![Problem::Unreadable { path: dir.to_owned(), reason }],
    })?;
    names.sort_unstable();

    let mut files = Vec::new();
    let mut problems = Vec::new();
    for name in names {
        let path = dir.join(&name);
        let name = name.to_string_lossy().into_owned();
        match fs::read(&path).map(String::from_utf8) {
            Ok(Ok(text)) => files.push((name, text)),
            Ok(Err(_)) => problems.push(Problem::NotUtf8 { file: name }),
            Err(reason) => problems.push(Problem::Unreadable { path, reason }),
        }
    }
    if problems.is_empty() { Ok(files) } else { Err(SourceError { problems }) }
}

/// The names of what may be a migration. A link to a folder is found out when it is read.
fn list(dir: &Path) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if is_sql(&name.to_string_lossy()) && !entry.file_type()?.is_dir() {
            names.push(name);
        }
    }
    Ok(names)
}
