//! From a statement's words to its meaning.

use std::collections::BTreeMap;

use super::alter::alter_table;
use super::create::{create, drop_object};
use super::lexer::Kind;
use super::meaning::{Ddl, Effect, Meaning, Name, Transaction};
use super::split::Statement;
use super::words::Words;
use crate::Dialect;

/// What a statement does.
pub(crate) fn meaning(dialect: Dialect, statement: &Statement<'_>) -> Meaning {
    let mut words = Words::new(dialect, statement.text);
    if words.eat_symbol("(") {
        return parenthesised(words);
    }
    let first = words.word();
    words.next();
    match first.as_str() {
        "create" => create(words),
        "drop" => drop_object(words),
        "alter" => alter(words),
        "rename" if words.eat_any(&["table", "tables"]) => rename_tables(&words),
        "insert" | "update" | "delete" | "replace" | "load" => Meaning::Dml,
        "with" => with(&words),
        "select" => select(&words),
        "explain" | "describe" | "desc" if words.word() == "analyze" => {
            match words.first_of(&["insert", "update", "delete", "replace"]) {
                Some(_) => Meaning::Opaque,
                None => Meaning::Read,
            }
        }
        "show" | "explain" | "describe" | "desc" | "table" | "values" | "help" => Meaning::Read,
        "set" => set(&mut words),
        "use" => Meaning::Session { repeatable: true },
        "prepare" | "deallocate" => Meaning::Session { repeatable: false },
        "begin" if words.word() == "not" => Meaning::Opaque,
        "begin" => Meaning::Transaction(Transaction::Begin),
        "start" if words.word() == "transaction" => Meaning::Transaction(Transaction::Begin),
        "commit" | "end" => Meaning::Transaction(Transaction::Commit),
        "rollback" => Meaning::Transaction(Transaction::Rollback),
        "savepoint" | "release" => Meaning::Transaction(Transaction::Savepoint),
        "xa" => Meaning::Transaction(Transaction::Xa),
        "lock" if words.eat_any(&["table", "tables"]) => {
            Meaning::Transaction(Transaction::LockTables)
        }
        "unlock" => Meaning::Transaction(Transaction::UnlockTables),
        // MariaDB runs the statement.
        "analyze" if !words.eat_any(&["table", "tables", "local", "no_write_to_binlog"]) => {
            match words.first_of(&["select", "insert", "update", "delete", "replace"]) {
                Some("select") => Meaning::Read,
                Some(_) => Meaning::Dml,
                None => Meaning::Repeatable,
            }
        }
        "truncate" => {
            words.eat(&["table"]);
            let Some(table) = words.name() else { return Meaning::Opaque };
            let effects = vec![Effect::TableEmpty { table }];
            Meaning::Ddl(Ddl { verb: "TRUNCATE TABLE", effects, ..Ddl::default() })
        }
        "analyze" | "optimize" | "check" | "checksum" | "repair" | "flush" | "grant" | "revoke"
        | "pragma" | "reindex" | "vacuum" | "cache" | "comment" => Meaning::Repeatable,
        _ => Meaning::Opaque,
    }
}

fn alter(mut words: Words<'_>) -> Meaning {
    while words.eat_any(&["online", "ignore"]) {}
    if words.eat(&["table"]) {
        return alter_table(words).map_or(Meaning::Opaque, Meaning::Ddl);
    }
    // Again it would give numbers once more that were given in between.
    if words.word() == "sequence" && words.has(&["restart"]) {
        return Meaning::Opaque;
    }
    // ALTER VIEW, EVENT, PROCEDURE, DATABASE, USER, SEQUENCE: they say what it is afterwards.
    Meaning::Repeatable
}

fn rename_tables(words: &Words<'_>) -> Meaning {
    // One after the other, so that in a swap (a to t, b to a, t to b) the last word counts.
    let mut there: BTreeMap<Name, bool> = BTreeMap::new();
    for part in words.parts() {
        let mut part = Words::of(&part);
        part.eat_if();
        let from = part.name();
        part.eat(&["to"]);
        let Some((from, to)) = from.zip(part.name()) else { return Meaning::Opaque };
        there.insert(from, false);
        there.insert(to, true);
    }
    let effect = |(table, there): (&Name, &bool)| {
        let table = table.clone();
        if *there {
            Effect::TableExists { table, columns: vec![] }
        } else {
            Effect::TableGone { table }
        }
    };
    let effects = there.iter().map(effect).collect();
    let tables = there.keys().cloned().collect();
    let verb = "RENAME TABLE";
    Meaning::Ddl(Ddl { verb, effects, tables, unseen: true, ..Ddl::default() })
}

fn with(words: &Words<'_>) -> Meaning {
    const VERBS: [&str; 7] = ["select", "values", "table", "insert", "update", "delete", "replace"];
    match words.first_of(&VERBS) {
        Some("select" | "values" | "table") => select(words),
        Some(_) => Meaning::Dml,
        None => Meaning::Opaque,
    }
}

/// `(SELECT …) UNION (SELECT …)`, whose first parenthesis is read.
fn parenthesised(mut words: Words<'_>) -> Meaning {
    while words.eat_symbol("(") {}
    match words.word().as_str() {
        "select" | "values" | "table" | "with" => select(&words),
        _ => Meaning::Opaque,
    }
}

fn select(words: &Words<'_>) -> Meaning {
    // SELECT @x := 1
    let assigns = words
        .rest()
        .windows(2)
        .any(|pair| matches!(pair, [colon, equals] if colon.text == ":" && equals.text == "="));
    if assigns {
        return Meaning::Session { repeatable: false };
    }
    // Also in parentheses: in a subquery there is no INTO.
    let has = |names: &[&str]| words.rest().iter().any(|token| token.is_any_word(names));
    if !has(&["into"]) {
        return Meaning::Read;
    }
    let to_file = has(&["outfile", "dumpfile"]);
    if to_file { Meaning::Opaque } else { Meaning::Session { repeatable: false } }
}

fn set(words: &mut Words<'_>) -> Meaning {
    let first = words.word();
    if first == "statement" {
        // MariaDB's SET STATEMENT setting = value FOR a statement.
        return match words.first_of(&["select", "insert", "update", "delete", "replace"]) {
            Some("select") => Meaning::Read,
            Some(_) => Meaning::Dml,
            None => Meaning::Opaque,
        };
    }
    if matches!(first.as_str(), "global" | "persist" | "persist_only" | "password" | "default")
        || first.starts_with("@@global")
        || first.starts_with("@@persist")
    {
        return Meaning::Repeatable;
    }
    // A variable that something was called for, or a subquery, may be another the next time.
    let repeatable = words.parts().iter().all(|part| {
        let part = Words::of(part);
        let variable = part.word();
        let of_user = variable.starts_with('@') && !variable.starts_with("@@");
        // Something is called, also without parentheses (CURRENT_TIMESTAMP).
        let calls = part.rest().iter().skip(1).any(|token| {
            token.text == "("
                || (token.kind == Kind::Word
                    && !token.text.starts_with('@')
                    && !["true", "false", "null"].iter().any(|word| token.is_word(word)))
        });
        !(of_user && calls)
    });
    Meaning::Session { repeatable }
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
