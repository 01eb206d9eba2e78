//! `-- migrate: allow=BC03 reason="…"` above a statement, `allow-file=` anywhere above one.

use super::Finding;
use super::file::LintFile;
use super::rules::{find, lt01, lt02, lt03};
use crate::Dialect;
use crate::sql::directive::{Allowed, directives};
use crate::sql::split::Statement;

/// What `allow=copy`, which the runner reads, says to rules.
const COPIES: [&str; 5] = ["LK01", "LK03", "LK05", "LK06", "LK07"];

/// What the comments of a file allow, and what of it was needed.
pub(super) struct Allowances(Vec<(Allowed, bool)>);

/// Reads the comments of a file. What they say wrongly is told.
pub(super) fn read(
    file: &LintFile,
    dialect: Dialect,
    statements: &[Statement<'_>],
) -> (Allowances, Vec<Finding>) {
    match directives(dialect, &file.text, statements) {
        Ok(directives) => {
            let (known, unknown): (Vec<_>, Vec<_>) = directives
                .allowed()
                .iter()
                .cloned()
                .partition(|allowed| allowed.what == "copy" || find(&allowed.what).is_some());
            let problems = unknown.iter().map(|allowed| lt03::unknown(file, allowed)).collect();
            (Allowances(known.into_iter().map(|allowed| (allowed, false)).collect()), problems)
        }
        Err(error) => {
            (Allowances(vec![]), vec![lt01::unreadable(file, error.line, &error.to_string())])
        }
    }
}

impl Allowances {
    /// Whether a finding of this rule is allowed there.
    pub(super) fn allow(&mut self, rule: &str, statement: Option<usize>) -> bool {
        let mut any = false;
        for (allowed, used) in &mut self.0 {
            let what = allowed.what == rule || (allowed.what == "copy" && COPIES.contains(&rule));
            if what && (allowed.in_file || Some(allowed.statement) == statement) {
                *used = true;
                any = true;
            }
        }
        any
    }

    /// What was allowed and not needed.
    pub(super) fn unused(self, file: &LintFile) -> Vec<Finding> {
        let unused = self.0.into_iter().filter(|(_, used)| !used);
        unused.map(|(allowed, _)| lt02::unused(file, &allowed)).collect()
    }
}
