//! The definition of a column, as far as rules about changing one need it.
//! (MySQL manual, "CREATE TABLE Statement", `column_definition`; `MariaDB`, "CREATE TABLE";
//! <https://www.sqlite.org/lang_createtable.html>.)

use super::lexer::{Kind, Token};
use super::name::unquoted;
use super::words::Words;

/// A column as a statement defines it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Type,
    pub(crate) not_null: bool,
    pub(crate) default: Option<Preset>,
    pub(crate) generated: Option<Generated>,
    pub(crate) auto_increment: bool,
    pub(crate) primary_key: bool,
    pub(crate) unique: bool,
    pub(crate) check: bool,
    /// The table that it refers to in place, without a FOREIGN KEY clause.
    pub(crate) references: Option<String>,
    /// Whether `FIRST` or `AFTER` places it.
    pub(crate) placed: bool,
    /// Words in it, in lower case, for what has no field of its own.
    pub(crate) words: Vec<String>,
}

/// What a default is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preset {
    Null,
    Literal,
    /// `CURRENT_TIMESTAMP` and its synonyms.
    Now,
    Expression,
}

/// How a generated column is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generated {
    Virtual,
    Stored,
}

/// A type as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Type {
    /// In lower case and by its usual name (`int` for `INTEGER`).
    pub(crate) name: String,
    /// What stands in its parentheses, with quotes.
    pub(crate) arguments: Vec<String>,
    pub(crate) unsigned: bool,
    /// Whether words follow the parentheses, as in `INT(11) UNSIGNED`.
    pub(crate) words_after: bool,
    pub(crate) charset: Option<String>,
    pub(crate) collation: Option<String>,
}

impl Type {
    /// The first number in its parentheses.
    pub(crate) fn length(&self) -> Option<u64> {
        self.arguments.first()?.parse().ok()
    }
}

/// Words of several types that mean the same as one of ours.
fn usual(name: &str) -> &str {
    match name {
        "integer" | "int4" => "int",
        "int1" | "bool" | "boolean" => "tinyint",
        "int2" => "smallint",
        "int3" | "middleint" => "mediumint",
        "int8" => "bigint",
        "dec" | "numeric" | "fixed" => "decimal",
        "real" | "float8" => "double",
        "float4" => "float",
        "character" | "nchar" => "char",
        "nvarchar" | "varcharacter" => "varchar",
        other => other,
    }
}

/// Words that end the name of a type.
const AFTER_TYPE: [&str; 25] = [
    "not",
    "null",
    "default",
    "auto_increment",
    "autoincrement",
    "primary",
    "unique",
    "key",
    "comment",
    "collate",
    "character",
    "charset",
    "generated",
    "as",
    "references",
    "check",
    "constraint",
    "first",
    "after",
    "on",
    "unsigned",
    "zerofill",
    "invisible",
    "visible",
    "stored",
];

/// Reads the definition of a column, its name first.
pub(super) fn column(mut words: Words<'_>) -> Option<Column> {
    let mut column = Column { name: words.identifier()?, ..Column::default() };
    column.words = words
        .rest()
        .iter()
        .filter(|token| token.kind == Kind::Word)
        .map(|token| token.text.to_ascii_lowercase())
        .collect();
    column.kind = kind(&mut words);
    while let Some(token) = words.next() {
        let word = if token.kind == Kind::Word { token.text } else { "" };
        match word.to_ascii_lowercase().as_str() {
            "not" => column.not_null |= words.eat(&["null"]),
            "default" => column.default = Some(default(&mut words)),
            "auto_increment" | "autoincrement" => column.auto_increment = true,
            "primary" => {
                words.eat(&["key"]);
                column.primary_key = true;
                column.not_null = true;
            }
            "unique" => {
                words.eat(&["key"]);
                column.unique = true;
            }
            "check" => {
                column.check = true;
                words.parentheses();
            }
            "as" => {
                words.parentheses();
                let stored = words.eat_any(&["stored", "persistent"]);
                column.generated =
                    Some(if stored { Generated::Stored } else { Generated::Virtual });
            }
            "references" => column.references = words.name().map(|name| name.name),
            "first" => column.placed = true,
            "after" => {
                words.identifier();
                column.placed = true;
            }
            "collate" => column.kind.collation = words.identifier().map(|name| name.to_lowercase()),
            "character" => {
                words.eat(&["set"]);
                column.kind.charset = words.identifier().map(|name| name.to_lowercase());
            }
            "charset" => column.kind.charset = words.identifier().map(|name| name.to_lowercase()),
            "unsigned" => column.kind.unsigned = true,
            _ => {}
        }
    }
    Some(column)
}

fn kind(words: &mut Words<'_>) -> Type {
    let mut kind = Type::default();
    while let Some(token) = words.peek() {
        let ends = token.kind != Kind::Word
            || AFTER_TYPE.iter().any(|word| {
                token.is_word(word) && !(token.is_word("character") && kind.name.is_empty())
            });
        if ends {
            break;
        }
        words.next();
        match token.text.to_ascii_lowercase().as_str() {
            // DOUBLE PRECISION, CHARACTER VARYING
            "precision" => {}
            "varying" => "varchar".clone_into(&mut kind.name),
            word if kind.name.is_empty() => usual(word).clone_into(&mut kind.name),
            _ => {}
        }
    }
    if words.peek().is_some_and(|token| token.text == "(") && !kind.name.is_empty() {
        let inside = words.parentheses().unwrap_or_default();
        let argument = |part: &Vec<Token<'_>>| {
            part.iter().map(|token| token.text).collect::<Vec<_>>().join(" ")
        };
        kind.arguments = Words::of(&inside).parts().iter().map(argument).collect();
        kind.words_after =
            matches!(words.word().as_str(), "unsigned" | "zerofill" | "character" | "charset");
    }
    kind
}

pub(super) fn default(words: &mut Words<'_>) -> Preset {
    if words.parentheses().is_some() {
        return Preset::Expression;
    }
    let word = words.word();
    let first = words.next();
    match word.as_str() {
        "null" => Preset::Null,
        "current_timestamp" | "now" | "localtime" | "localtimestamp" => {
            words.parentheses();
            Preset::Now
        }
        "true" | "false" => Preset::Literal,
        // A sign, a string, a number, b'0', x'ff'.
        _ if first.is_some_and(|token| token.kind != Kind::Word) => Preset::Literal,
        // MariaDB takes a call without parentheses around it.
        _ if words.parentheses().is_some() => Preset::Expression,
        _ => Preset::Literal,
    }
}

/// The columns of an index, without lengths and directions; `None` for an expression.
pub(super) fn index_columns(inside: &[Token<'_>]) -> Vec<Option<String>> {
    let named = |part: &Vec<Token<'_>>| match part.first() {
        Some(first) if matches!(first.kind, Kind::Word | Kind::QuotedName) => {
            Some(unquoted(first.text))
        }
        _ => None,
    };
    Words::of(inside).parts().iter().map(named).collect()
}
