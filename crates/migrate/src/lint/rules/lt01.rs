//! LT01: a file can't be taken apart.

use super::prelude::*;
use crate::lint::file::LintFile;

pub(super) const RULE: Rule = Rule {
    id: "LT01",
    severity: Severity::Error,
    title: "a file can't be taken apart",
    why: "Something begins in it and does not end, or a comment for the runner is not understood: \
        no rule has looked at it, and the runner refuses it.",
    bad: "SELECT 'a;",
    safe: "Close the string, comment or block; correct the comment. Known are `allow=… reason=\"…\"`, \
        `allow-file=… reason=\"…\"` and `min-version …`.",
    good: "SELECT 'a';",
    on: On::Both,
    ways: Ways::Both,
    check: Check::Elsewhere,
};

/// A file that no rule can look at.
pub(in crate::lint) fn unreadable(file: &LintFile, line: usize, message: &str) -> Finding {
    of_file(&RULE, &file.file, line, None, message.to_owned())
}
