//! LK04: a table is changed by several statements that go through all of its rows.

use super::prelude::*;
use crate::lint::online::{Online, Server, of_clauses};

pub(super) const RULE: Rule = Rule {
    id: "LK04",
    severity: Severity::Warning,
    title: "a table is changed by several statements that go through all of its rows",
    why: "Each of them reads or writes the whole table again, and each waits again for everybody \
        who uses it. One ALTER TABLE with several clauses does so once.",
    bad: "ALTER TABLE users ADD INDEX users_age (age);\n\
        ALTER TABLE users ADD INDEX users_created (created_at);",
    safe: "Put the clauses into one ALTER TABLE. What is instant is better left in a statement of \
        its own: together with something slower it is as slow.",
    good: "ALTER TABLE users ADD INDEX users_age (age), ADD INDEX users_created (created_at);",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let slow = |statement: &Seen<'_>| {
        let (table, clauses) = statement.alters()?;
        let builds = clauses.iter().any(|clause| {
            !matches!(
                clause,
                Clause::DropIndex { .. }
                    | Clause::RenameIndex { .. }
                    | Clause::HideIndex { .. }
                    | Clause::DropConstraint { .. }
                    | Clause::MetadataOption
                    | Clause::Algorithm(_)
                    | Clause::Lock(_)
            )
        });
        let how = of_clauses(Server::MySql, clauses, look.schema.table(&table.name));
        (builds && !matches!(how, Online::Instant | Online::Unknown))
            .then(|| table.name.to_lowercase())
    };
    let Some(table) = slow(look.statement).filter(|table| look.in_use(table)) else {
        return vec![];
    };
    let before =
        look.statements.iter().take_while(|statement| statement.number < look.statement.number);
    let Some(first) = before.filter(|before| slow(before).as_ref() == Some(&table)).last() else {
        return vec![];
    };
    let number = first.number;
    vec![Hit::new(format!(
        "{table} is gone through again after statement {number}: make them one ALTER TABLE"
    ))]
}
