//! What git knows of a folder. Where there is no git, no repository or no commit, it knows nothing.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Neither are locks taken, nor programs started that the repository names for watching files.
fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "core.fsmonitor=false"]);
    command.env("GIT_OPTIONAL_LOCKS", "0").stdin(Stdio::null()).stderr(Stdio::null());
    command
}

fn answer(folder: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let output = git(folder).args(arguments).output().ok()?;
    output.status.success().then_some(output.stdout)
}

/// What it says, if it says something.
fn line(folder: &Path, arguments: &[&str]) -> Option<String> {
    text(folder, arguments).filter(|text| !text.is_empty())
}

/// What it says, if it succeeds.
pub(crate) fn text(folder: &Path, arguments: &[&str]) -> Option<String> {
    let text = answer(folder, arguments)?;
    Some(String::from_utf8_lossy(&text).trim().to_owned())
}

/// The commit that is checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its name.
    pub commit: String,
    /// When it was made, in seconds since 1970.
    pub time: u64,
}

/// The commit that is checked out around a folder.
pub fn head(folder: &Path) -> Option<Head> {
    let line = line(folder, &["log", "-1", "--format=%H %ct"])?;
    let (commit, time) = line.split_once(' ')?;
    Some(Head { commit: commit.to_owned(), time: time.parse().ok()? })
}

/// When the files below a folder were last changed by a commit, in seconds since 1970, by their path
/// from there. Files that differ from their commit, and those that are in none, are left out.
///
/// In a clone without its history (`--depth`), everything was changed by its oldest commit.
pub fn last_changed(folder: &Path, files: &[PathBuf]) -> HashMap<PathBuf, u64> {
    let mut found = HashMap::new();
    let changed = ["diff", "--name-only", "--relative", "-z", "HEAD", "--", "."];
    let Some(changed) = answer(folder, &changed) else { return found };
    let changed: HashSet<&Path> = changed.split(|byte| *byte == 0).map(path).collect();
    let mut waiting: HashSet<&Path> = files.iter().map(PathBuf::as_path).collect();
    waiting.retain(|file| !changed.contains(file));

    // Commits follow each other from the newest; it is enough to read until every file was seen.
    let log = ["log", "--format=%x01%ct", "--name-only", "--no-renames", "--relative", "-z"];
    let merges = ["-m", "--first-parent", "--", "."];
    let child = git(folder).args(log).args(merges).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else { return found };
    let mut time = 0;
    let read = child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).split(0));
    for part in read.map_while(Result::ok) {
        // Between a commit's line and its first name stands a line break, and nothing but that.
        let part = part.strip_prefix(b"\n").unwrap_or(&part);
        if let Some(line) = part.strip_prefix(b"\x01") {
            let line = String::from_utf8_lossy(line);
            time = line.trim().parse().unwrap_or(time);
        } else if waiting.remove(path(part)) {
            found.insert(path(part).to_owned(), time);
            if waiting.is_empty() {
                break;
            }
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    found
}

/// Whether a folder is in a clone that lacks its history.
pub fn is_shallow(folder: &Path) -> bool {
    line(folder, &["rev-parse", "--is-shallow-repository"]).as_deref() == Some("true")
}

fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(folder: &Path, time: u64, arguments: &[&str]) {
        let mut command = git(folder);
        for who in ["GIT_AUTHOR", "GIT_COMMITTER"] {
            command.env(format!("{who}_NAME"), "x").env(format!("{who}_EMAIL"), "x@example.org");
            command.env(format!("{who}_DATE"), format!("@{time} +0000"));
        }
        assert!(command.args(arguments).stdout(Stdio::null()).status().unwrap().success());
    }

    #[test]
    fn a_file_is_as_old_as_the_last_commit_that_changed_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        assert_eq!((head(at), is_shallow(at)), (None, false));
        run(at, 0, &["init", "-q"]);
        let site = at.join("site");
        std::fs::create_dir(&site).unwrap();
        let write = |name: &str, text: &str| std::fs::write(site.join(name), text).unwrap();
        for (time, name) in [(1000, "ä b.html"), (2000, "a.js"), (3000, "dirty.css")] {
            write(name, "1");
            run(at, time, &["add", "."]);
            run(at, time, &["commit", "-qm", name]);
        }
        write("dirty.css", "2");
        write("new.js", "1");
        std::fs::write(at.join("beside"), "").unwrap();
        run(at, 4000, &["add", "beside"]);
        run(at, 4000, &["commit", "-qm", "beside"]);
        let files = ["ä b.html", "a.js", "dirty.css", "new.js"].map(PathBuf::from);
        let found = last_changed(&site, &files);
        let mut found: Vec<(&str, u64)> =
            found.iter().map(|(path, time)| (path.to_str().unwrap(), *time)).collect();
        found.sort_unstable();
        assert_eq!(found, [("a.js", 2000), ("ä b.html", 1000)]);
        assert_eq!(head(&site).unwrap().time, 4000);
    }
}
