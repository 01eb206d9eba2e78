//! BC11: a view, trigger or routine that is in use is dropped or replaced.

use super::prelude::*;
use crate::sql::meaning::Effect;

pub(super) const RULE: Rule = Rule {
    id: "BC11",
    severity: Severity::Error,
    title: "a view, trigger or routine that is in use is dropped or replaced",
    why: "The version that is still running may read the view, call the routine or count on what \
        the trigger does. Dropped and made again, it is missing in between.",
    bad: "DROP VIEW adults;",
    safe: "Make the new one under another name, move the program to it, and drop the old one in a \
        later release. A view that only gets more columns at its end can be replaced in one \
        statement: say so as the reason.",
    good: "CREATE VIEW adults_v2 AS SELECT id, email FROM users WHERE age >= 21;",
    on: On::Both,
    ways: Ways::Up,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    if look.statement.begins("alter view") {
        return vec![
            Hit::new("a view is replaced that versions that are running may read")
                .ranked(Severity::Warning),
        ];
    }
    let Meaning::Ddl(ddl) = &look.statement.meaning else { return vec![] };
    let replaces = look.statement.begins("create or replace");
    let hit = |what: &str, name: &Name| {
        if look.release.others.contains(&name.name.to_lowercase()) {
            return None;
        }
        Some(if replaces {
            Hit::new(format!("{what} {name} is replaced while versions that use it may be running"))
                .ranked(Severity::Warning)
        } else {
            Hit::new(format!("{what} {name} is dropped while versions that use it may be running"))
        })
    };
    ddl.effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::ViewGone { view } => hit("view", view),
            Effect::ViewExists { view } if replaces => hit("view", view),
            Effect::TriggerGone { trigger } => hit("trigger", trigger),
            Effect::TriggerExists { trigger } if replaces => hit("trigger", trigger),
            Effect::RoutineGone { routine, .. } => hit("routine", routine),
            Effect::RoutineExists { routine, .. } if replaces => hit("routine", routine),
            Effect::EventGone { event } => hit("event", event),
            _ => None,
        })
        .collect()
}
