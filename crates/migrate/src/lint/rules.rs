//! All rules, one in a file.

mod prelude;
mod reserved;
mod sqlite_syntax;
mod types;

mod at01;
mod at02;
mod at03;
mod at04;
mod at05;
mod at06;
mod at07;
mod bc01;
mod bc02;
mod bc03;
mod bc04;
mod bc05;
mod bc06;
mod bc07;
mod bc08;
mod bc09;
mod bc10;
mod bc11;
mod bc12;
mod bc13;
mod fl01;
mod fl02;
mod fl03;
pub(super) mod fl04;
pub(super) mod fl05;
mod fl06;
mod lk01;
mod lk02;
mod lk03;
mod lk04;
mod lk05;
mod lk06;
mod lk07;
mod lk08;
mod lk09;
mod lk10;
pub(super) mod lt01;
pub(super) mod lt02;
pub(super) mod lt03;
mod pt01;
mod pt02;
mod pt03;
mod pt04;
mod sq01;
mod sq02;
mod sq03;
mod sq04;
mod sq05;
mod sq06;
mod sq07;
mod sq08;
mod sq09;
mod sq10;
mod sq11;
mod sq12;
mod sq13;

use super::rule::Rule;

/// In the order in which they are listed: what breaks a running version (BC), what locks or copies
/// (LK), what can't be taken up or rolled back (AT), the quality of the schema (SQ), what is not the
/// same on all databases (PT), the files themselves (FL), what is said to this linter (LT).
pub(super) const ALL: &[Rule] = &[
    bc01::RULE,
    bc02::RULE,
    bc03::RULE,
    bc04::RULE,
    bc05::RULE,
    bc06::RULE,
    bc07::RULE,
    bc08::RULE,
    bc09::RULE,
    bc10::RULE,
    bc11::RULE,
    bc12::RULE,
    bc13::RULE,
    lk01::RULE,
    lk02::RULE,
    lk03::RULE,
    lk04::RULE,
    lk05::RULE,
    lk06::RULE,
    lk07::RULE,
    lk08::RULE,
    lk09::RULE,
    lk10::RULE,
    at01::RULE,
    at02::RULE,
    at03::RULE,
    at04::RULE,
    at05::RULE,
    at06::RULE,
    at07::RULE,
    sq01::RULE,
    sq02::RULE,
    sq03::RULE,
    sq04::RULE,
    sq05::RULE,
    sq06::RULE,
    sq07::RULE,
    sq08::RULE,
    sq09::RULE,
    sq10::RULE,
    sq11::RULE,
    sq12::RULE,
    sq13::RULE,
    pt01::RULE,
    pt02::RULE,
    pt03::RULE,
    pt04::RULE,
    fl01::RULE,
    fl02::RULE,
    fl03::RULE,
    fl04::RULE,
    fl05::RULE,
    fl06::RULE,
    lt01::RULE,
    lt02::RULE,
    lt03::RULE,
];

/// The rule with this id.
pub(super) fn find(id: &str) -> Option<&'static Rule> {
    ALL.iter().find(|rule| rule.id == id)
}
