//! LT03: something is allowed that is no rule.

use super::prelude::*;
use crate::lint::file::LintFile;
use crate::sql::directive::Allowed;

pub(super) const RULE: Rule = Rule {
    id: "LT03",
    severity: Severity::Error,
    title: "something is allowed that is no rule",
    why: "A slip of the pen: the rule that was meant is still in force, or, if a rule was renamed, \
        nobody notices.",
    bad: "-- migrate: allow=BC99 reason=\"nobody reads it\"\n\
        ALTER TABLE users ADD COLUMN country CHAR(2) NULL;",
    safe: "`migrate lint --rules` lists the rules.",
    good: "ALTER TABLE users ADD COLUMN country CHAR(2) NULL;",
    on: On::Both,
    ways: Ways::Both,
    check: Check::Elsewhere,
};

/// An allowance of something that is no rule.
pub(in crate::lint) fn unknown(file: &LintFile, allowed: &Allowed) -> Finding {
    let what = &allowed.what;
    of_file(
        &RULE,
        &file.file,
        allowed.line,
        Some(allowed.statement),
        format!("{what} is no rule: `migrate lint --rules` lists them"),
    )
}
