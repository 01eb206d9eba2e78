//! FL03: there is no way back.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "FL03",
    severity: Severity::Info,
    title: "there is no way back",
    why: "`down` and `redo` stop at it, and `verify --scratch` can't undo it. What loses data has \
        no true way back; many teams go forward only, which is fine: allow it then.",
    bad: "",
    safe: "Write a .down.sql beside it, or a `-- migrate:down` section.",
    good: "",
    on: On::Both,
    ways: Ways::Up,
    check: Check::File(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    if look.file.has_down {
        vec![]
    } else {
        vec![Hit::new("there is no down file: `migrate down` stops here")]
    }
}
