//! AT03: BEGIN or COMMIT in a migration.

use super::prelude::*;
use crate::sql::meaning::Transaction;

pub(super) const RULE: Rule = Rule {
    id: "AT03",
    severity: Severity::Warning,
    title: "BEGIN or COMMIT in a migration",
    why: "On MySQL and MariaDB a change of the schema ends the transaction, whatever stands around \
        it: the file looks as if all of it could be rolled back, and it can't. The runner leaves \
        BEGIN and COMMIT out and makes a transaction of its own where that is possible.",
    bad: "BEGIN;\n\
        ALTER TABLE users ADD COLUMN country CHAR(2) NULL;\n\
        COMMIT;",
    safe: "Leave them away. A file that changes rows alone is one transaction in any case.",
    good: "ALTER TABLE users ADD COLUMN country CHAR(2) NULL;",
    on: On::MySql,
    ways: Ways::Both,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    match look.statement.meaning {
        Meaning::Transaction(Transaction::Begin) => {
            vec![Hit::new(
                "BEGIN is left out: a change of the schema commits by itself, and rows are in a transaction already",
            )]
        }
        Meaning::Transaction(Transaction::Rollback | Transaction::Savepoint | Transaction::Xa) => {
            vec![Hit::new("ROLLBACK, SAVEPOINT and XA can't be part of a migration: the runner refuses them").ranked(Severity::Error)]
        }
        _ => vec![],
    }
}
