//! SQ09: a DEFINER.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "SQ09",
    severity: Severity::Warning,
    title: "a DEFINER",
    why: "It names an account that need not exist on another server: views and routines then fail \
        when they are used, or need a right (SET_ANY_DEFINER) that a runner should not have. \
        Without it the account that runs the migration is taken.",
    bad: "CREATE DEFINER=`root`@`localhost` VIEW grown AS SELECT id FROM users WHERE age >= 18;",
    safe: "Leave it away; say SQL SECURITY INVOKER where the rights of the caller are meant.",
    good: "CREATE SQL SECURITY INVOKER VIEW grown AS SELECT id FROM users WHERE age >= 18;",
    on: On::MySql,
    ways: Ways::Both,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let statement = look.statement;
    let made = statement.begins("create") || statement.begins("alter");
    if made && statement.says("definer =") {
        return vec![Hit::new(
            "DEFINER names an account that need not exist elsewhere: leave it away",
        )];
    }
    vec![]
}
