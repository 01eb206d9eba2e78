//! The clauses of `ALTER TABLE`.

use super::create::columns;
use super::lexer::Token;
use super::meaning::{Altering, Ddl, Effect};
use super::name::Name;
use super::words::Words;

/// What an `ALTER TABLE …` does; these words are read already.
pub(super) fn alter_table(mut words: Words<'_>) -> Option<Ddl> {
    words.eat_if();
    let table = words.name()?;
    let parts = words.parts();
    let mut effects = Vec::new();
    let mut tables = vec![table.clone()];
    let mut repeatable = true;
    for part in &parts {
        let mut clause = Words::of(part);
        repeatable &= says_if(part) || is_how(&clause);
        if let Some(to) = renamed_table(&mut clause) {
            effects.push(Effect::TableGone { table: table.clone() });
            effects.push(Effect::TableExists { table: to.clone(), columns: vec![] });
            tables.push(to);
            continue;
        }
        effects.extend(clause_effects(&table, Words::of(part)));
    }
    // Clauses are about the table under its new name.
    if let [_, to] = tables.as_slice() {
        let to = to.clone();
        for effect in &mut effects {
            move_to(effect, &table, &to);
        }
    }
    let alter = Altering {
        says_how: parts.iter().any(|part| is_how(&Words::of(part))),
        can_be_told: !words.has(&[
            "partition",
            "partitioning",
            "partitions",
            "tablespace",
            "order",
            "secondary_load",
            "secondary_unload",
        ]),
    };
    let verb = "ALTER TABLE";
    Some(Ddl { verb, effects, tables, repeatable, alter: Some(alter) })
}

fn says_if(part: &[Token<'_>]) -> bool {
    part.iter().zip(part.iter().skip(1)).any(|(first, second)| {
        first.is_word("if") && (second.is_word("exists") || second.is_word("not"))
    })
}

/// `ALGORITHM = …` or `LOCK = …`.
fn is_how(clause: &Words<'_>) -> bool {
    matches!(clause.word().as_str(), "algorithm" | "lock")
}

/// `RENAME [TO | AS | =] name`.
fn renamed_table(clause: &mut Words<'_>) -> Option<Name> {
    if !clause.eat(&["rename"]) || matches!(clause.word().as_str(), "column" | "index" | "key") {
        return None;
    }
    if !clause.eat_any(&["to", "as"]) {
        clause.eat_symbol("=");
    }
    let name = clause.name();
    // SQLite's RENAME a TO b, of a column.
    if clause.eat(&["to"]) { None } else { name }
}

fn move_to(effect: &mut Effect, from: &Name, to: &Name) {
    if let Effect::ColumnExists { table, .. }
    | Effect::ColumnGone { table, .. }
    | Effect::IndexExists { table, .. }
    | Effect::IndexGone { table, .. }
    | Effect::ConstraintExists { table, .. }
    | Effect::ConstraintGone { table, .. } = effect
        && table == from
    {
        *table = to.clone();
    }
}

fn clause_effects(table: &Name, mut clause: Words<'_>) -> Vec<Effect> {
    let table = table.clone();
    let word = clause.word();
    clause.next();
    let effects = match word.as_str() {
        "add" => return add(table, clause),
        "drop" => drop(table, clause),
        "modify" => {
            clause.eat(&["column"]);
            clause.eat_if();
            clause.identifier().map(|column| vec![Effect::ColumnExists { table, column }])
        }
        "alter" if !matches!(clause.word().as_str(), "index" | "key" | "check" | "constraint") => {
            clause.eat(&["column"]);
            clause.eat_if();
            clause.identifier().map(|column| vec![Effect::ColumnExists { table, column }])
        }
        "change" => {
            clause.eat(&["column"]);
            clause.eat_if();
            clause.identifier().zip(clause.identifier()).map(|names| moved_column(table, names))
        }
        "rename" if clause.eat_any(&["index", "key"]) => {
            let from = clause.identifier();
            clause.eat(&["to"]);
            from.zip(clause.identifier()).map(|(from, to)| {
                let gone = Effect::IndexGone { table: table.clone(), index: from };
                vec![gone, Effect::IndexExists { table, index: to }]
            })
        }
        "rename" => {
            clause.eat(&["column"]);
            clause.eat_if();
            let from = clause.identifier();
            clause.eat(&["to"]);
            from.zip(clause.identifier()).map(|names| moved_column(table, names))
        }
        _ => None,
    };
    effects.unwrap_or_default()
}

fn moved_column(table: Name, (from, to): (String, String)) -> Vec<Effect> {
    let there = Effect::ColumnExists { table: table.clone(), column: to.clone() };
    if from.eq_ignore_ascii_case(&to) {
        return vec![there];
    }
    vec![Effect::ColumnGone { table, column: from }, there]
}

fn add(table: Name, mut clause: Words<'_>) -> Vec<Effect> {
    let constraint = clause.eat(&["constraint"]);
    let mut symbol = None;
    if constraint {
        clause.eat_if();
        if !matches!(clause.word().as_str(), "primary" | "unique" | "foreign" | "check") {
            symbol = clause.identifier();
        }
    }
    let word = clause.word();
    let index = |table, index: Option<String>| {
        index.map(|index| vec![Effect::IndexExists { table, index }]).unwrap_or_default()
    };
    match word.as_str() {
        "primary" => index(table, Some("PRIMARY".to_owned())),
        _ if clause.begins_index() => {
            while clause.eat_any(&["unique", "fulltext", "spatial", "index", "key"]) {}
            clause.eat_if();
            index(table, index_name(&mut clause).or(symbol))
        }
        // Without a symbol the server makes a name up.
        "foreign" | "check" => {
            symbol.map(|name| vec![Effect::ConstraintExists { table, name }]).unwrap_or_default()
        }
        "partition" => vec![],
        _ if clause.begins_period() => vec![],
        _ => {
            clause.eat(&["column"]);
            clause.eat_if();
            let added = match clause.parentheses() {
                Some(inside) => columns(&inside),
                None => clause.identifier().into_iter().collect(),
            };
            let there = |column| Effect::ColumnExists { table: table.clone(), column };
            added.into_iter().map(there).collect()
        }
    }
}

/// The name of an index, unless its columns or its type follow at once.
fn index_name(clause: &mut Words<'_>) -> Option<String> {
    if clause.word() == "using" { None } else { clause.identifier() }
}

fn drop(table: Name, mut clause: Words<'_>) -> Option<Vec<Effect>> {
    let word = clause.word();
    match word.as_str() {
        "primary" => Some(vec![Effect::IndexGone { table, index: "PRIMARY".to_owned() }]),
        "index" | "key" => {
            clause.next();
            clause.eat_if();
            clause.identifier().map(|index| vec![Effect::IndexGone { table, index }])
        }
        "foreign" | "constraint" | "check" => {
            clause.next();
            clause.eat(&["key"]);
            clause.eat_if();
            clause.identifier().map(|name| vec![Effect::ConstraintGone { table, name }])
        }
        "partition" | "system" => None,
        _ => {
            clause.eat(&["column"]);
            clause.eat_if();
            clause.identifier().map(|column| vec![Effect::ColumnGone { table, column }])
        }
    }
}
