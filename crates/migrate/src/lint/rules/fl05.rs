//! FL05: a new migration is older than the newest that is merged.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "FL05",
    severity: Severity::Error,
    title: "a new migration is older than the newest that is merged",
    why: "Databases that have the newer one refuse it as out of order, or, where that is allowed, \
        get the two in another order than new databases.",
    bad: "",
    safe: "Give it a new version; `migrate create` makes one that is newer than all.",
    good: "",
    on: On::Both,
    ways: Ways::Up,
    check: Check::Elsewhere,
};

/// A version that comes too late.
pub(in crate::lint) fn late(file: &str, newest: i64) -> Finding {
    of_file(
        &RULE,
        file,
        1,
        None,
        format!("older than {newest}, which is merged already: give it a new version"),
    )
}
