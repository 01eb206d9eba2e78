//! SQ05: a reserved word as a name.

use super::prelude::*;
use super::reserved::is_reserved;

pub(super) const RULE: Rule = Rule {
    id: "SQ05",
    severity: Severity::Warning,
    title: "a reserved word as a name",
    why: "Every statement that names it needs quotes, which differ between databases, and a tool \
        or a program that forgets them fails.",
    bad: "ALTER TABLE orders ADD COLUMN `rank` INT NULL;",
    safe: "Take another name: position, ranking, group_name.",
    good: "ALTER TABLE orders ADD COLUMN ranking INT NULL;",
    on: On::MySql,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let columns = defined(look).map(|column| column.name.as_str());
    let table = match &look.statement.act {
        Act::CreateTable(table) => Some(table.name.as_str()),
        _ => None,
    };
    let renamed =
        look.statement.alters().into_iter().flat_map(|(_, clauses)| clauses).filter_map(|clause| {
            match clause {
                Clause::RenameColumn { to, .. } => Some(to.as_str()),
                Clause::RenameTable(to) => Some(to.name.as_str()),
                _ => None,
            }
        });
    columns
        .chain(table)
        .chain(renamed)
        .filter(|name| is_reserved(name))
        .map(|name| Hit::new(format!("{name} is a reserved word: every statement has to quote it")))
        .collect()
}
