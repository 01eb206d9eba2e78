//! What is new since some state of the repository, asked of `git`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::file::LintFile;
use super::rules::{fl04, fl05};
use super::{Finding, Names};
use crate::checksum::{Checksum, normalise};

/// What changed in a folder since some state of its repository. File names are without a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// Files that are not there.
    pub new: Names,
    /// Files that say something else than where the two histories parted.
    pub edited: Names,
    /// Files that were there where the two histories parted, and are gone.
    pub removed: Names,
    /// The newest version that is there.
    pub newest: Option<i64>,
}

/// Why `git` could not tell.
#[derive(Debug, thiserror::Error)]
pub enum SinceError {
    /// The program can't be started.
    #[error("git is needed for --since and can't be started: {0}")]
    NoGit(std::io::Error),
    /// No such branch, tag or commit.
    #[error(
        "{git_ref:?} is no commit that git knows in {folder} ({reason}): in CI, fetch it first, for \
         example git fetch origin main, and give origin/main"
    )]
    NoRef {
        /// As it was given.
        git_ref: String,
        /// The folder.
        folder: String,
        /// The words of `git`.
        reason: String,
    },
    /// The commits have no common ancestor, or it was not fetched.
    #[error(
        "git finds no commit from which both {git_ref} and HEAD come: if this is a shallow clone, \
         fetch all of it (git fetch --unshallow, or fetch-depth: 0)"
    )]
    NoBase {
        /// As it was given.
        git_ref: String,
    },
    /// Anything else.
    #[error("git {what} failed: {reason}")]
    Failed {
        /// Its first argument.
        what: String,
        /// The words of `git`.
        reason: String,
    },
}

/// What is new and what is edited in a folder since a branch, tag or commit.
pub fn since(folder: &Path, git_ref: &str) -> Result<Since, SinceError> {
    let git = Git { folder };
    let commit = format!("{git_ref}^{{commit}}");
    let there = git
        .run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])
        .map_err(|error| match error {
            SinceError::Failed { reason, .. } => SinceError::NoRef {
                git_ref: git_ref.to_owned(),
                folder: folder.display().to_string(),
                reason: if reason.is_empty() { "unknown revision".to_owned() } else { reason },
            },
            other => other,
        })?;
    let there = there.trim();
    let base = git.run(&["merge-base", there, "HEAD"]).map_err(|error| match error {
        SinceError::Failed { .. } => SinceError::NoBase { git_ref: git_ref.to_owned() },
        other => other,
    })?;
    let base = base.trim();
    let names = git.files(there)?;
    let before = git.files(base)?;
    let mut since =
        Since { newest: names.iter().filter_map(|name| version(name)).max(), ..Since::default() };
    let now = sql_files(folder)?;
    since.new = now
        .iter()
        .filter(|name| !names.contains(*name) && !before.contains(*name))
        .cloned()
        .collect();
    for name in &before {
        if !now.contains(name) {
            since.removed.insert(name.clone());
            continue;
        }
        let old = git.run(&["show", &format!("{base}:./{name}")])?;
        let text = std::fs::read(folder.join(name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        if Checksum::of(&normalise(&old)) != Checksum::of(&normalise(&text)) {
            since.edited.insert(name.clone());
        }
    }
    Ok(since)
}

struct Git<'a> {
    folder: &'a Path,
}

impl Git<'_> {
    fn run(&self, arguments: &[&str]) -> Result<String, SinceError> {
        let output = Command::new("git")
            .arg("-C")
            .arg(self.folder)
            .args(arguments)
            .output()
            .map_err(SinceError::NoGit)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(SinceError::Failed {
            what: arguments.first().copied().unwrap_or_default().to_owned(),
            reason: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// The names of the migrations of the folder in a commit.
    fn files(&self, commit: &str) -> Result<BTreeSet<String>, SinceError> {
        let list = self.run(&["ls-tree", "--name-only", "-z", commit, "./"])?;
        let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
        Ok(list.split('\0').map(name).filter(|name| is_sql(name)).collect())
    }
}

fn sql_files(folder: &Path) -> Result<BTreeSet<String>, SinceError> {
    let failed = |error: std::io::Error| SinceError::Failed {
        what: "lint --since".to_owned(),
        reason: format!("{}: {error}", folder.display()),
    };
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        names.insert(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| is_sql(name));
    Ok(names)
}

fn is_sql(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "sql")
}

fn version(name: &str) -> Option<i64> {
    name.split_once('_')?.0.parse().ok()
}

/// What is wrong about the files themselves.
pub(super) fn findings(files: &[LintFile], since: &Since) -> Vec<Finding> {
    let edited = since.edited.iter().map(|name| fl04::edited(name));
    let removed = since.removed.iter().map(|name| fl04::removed(name));
    let late = files.iter().filter(|file| file.is_new && !file.down).filter_map(|file| {
        let newest = since.newest.filter(|newest| file.version <= *newest)?;
        Some(fl05::late(&file.file, newest))
    });
    edited.chain(removed).chain(late).collect()
}
