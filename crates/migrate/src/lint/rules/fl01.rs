//! FL01: a file begins with a byte order mark.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "FL01",
    severity: Severity::Warning,
    title: "a file begins with a byte order mark",
    why: "The runner takes it away; the servers' own clients and other tools send it, and the \
        first statement fails with a syntax error that nobody can see.",
    bad: "",
    safe: "Save the file as UTF-8 without BOM.",
    good: "",
    on: On::Both,
    ways: Ways::Both,
    check: Check::File(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    if look.file.byte_order_mark {
        vec![Hit::new("the file begins with a byte order mark: save it without")]
    } else {
        vec![]
    }
}
