//! LK02: the statement asks for a lock that stops writers or readers.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "LK02",
    severity: Severity::Error,
    title: "the statement asks for a lock that stops writers or readers",
    why: "With LOCK=SHARED nobody writes to the table until the change is over, with \
        LOCK=EXCLUSIVE nobody reads it either. ALGORITHM=COPY is the same as LOCK=SHARED.",
    bad: "ALTER TABLE users ADD INDEX users_age (age), LOCK=SHARED;",
    safe: "Leave both words away: the runner asks for the way that locks least and is told by the \
        server if there is none. Or write LOCK=NONE, which fails at once where it can't be had.",
    good: "ALTER TABLE users ADD INDEX users_age (age), LOCK=NONE;",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let asked = look.clauses().filter_map(|(table, clause)| match clause {
        Clause::Lock(way) if way == "shared" => {
            Some(Hit::new(format!("LOCK=SHARED: nobody can write to {table} meanwhile")))
        }
        Clause::Lock(way) if way == "exclusive" => {
            Some(Hit::new(format!("LOCK=EXCLUSIVE: nobody can read or write {table} meanwhile")))
        }
        Clause::Algorithm(way) if way == "copy" => {
            Some(Hit::new(format!("ALGORITHM=COPY: nobody can write to {table} meanwhile")))
        }
        _ => None,
    });
    asked.collect()
}
