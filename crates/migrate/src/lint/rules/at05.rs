//! AT05: settings leak out of the migration.

use super::prelude::*;

pub(super) const RULE: Rule = Rule {
    id: "AT05",
    severity: Severity::Error,
    title: "settings leak out of the migration",
    why: "SET GLOBAL and SET PERSIST change the server for everybody and need rights that a runner \
        should not have; sql_log_bin = 0 keeps the change from the replicas; USE moves the rest \
        of the file to another database. What is set for the session holds for every later \
        migration of the same run, and not when they are run on another day.",
    bad: "SET GLOBAL max_connections = 500;",
    safe: "Configure the server where servers are configured. What is set for the session is set \
        back at the end of the file.",
    good: "SET foreign_key_checks = 0;\n\
        ALTER TABLE users ADD COLUMN country CHAR(2) NULL;\n\
        SET foreign_key_checks = 1;",
    on: On::MySql,
    ways: Ways::Both,
    check: Check::Statement(check),
};

fn check(look: &Look<'_>) -> Vec<Hit> {
    let statement = look.statement;
    if statement.begins("use") {
        return vec![Hit::new(
            "USE moves the rest of the file to another database: the runner refuses it",
        )];
    }
    if statement.begins("set names") || statement.begins("set character set") {
        return vec![Hit::new("SET NAMES holds for every later migration of the run; the runner speaks utf8mb4 already").ranked(Severity::Warning)];
    }
    if statement.begins("set") && matches!(statement.meaning, Meaning::Repeatable) {
        return vec![Hit::new("the setting is changed for the whole server")];
    }
    let later = |name: &str| {
        look.statements.iter().any(|later| {
            later.number > statement.number
                && set_variables(later).iter().any(|(set, _)| set == name)
        })
    };
    let earlier = |name: &str| {
        look.statements.iter().any(|earlier| {
            earlier.number < statement.number
                && set_variables(earlier).iter().any(|(set, _)| set == name)
        })
    };
    let judged = set_variables(statement)
        .into_iter()
        .filter(|(name, _)| !name.starts_with('@'))
        .filter_map(|(name, _)| {
            if name == "sql_log_bin" {
                return Some(Hit::new("sql_log_bin keeps the change from the replicas"));
            }
            (!later(&name) && !earlier(&name)).then(|| {
                Hit::new(format!(
                    "{name} is not set back: it holds for every later migration of the run"
                ))
                .ranked(Severity::Warning)
            })
        });
    judged.collect()
}
