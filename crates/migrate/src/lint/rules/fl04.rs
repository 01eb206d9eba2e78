//! FL04: a file was changed after it was merged.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "FL04",
    severity: Severity::Error,
    title: "a file was changed after it was merged",
    why: "Where it was applied already, the change never arrives, and the runner stops because of \
        the checksum; databases that are made later differ from those that are older.",
    bad: "",
    safe: "Take the change back and write a new migration. White space at the ends of lines doesn't \
        count.",
    good: "",
    on: On::Both,
    ways: Ways::Both,
    check: Check::Elsewhere,
};

/// A file says something else than where the branches parted.
pub(in crate::lint) fn edited(file: &str) -> Finding {
    about(file, "changed after it was merged: take the change back and write a new migration")
}

/// A file is gone.
pub(in crate::lint) fn removed(file: &str) -> Finding {
    about(file, "removed after it was merged: databases that have it stop with `unknown`")
}

fn about(file: &str, message: &str) -> Finding {
    of_file(&RULE, file, 1, None, message.to_owned())
}
