//! LK10: a lock is taken by hand, or the server is flushed.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "LK10",
    severity: Severity::Error,
    title: "a lock is taken by hand, or the server is flushed",
    why: "LOCK TABLES ends the transaction and shuts out the runner's own records; FLUSH TABLES \
        WITH READ LOCK stops the whole server, and FLUSH waits for every long query; GET_LOCK \
        can be held for ever by a connection that hangs. The runner holds a lock already, \
        against other runners.",
    bad: "LOCK TABLES users WRITE;",
    safe: "Leave it away. What must not see half a change belongs into one statement, or into a \
        file of nothing but INSERT, UPDATE and DELETE, which is one transaction.",
    good: "UPDATE users SET age = 18 WHERE id = 7;",
    on: On::MySql,
    ways: Ways::Both,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let statement = look.statement;
    let what = ["lock tables", "lock table", "unlock tables", "flush"]
        .into_iter()
        .find(|words| statement.begins(words));
    let what = what.map(str::to_uppercase).or_else(|| {
        ["get_lock", "release_lock"]
            .into_iter()
            .find(|word| statement.says(&format!("{word} (")))
            .map(|word| format!("{}()", word.to_uppercase()))
    });
    what.map(|what| Hit::new(format!("{what} in a migration: leave it away"))).into_iter().collect()
}
