//! FL02: lines end as on Windows (CRLF).

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "FL02",
    severity: Severity::Warning,
    title: "lines end as on Windows (CRLF)",
    why: "The runner takes the CR away before it hashes and sends the text; other tools don't, so \
        that the same file has two checksums, and texts that go over several lines differ.",
    bad: "",
    safe: "Put `*.sql text eol=lf` into .gitattributes, and save the file with LF.",
    good: "",
    on: On::Both,
    ways: Ways::Both,
    check: Check::File(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    if look.file.crlf {
        vec![Hit::new("lines end with CRLF: put `*.sql text eol=lf` into .gitattributes")]
    } else {
        vec![]
    }
}
