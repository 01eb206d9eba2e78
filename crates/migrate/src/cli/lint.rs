//! The verb `lint`: needs files and no database.

use std::io::Write;
use std::path::Path;

use clap::Args;

use crate::lint::{self, Format, LintOptions};
use crate::{Dialect, Migrations, SourceError};

/// Of `lint` when there are errors.
pub const LINT_ERRORS: u8 = 50;

/// Options of `lint`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Lint {
    /// Judge only the files that are new since this branch, tag or commit, as one release; and tell
    /// which files were changed after they were merged there
    #[arg(long, value_name = "GIT-REF")]
    since: Option<String>,
    /// How to write what is found; on GitHub's runners github, elsewhere text
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// The only database that the folder is for. Without it, files whose names say no database are
    /// for all
    #[arg(long, value_name = "DATABASE")]
    only: Option<Database>,
    /// Fail because of warnings, too
    #[arg(long)]
    strict: bool,
    /// Say what a rule is about and how to do it safely
    #[arg(long, value_name = "RULE", exclusive = true)]
    explain: Option<String>,
    /// List the rules
    #[arg(long, exclusive = true)]
    rules: bool,
}

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Database {
    /// `MySQL` and `MariaDB`.
    Mysql,
    /// `SQLite`.
    Sqlite,
}

/// Why `lint` could not judge.
#[derive(Debug, thiserror::Error)]
pub enum LintError {
    /// What changed can't be told.
    #[error(transparent)]
    Since(#[from] lint::SinceError),
    /// A file can't be read again.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Embedded migrations have no history.
    #[error("--since needs a folder of files: pass --source")]
    NoFolder,
    /// No such rule.
    #[error("there is no rule {0:?}: `lint --rules` lists them")]
    NoRule(String),
    /// The findings can't be written.
    #[error(transparent)]
    Write(#[from] std::io::Error),
}

impl Lint {
    /// Whether there are migrations to judge; else something is to be read about the rules.
    pub fn needs_migrations(&self) -> bool {
        self.explain.is_none() && !self.rules
    }
}

/// Prints what there is to know about the rules, for which no migrations are needed.
pub fn describe(lint: &Lint, out: &mut dyn Write) -> Result<u8, LintError> {
    let text = match &lint.explain {
        Some(id) => lint::explain(id).ok_or_else(|| LintError::NoRule(id.clone()))?,
        None => lint::rules(),
    };
    out.write_all(text.as_bytes())?;
    Ok(0)
}

/// Judges migrations and gives the exit code: 0, or [`LINT_ERRORS`]. `folder` is where they come
/// from, if they come from files.
pub fn run(
    lint: &Lint,
    migrations: &Migrations,
    folder: Option<&Path>,
    out: &mut dyn Write,
) -> Result<u8, LintError> {
    if !lint.needs_migrations() {
        return describe(lint, out);
    }
    let since = match (&lint.since, folder) {
        (None, _) => None,
        (Some(git_ref), Some(folder)) => Some(lint::since(folder, git_ref)?),
        (Some(_), None) => return Err(LintError::NoFolder),
    };
    let only = lint.only.map(|only| match only {
        Database::Mysql => Dialect::MySql,
        Database::Sqlite => Dialect::Sqlite,
    });
    let findings = lint::lint(migrations, &LintOptions { since, only })?;
    let path = folder.map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default();
    let on_github = std::env::var_os("GITHUB_ACTIONS").is_some();
    let usual = if on_github { Format::Github } else { Format::Text };
    let text = lint::render(&findings, lint.format.unwrap_or(usual), &path);
    out.write_all(text.as_bytes())?;
    let least = if lint.strict { lint::Severity::Warning } else { lint::Severity::Error };
    let fails = findings.iter().any(|finding| finding.severity >= least);
    Ok(if fails { LINT_ERRORS } else { 0 })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        lint: Lint,
    }

    fn lint(arguments: &[&str], text: &str) -> (Result<u8, LintError>, String) {
        let lint = Program::parse_from(["lint"].iter().chain(arguments)).lint;
        let files = [("1_a.up.sql", text), ("1_a.down.sql", "SELECT 1;")];
        let mut out = Vec::new();
        let code = run(&lint, &Migrations::from_files(files).unwrap(), None, &mut out);
        (code, String::from_utf8(out).unwrap())
    }

    #[test]
    fn errors_and_with_strict_warnings_end_with_50() {
        let text = ["--format", "text", "--only", "mysql"];
        assert_eq!(lint(&text, "DROP TABLE a;").0.unwrap(), LINT_ERRORS);
        let warning = "CREATE DEFINER=a VIEW v AS SELECT 1;";
        assert_eq!(lint(&text, warning).0.unwrap(), 0);
        assert_eq!(lint(&[&text[..], &["--strict"]].concat(), warning).0.unwrap(), LINT_ERRORS);
        assert_eq!(lint(&text, "SELECT 1;").1, "nothing found\n");
    }

    #[test]
    fn rules_are_listed_and_explained() {
        assert!(lint(&["--rules"], "SELECT 1;").1.contains("BC03  error"));
        assert!(lint(&["--explain", "bc03"], "SELECT 1;").1.contains("a column is renamed"));
        let unknown = lint(&["--explain", "XX01"], "SELECT 1;").0.unwrap_err();
        assert!(unknown.to_string().contains("no rule \"XX01\""), "{unknown}");
    }

    #[test]
    fn embedded_migrations_have_no_history() {
        assert!(matches!(lint(&["--since", "main"], "SELECT 1;").0, Err(LintError::NoFolder)));
    }
}
