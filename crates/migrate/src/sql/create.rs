//! `CREATE` and `DROP`.

use super::lexer::{Kind, Token};
use super::meaning::{Altering, Ddl, Effect, Meaning, RoutineKind};
use super::name::{Name, unquoted};
use super::words::Words;

/// Words that begin a definition which is neither one of a column nor of an index.
const NO_COLUMN: [&str; 8] =
    ["primary", "constraint", "foreign", "check", "like", "select", "table", "values"];

/// What a `CREATE …` does; the first word is read already.
pub(super) fn create(mut words: Words<'_>) -> Meaning {
    let replace = words.eat(&["or", "replace"]);
    if words.eat_any(&["temporary", "temp"]) {
        return Meaning::Session { repeatable: false };
    }
    skip_to_object(&mut words);
    let object = words.word();
    words.next();
    // Replaced once more, a table would lose its rows, and a sequence give its numbers again.
    let loses = replace && matches!(object.as_str(), "table" | "sequence");
    let repeatable = (words.eat_if() || replace) && !loses;
    let ddl = |verb, effect: Option<Effect>, tables: Vec<Name>, alter| {
        effect.map_or(Meaning::Opaque, |effect| {
            let effects = vec![effect];
            Meaning::Ddl(Ddl { verb, effects, tables, repeatable, unseen: loses, alter })
        })
    };
    match object.as_str() {
        "table" => {
            let table = words.name();
            let columns = words.parentheses().map(|inside| columns(&inside)).unwrap_or_default();
            let tables = table.iter().cloned().collect();
            ddl(
                "CREATE TABLE",
                table.map(|table| Effect::TableExists { table, columns }),
                tables,
                None,
            )
        }
        "index" => {
            // SQLite names the database in front of the index.
            let (schema, index) = words.name().map(|it| (it.schema, it.name)).unzip();
            while words.peek().is_some_and(|token| !token.is_word("on")) {
                words.next();
            }
            words.eat(&["on"]);
            let mut table = words.name();
            if let (Some(table), Some(schema @ Some(_))) = (&mut table, schema) {
                table.schema = schema;
            }
            let alter = Some(altering(&words));
            let tables = table.iter().cloned().collect();
            let effect =
                table.zip(index).map(|(table, index)| Effect::IndexExists { table, index });
            ddl("CREATE INDEX", effect, tables, alter)
        }
        "view" => {
            ddl("CREATE VIEW", words.name().map(|view| Effect::ViewExists { view }), vec![], None)
        }
        "trigger" => {
            let effect = words.name().map(|trigger| Effect::TriggerExists { trigger });
            ddl("CREATE TRIGGER", effect, vec![], None)
        }
        "procedure" | "function" => {
            let (verb, kind) = routine("CREATE", &object);
            let effect = words.name().map(|routine| Effect::RoutineExists { kind, routine });
            ddl(verb, effect, vec![], None)
        }
        "event" => ddl(
            "CREATE EVENT",
            words.name().map(|event| Effect::EventExists { event }),
            vec![],
            None,
        ),
        "sequence" if loses => Meaning::Opaque,
        "sequence" => {
            let effect = words.name().map(|sequence| Effect::SequenceExists { sequence });
            ddl("CREATE SEQUENCE", effect, vec![], None)
        }
        _ if repeatable => Meaning::Repeatable,
        _ => Meaning::Opaque,
    }
}

/// What a `DROP …` does; the first word is read already.
pub(super) fn drop_object(mut words: Words<'_>) -> Meaning {
    if words.eat(&["temporary"]) {
        return Meaning::Session { repeatable: false };
    }
    let object = words.word();
    words.next();
    let repeatable = words.eat_if();
    let ddl = |verb, effects: Vec<Effect>, tables, alter| {
        if effects.is_empty() {
            return Meaning::Opaque;
        }
        Meaning::Ddl(Ddl { verb, effects, tables, repeatable, unseen: false, alter })
    };
    match object.as_str() {
        "table" | "tables" => {
            let tables = names(&words);
            let gone = tables.iter().map(|table| Effect::TableGone { table: table.clone() });
            ddl("DROP TABLE", gone.collect(), tables.clone(), None)
        }
        "view" => {
            let gone = names(&words).into_iter().map(|view| Effect::ViewGone { view });
            ddl("DROP VIEW", gone.collect(), vec![], None)
        }
        "index" => {
            let index = words.identifier();
            if !words.eat(&["on"]) {
                // SQLite's, whose indexes have names of their own.
                let verb = "DROP INDEX";
                return Meaning::Ddl(Ddl { verb, repeatable, ..Ddl::default() });
            }
            let table = words.name();
            let alter = Some(altering(&words));
            let tables = table.iter().cloned().collect();
            let gone = table.zip(index).map(|(table, index)| Effect::IndexGone { table, index });
            ddl("DROP INDEX", gone.into_iter().collect(), tables, alter)
        }
        "trigger" => {
            let gone = words.name().map(|trigger| Effect::TriggerGone { trigger });
            ddl("DROP TRIGGER", gone.into_iter().collect(), vec![], None)
        }
        "procedure" | "function" => {
            let (verb, kind) = routine("DROP", &object);
            let gone = words.name().map(|routine| Effect::RoutineGone { kind, routine });
            ddl(verb, gone.into_iter().collect(), vec![], None)
        }
        "event" => {
            let gone = words.name().map(|event| Effect::EventGone { event });
            ddl("DROP EVENT", gone.into_iter().collect(), vec![], None)
        }
        "sequence" => {
            let gone = names(&words).into_iter().map(|sequence| Effect::SequenceGone { sequence });
            ddl("DROP SEQUENCE", gone.collect(), vec![], None)
        }
        "prepare" => Meaning::Session { repeatable: false },
        _ if repeatable => Meaning::Repeatable,
        _ => Meaning::Opaque,
    }
}

/// Goes on to the word that says what is created: past `UNIQUE`, `DEFINER = …` and their like.
fn skip_to_object(words: &mut Words<'_>) {
    const OBJECTS: [&str; 15] = [
        "table",
        "index",
        "view",
        "trigger",
        "procedure",
        "function",
        "event",
        "database",
        "schema",
        "user",
        "role",
        "server",
        "sequence",
        "package",
        "library",
    ];
    let mut look = words.clone();
    for _ in 0..16 {
        let word = look.word();
        if OBJECTS.contains(&word.as_str()) {
            *words = look;
            return;
        }
        if look.next().is_none() {
            return;
        }
    }
}

fn routine(verb: &str, object: &str) -> (&'static str, RoutineKind) {
    match (verb, object) {
        ("CREATE", "procedure") => ("CREATE PROCEDURE", RoutineKind::Procedure),
        ("CREATE", _) => ("CREATE FUNCTION", RoutineKind::Function),
        (_, "procedure") => ("DROP PROCEDURE", RoutineKind::Procedure),
        _ => ("DROP FUNCTION", RoutineKind::Function),
    }
}

fn altering(words: &Words<'_>) -> Altering {
    Altering { says_how: words.has(&["algorithm", "lock"]), can_be_told: true }
}

fn names(words: &Words<'_>) -> Vec<Name> {
    words.parts().iter().filter_map(|part| Words::of(part).name()).collect()
}

/// The names of the columns in the definitions of a table.
pub(super) fn columns(definitions: &[Token<'_>]) -> Vec<String> {
    let named = |part: &Vec<Token<'_>>| {
        let (first, definition) = (part.first()?, Words::of(part));
        let is_column = match first.kind {
            Kind::QuotedName => true,
            Kind::Word => {
                !first.is_any_word(&NO_COLUMN)
                    && !definition.begins_index()
                    && !definition.begins_period()
            }
            _ => false,
        };
        is_column.then(|| unquoted(first.text))
    };
    Words::of(definitions).parts().iter().filter_map(named).collect()
}
