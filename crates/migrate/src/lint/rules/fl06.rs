//! FL06: a number is missing before a file.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "FL06",
    severity: Severity::Warning,
    title: "a number is missing before a file",
    why: "Where files are counted 1, 2, 3, one that is not there is on a branch that was not merged, \
        and will come in out of order, or was deleted, and databases that have it stop with \
        `unknown`.",
    bad: "",
    safe: "Give the file the next number, or bring the missing one. Dates as versions, as `migrate \
        create` makes them, leave no gaps.",
    good: "",
    on: On::Both,
    ways: Ways::Up,
    check: Check::File(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    match look.file.missing {
        None => vec![],
        Some((first, last)) if first == last => {
            vec![Hit::new(format!("number {first} is missing before it"))]
        }
        Some((first, last)) => {
            vec![Hit::new(format!("the numbers {first} to {last} are missing before it"))]
        }
    }
}
