//! Files of this machine that are copied into an image: which of them, and what time each gets.
//!
//! Order, modes and times don't depend on this machine: names are sorted, whether something is a
//! program is all that is taken of its mode, and its modification time is never taken.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;
use serde::{Deserialize, Serialize};

use crate::digest::Hashing;
use crate::git;
use crate::layer::{Entry, Node, UNDATED};

/// Says which files are left out, as `.gitignore` does (gitignore(5)).
const IGNORE: &str = ".imageignore";
/// Times that follow from what a file holds are within so many seconds after [`UNDATED`].
const TWENTY_YEARS: u64 = 20 * 365 * 24 * 3600;

/// Which modification time copied files get. It is what servers of files tell browsers
/// (`Last-Modified`), which ask for a file only if it is newer than theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Times {
    /// Of the last commit that changed the file; for one that is in no commit, or differs from it,
    /// of the image.
    #[default]
    Git,
    /// One that follows from what the file holds: the same bytes have the same time, others almost
    /// certainly another one, which may be an earlier one.
    Content,
    /// Of the image, for all of them.
    Epoch,
}

/// Why files can't be copied.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// Something that was named, or is needed, can't be read.
    #[error("{} can't be read: {reason}", .path.display())]
    Read {
        /// On this machine.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A folder can't be walked through.
    #[error("{} can't be copied: {reason}", .path.display())]
    Walk {
        /// On this machine.
        path: PathBuf,
        /// Why.
        reason: ignore::Error,
    },
    /// A link leads out of the folder that is copied: what is behind it was not asked for.
    #[error(
        "{} leads to {}, which is outside of what is copied: copy what it leads to, or leave the link \
         out with {IGNORE}",
        .link.display(), .target.display()
    )]
    Outside {
        /// The link.
        link: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// Neither a file, a folder nor a link; or a name that is no text.
    #[error("{} is no file, folder or link with a name in UTF-8: leave it out with {IGNORE}", .0.display())]
    Odd(PathBuf),
}

/// A file, or a folder with all that is in it: paths from there, the first of which is empty.
pub fn files(top: &Path, times: Times, created: u64) -> Result<Vec<(String, Entry)>, FilesError> {
    files_but(top, &[], times, created)
}

/// The same without some, by their names.
pub(crate) fn files_but(
    top: &Path,
    left_out: &[&str],
    times: Times,
    created: u64,
) -> Result<Vec<(String, Entry)>, FilesError> {
    let top = &fs::canonicalize(top).map_err(reading(top))?;
    let mut walk = WalkBuilder::new(top);
    walk.standard_filters(false).parents(true).follow_links(false);
    walk.add_custom_ignore_filename(IGNORE).sort_by_file_name(Ord::cmp);
    let mut found = Vec::new();
    for entry in walk.build() {
        let entry = entry.map_err(|reason| FilesError::Walk { path: top.clone(), reason })?;
        // A line of such a file that can't be understood.
        if let Some(reason) = entry.error() {
            return Err(FilesError::Walk { path: entry.path().to_owned(), reason: reason.clone() });
        }
        if entry.file_name() != IGNORE && !left_out.iter().any(|name| entry.file_name() == *name) {
            found.push(entry.into_path());
        }
    }
    let inside = |path: &Path| path.strip_prefix(top).unwrap_or(path).to_owned();
    let dated = match times {
        Times::Git if top.is_dir() => {
            git::last_changed(top, &found.iter().map(|path| inside(path)).collect::<Vec<_>>())
        }
        Times::Git => {
            let folder = top.parent().unwrap_or(top);
            let name = PathBuf::from(top.file_name().unwrap_or_default());
            let dated = git::last_changed(folder, &[name]);
            dated.into_values().map(|time| (PathBuf::new(), time)).collect()
        }
        Times::Content | Times::Epoch => HashMap::new(),
    };
    let mut files = Vec::new();
    for path in found {
        let name = inside(&path);
        let text = name.to_str().ok_or_else(|| FilesError::Odd(path.clone()))?.to_owned();
        let mut entry = entry(top, &path)?;
        if let Node::Copy { from, .. } = &entry.node {
            entry.modified = match times {
                Times::Git => dated.get(&name).copied().unwrap_or(created),
                Times::Content => by_content(from).map_err(reading(from))?,
                Times::Epoch => created,
            };
        }
        files.push((text, entry));
    }
    Ok(files)
}

fn entry(top: &Path, path: &Path) -> Result<Entry, FilesError> {
    let about = fs::symlink_metadata(path).map_err(reading(path))?;
    let (node, mode) = if about.is_dir() {
        (Node::Folder, 0o755)
    } else if about.is_symlink() {
        let target = fs::read_link(path).map_err(reading(path))?;
        let leads = fs::canonicalize(path).map_err(reading(path))?;
        let text = target.to_str().filter(|_| target.is_relative() && leads.starts_with(top));
        let Some(text) = text else {
            return Err(FilesError::Outside { link: path.to_owned(), target: leads });
        };
        (Node::Link(text.to_owned()), 0o777)
    } else if about.is_file() {
        // Whether it is a program is a part of what it is; who may write to it here is not.
        let mode = if about.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
        (Node::Copy { from: path.to_owned(), size: about.len() }, mode)
    } else {
        return Err(FilesError::Odd(path.to_owned()));
    };
    Ok(Entry { node, mode, owner: (0, 0), modified: UNDATED })
}

fn by_content(path: &Path) -> io::Result<u64> {
    let mut file = fs::File::open(path)?;
    let mut hashing = Hashing::new(io::sink());
    io::copy(&mut file.by_ref(), &mut hashing)?;
    Ok(UNDATED + hashing.finish().1.number() % TWENTY_YEARS)
}

fn reading(path: &Path) -> impl Fn(io::Error) -> FilesError + use<> {
    let path = path.to_owned();
    move |reason| FilesError::Read { path: path.clone(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(top: &Path) -> Vec<String> {
        let found = files(top, Times::Epoch, 7).unwrap();
        found.into_iter().map(|(path, _)| path).filter(|path| !path.is_empty()).collect()
    }

    #[test]
    fn what_is_ignored_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for name in ["site/a.js", "site/a.map", "site/deep/b.map", "site/keep.map", "site/.hidden"]
        {
            write(name, "");
        }
        write(".imageignore", "*.map\n");
        write("site/.imageignore", "!keep.map\n/deep\n");
        assert_eq!(names(&folder.path().join("site")), [".hidden", "a.js", "keep.map"]);
        write("site/.imageignore", "{a,\n[\n");
        let error = files(&folder.path().join("site"), Times::Epoch, 7).unwrap_err();
        assert!(error.to_string().contains("can't be copied"), "{error}");
    }

    #[test]
    fn times_follow_what_they_are_told_to() {
        let folder = tempfile::tempdir().unwrap();
        let time = |name: &str, text: &str, times: Times| {
            fs::write(folder.path().join(name), text).unwrap();
            let (path, entry) = files(&folder.path().join(name), times, 7).unwrap().remove(0);
            assert_eq!((path.as_str(), entry.mode), ("", 0o644));
            entry.modified
        };
        assert_eq!(time("a", "1", Times::Epoch), 7);
        assert_eq!(time("a", "1", Times::Git), 7, "no repository");
        assert_eq!(time("a", "1", Times::Content), time("b", "1", Times::Content));
        assert_ne!(time("a", "1", Times::Content), time("a", "2", Times::Content));
        assert!(time("a", "1", Times::Content) > UNDATED);
    }
}
