//! What is wrong with migrations, told before they run: rules with ids, each with its reason, a bad
//! example and the safe way.
//!
//! Everything here is judged from the texts of the folder. What can't be judged from them is said
//! as a finding of severity [`Severity::Info`], never passed over.

mod check;
mod explain;
mod file;
mod look;
pub(crate) mod online;
mod render;
mod rule;
mod rules;
pub(crate) mod schema;
mod since;
mod suppress;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::{Dialect, Migrations, SourceError};
pub use explain::{explain, rules};
pub use online::{Online, Server, predict};
pub use render::{Format, render};
pub use since::{Since, SinceError, since};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing, or can't be judged.
    Info,
    /// Better done in another way.
    Warning,
    /// Breaks or stops what is running, or can't be trusted to work.
    Error,
}

/// One thing that a rule found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its id, such as `BC03`.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The file's name.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// The statement's place in the file, from 1; none where it is about the file.
    pub statement: Option<usize>,
    /// What is wrong.
    pub message: String,
}

/// What to judge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LintOptions {
    /// What is new since some state of the repository: only that is judged, and what is new
    /// together is one release. Without it every file is judged, as a release of its own.
    pub since: Option<Since>,
    /// The only database that the folder is for. Without it, files whose names say no database are
    /// for both.
    pub only: Option<Dialect>,
}

/// Everything that the rules find, by file and line. Fails if a file can't be read again.
pub fn lint(migrations: &Migrations, options: &LintOptions) -> Result<Vec<Finding>, SourceError> {
    let mut files = file::files(migrations, options.since.as_ref().map(|since| &since.new))?;
    if let Some(only) = options.only {
        files.retain(|file| file.dialect.is_none_or(|dialect| dialect == only));
        for file in &mut files {
            file.dialect = Some(only);
        }
    }
    let mut findings = check::check(&files, options.since.is_some());
    if let Some(since) = &options.since {
        findings.extend(since::findings(&files, since));
    }
    findings.sort_by(|a, b| {
        (&a.file, a.line, a.rule, &a.message).cmp(&(&b.file, b.line, b.rule, &b.message))
    });
    findings.dedup();
    Ok(findings)
}

/// Whether any of them is an error.
pub fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

/// The names of new files.
type Names = BTreeSet<String>;

#[cfg(test)]
#[path = "lint/tests.rs"]
mod tests;
