//! LT02: something is allowed that no rule finds.

use super::prelude::*;
use crate::lint::file::LintFile;
use crate::sql::directive::Allowed;

pub(super) const RULE: Rule = Rule {
    id: "LT02",
    severity: Severity::Warning,
    title: "something is allowed that no rule finds",
    why: "The reason is not true any more, or it stands above the wrong statement: what it was \
        meant for may be found elsewhere, and a later change would be allowed without a thought.",
    bad: "-- migrate: allow=BC01 reason=\"nobody reads it\"\n\
        ALTER TABLE users ADD COLUMN country CHAR(2) NULL;",
    safe: "Take the comment away, or put it right above the statement that it is for.",
    good: "ALTER TABLE users ADD COLUMN country CHAR(2) NULL;",
    on: On::Both,
    ways: Ways::Both,
    check: Check::Elsewhere,
};

/// An allowance that nothing needed.
pub(in crate::lint) fn unused(file: &LintFile, allowed: &Allowed) -> Finding {
    let what = &allowed.what;
    let place = (!allowed.in_file).then_some(allowed.statement);
    of_file(
        &RULE,
        &file.file,
        allowed.line,
        place,
        format!("{what} is allowed here, and nothing like it is found: take the comment away"),
    )
}
