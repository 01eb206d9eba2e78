//! BC05: a column's type becomes narrower, or another.

use super::prelude::*;
use super::types::{Change, change};

pub(super) const RULE: Rule = Rule {
    id: "BC05",
    severity: Severity::Error,
    title: "a column's type becomes narrower, or another",
    why: "The version that is still running writes values that fit the old type: in strict mode \
        its statements fail, otherwise values are cut without a word. What is in the table \
        already may stop the change half way through a rollout. What VARCHAR, ENUM and NULL are \
        narrowed to is for BC12, BC10 and BC07.",
    bad: "ALTER TABLE orders MODIFY quantity SMALLINT NOT NULL DEFAULT 1;",
    safe: "Add a new column of the new type, write both, copy the old rows in batches, read the new \
        one, and drop the old one in a later release. Making a type wider breaks nobody.",
    good: "ALTER TABLE orders MODIFY quantity INT NOT NULL DEFAULT 1, ALGORITHM=INSTANT;",
    on: On::Both,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let judged = look.redefined().filter_map(|(table, from, new)| {
        if look.release.has_column(table, from) {
            return None;
        }
        let Some(old) = look.schema.column(table, from) else {
            return Some(Hit::unsure(format!(
                "the files don't say what {table}.{from} was before, so whether it becomes narrower \
                 (BC05, BC07, BC09, BC10, BC12)"
            )));
        };
        let (was, is) = (shown(&old.kind), shown(&new.kind));
        match change(&old.kind, &new.kind) {
            Change::Narrower => Some(Hit::new(format!(
                "{table}.{from} becomes narrower, {is} instead of {was}: what versions that are running write may not fit"
            ))),
            Change::Other => Some(Hit::new(format!(
                "{table}.{from} becomes {is} instead of {was}: versions that are running write and read it as {was}"
            ))),
            Change::Unknown => Some(Hit::unsure(format!(
                "whether every {was} fits {is} in {table}.{from}"
            ))),
            Change::Wider => None,
        }
    });
    judged.collect()
}
