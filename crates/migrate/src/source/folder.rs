//! Reads the `.sql` files of one folder.

use std::fs;
use std::io;
use std::path::Path;

use super::file_name::is_sql;
use super::{Problem, SourceError};

/// The names of the files, sorted so that messages do not depend on the file system.
pub(super) fn names(dir: &Path) -> Result<Vec<String>, SourceError> {
    let mut names =
        list(dir).map_err(|reason| Problem::Unreadable { path: dir.to_owned(), reason })?;
    names.sort_unstable();
    Ok(names)
}

/// The text of one of them.
pub(super) fn read_text(dir: &Path, name: &str) -> Result<String, Problem> {
    let path = dir.join(name);
    match fs::read(&path).map(String::from_utf8) {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(_)) => Err(Problem::NotUtf8 { file: name.to_owned() }),
        Err(reason) => Err(Problem::Unreadable { path, reason }),
    }
}

/// The names of what may be a migration. A link to a folder is found out when it is read.
/// What is no text in a name makes it one that is refused.
fn list(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_sql(&name) && !entry.file_type()?.is_dir() {
            names.push(name);
        }
    }
    Ok(names)
}
