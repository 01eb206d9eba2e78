//! What a statement asks for, clause by clause: for rules about how tables are changed.
//!
//! [`meaning`](super::meaning) says what is true *after* a statement, which is what a runner must
//! know; this says what was written. (MySQL manual, "ALTER TABLE Statement".)

use super::column::{Column, Preset, column, index_columns};
use super::lexer::{Kind, Token};
use super::meaning::Name;
use super::words::Words;
use crate::Dialect;

/// A statement about tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    CreateTable(Table),
    AlterTable {
        table: Name,
        clauses: Vec<Clause>,
    },
    DropTables(Vec<Name>),
    RenameTables(Vec<(Name, Name)>),
    /// Anything else.
    Other,
}

/// A table as a statement defines it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) temporary: bool,
    pub(crate) columns: Vec<Column>,
    pub(crate) indexes: Vec<Index>,
    /// Whether all of it was written: not `LIKE`, not `SELECT`.
    pub(crate) complete: bool,
    pub(crate) engine: Option<String>,
    pub(crate) charset: Option<String>,
    pub(crate) collation: Option<String>,
    /// Words behind the parentheses, in lower case.
    pub(crate) options: Vec<String>,
}

/// An index, a key or a unique constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) name: Option<String>,
    pub(crate) kind: IndexKind,
    /// `None` for an expression.
    pub(crate) columns: Vec<Option<String>>,
}

/// What an index is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IndexKind {
    Primary,
    Unique,
    Plain,
    Fulltext,
    Spatial,
}

/// A FOREIGN KEY clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForeignKey {
    /// Behind CONSTRAINT.
    pub(crate) symbol: Option<String>,
    pub(crate) columns: Vec<Option<String>>,
}

/// One clause of an `ALTER TABLE`. `CREATE INDEX` and `DROP INDEX` are read as one, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Clause {
    AddColumn {
        column: Column,
        says_if: bool,
    },
    DropColumn {
        column: String,
        says_if: bool,
    },
    Modify(Column),
    Change {
        from: String,
        column: Column,
    },
    RenameColumn {
        from: String,
        to: String,
    },
    SetDefault {
        column: String,
        default: Preset,
    },
    DropDefault {
        column: String,
    },
    AddIndex {
        index: Index,
        says_if: bool,
    },
    DropIndex {
        index: String,
        says_if: bool,
    },
    RenameIndex {
        from: String,
        to: String,
    },
    /// `ALTER INDEX … INVISIBLE`, or `IGNORED` of `MariaDB`.
    HideIndex {
        index: String,
    },
    DropPrimaryKey,
    AddForeignKey(ForeignKey),
    AddCheck {
        name: Option<String>,
        /// Whether rows are held to it.
        enforced: bool,
    },
    /// A foreign key, a check, or what only the database can tell.
    DropConstraint {
        name: String,
    },
    RenameTable(Name),
    ConvertCharset {
        collation: Option<String>,
    },
    Engine(String),
    /// A table option that changes nothing but what is written about the table.
    MetadataOption,
    /// `ROW_FORMAT`, `FORCE` and their like: the table is made anew.
    Rebuild,
    Algorithm(String),
    Lock(String),
    /// What is not known here, by its first words.
    Other(String),
}

/// What a statement asks for.
pub(crate) fn act(dialect: Dialect, statement: &str) -> Act {
    let mut words = Words::new(dialect, statement);
    let first = words.word();
    words.next();
    let found = match first.as_str() {
        "create" => create(words),
        "drop" => drop_object(words),
        "alter" => {
            while words.eat_any(&["online", "ignore"]) {}
            if words.eat(&["table"]) { alter_table(words) } else { None }
        }
        "rename" if words.eat_any(&["table", "tables"]) => rename_tables(&words),
        _ => None,
    };
    found.unwrap_or(Act::Other)
}

fn create(mut words: Words<'_>) -> Option<Act> {
    words.eat(&["or", "replace"]);
    let temporary = words.eat_any(&["temporary", "temp"]);
    if words.eat(&["table"]) {
        return create_table(words, temporary).map(Act::CreateTable);
    }
    let kind = index_kind(&mut words)?;
    let says_if = words.eat_if();
    let name = words.name().map(|name| name.name);
    while !words.eat(&["on"]) {
        words.next()?;
    }
    let table = words.name()?;
    let columns = index_columns(&words.parentheses()?);
    let mut clauses = vec![Clause::AddIndex { index: Index { name, kind, columns }, says_if }];
    clauses.extend(how(&words));
    Some(Act::AlterTable { table, clauses })
}

/// Reads `[UNIQUE | FULLTEXT | SPATIAL] [INDEX | KEY]`, of which something must be there.
fn index_kind(words: &mut Words<'_>) -> Option<IndexKind> {
    let kind = match words.word().as_str() {
        "unique" => IndexKind::Unique,
        "fulltext" => IndexKind::Fulltext,
        "spatial" => IndexKind::Spatial,
        "index" | "key" => IndexKind::Plain,
        _ => return None,
    };
    words.next();
    words.eat_any(&["index", "key"]);
    Some(kind)
}

/// `ALGORITHM` and `LOCK` of `CREATE INDEX` and `DROP INDEX`.
fn how(words: &Words<'_>) -> Vec<Clause> {
    let mut words = words.clone();
    let mut clauses = Vec::new();
    while let Some(token) = words.next() {
        let algorithm = token.is_word("algorithm");
        if algorithm || token.is_word("lock") {
            words.eat_symbol("=");
            let way = words.word();
            clauses.push(if algorithm { Clause::Algorithm(way) } else { Clause::Lock(way) });
        }
    }
    clauses
}

fn drop_object(mut words: Words<'_>) -> Option<Act> {
    if words.eat_any(&["table", "tables"]) {
        words.eat_if();
        let names = words.parts().iter().filter_map(|part| Words::of(part).name()).collect();
        return Some(Act::DropTables(names));
    }
    if !words.eat(&["index"]) {
        return None;
    }
    let says_if = words.eat_if();
    let index = words.identifier()?;
    if !words.eat(&["on"]) {
        return None;
    }
    let table = words.name()?;
    let mut clauses = vec![Clause::DropIndex { index, says_if }];
    clauses.extend(how(&words));
    Some(Act::AlterTable { table, clauses })
}

fn rename_tables(words: &Words<'_>) -> Option<Act> {
    let pair = |part: &Vec<Token<'_>>| {
        let mut part = Words::of(part);
        part.eat_if();
        let from = part.name()?;
        part.eat(&["to"]);
        Some((from, part.name()?))
    };
    words.parts().iter().map(pair).collect::<Option<Vec<_>>>().map(Act::RenameTables)
}

fn create_table(mut words: Words<'_>, temporary: bool) -> Option<Table> {
    words.eat_if();
    let name = words.name()?.name;
    let mut table = Table { name, temporary, ..Table::default() };
    if let Some(inside) = words.parentheses() {
        table.complete = !inside.first().is_some_and(|first| first.is_word("like"));
        for part in Words::of(&inside).parts() {
            define(&mut table, Words::of(&part));
        }
    }
    table.options = words
        .rest()
        .iter()
        .filter(|token| token.kind == Kind::Word)
        .map(|token| token.text.to_ascii_lowercase())
        .collect();
    table.complete &= !words.has(&["select", "like"]);
    while let Some(token) = words.next() {
        if token.is_word("engine") {
            words.eat_symbol("=");
            table.engine = words.identifier();
        } else if token.is_word("charset") || (token.is_word("character") && words.eat(&["set"])) {
            words.eat_symbol("=");
            table.charset = words.identifier().map(|name| name.to_lowercase());
        } else if token.is_word("collate") {
            words.eat_symbol("=");
            table.collation = words.identifier().map(|name| name.to_lowercase());
        }
    }
    Some(table)
}

/// One of the definitions between the parentheses of a `CREATE TABLE`.
fn define(table: &mut Table, words: Words<'_>) {
    match added(words) {
        Some(Clause::AddIndex { index, .. }) => table.indexes.push(index),
        Some(Clause::AddColumn { column, .. }) => {
            let implied =
                [(column.primary_key, IndexKind::Primary), (column.unique, IndexKind::Unique)];
            for (_, kind) in implied.into_iter().filter(|(is, _)| *is) {
                let columns = vec![Some(column.name.clone())];
                table.indexes.push(Index { name: None, kind, columns });
            }
            table.columns.push(column);
        }
        _ => {}
    }
}

/// What follows ADD, or stands among the definitions of a table.
fn added(mut words: Words<'_>) -> Option<Clause> {
    let mut symbol = None;
    if words.eat(&["constraint"]) {
        words.eat_if();
        if !matches!(words.word().as_str(), "primary" | "unique" | "foreign" | "check") {
            symbol = words.identifier();
        }
    }
    let quoted = words.peek().is_some_and(|token| token.kind != Kind::Word);
    match words.word().as_str() {
        _ if quoted => {}
        "primary" => {
            words.eat(&["primary", "key"]);
            let columns = index_columns(&columns_of(&mut words)?);
            let index = Index { name: None, kind: IndexKind::Primary, columns };
            return Some(Clause::AddIndex { index, says_if: false });
        }
        _ if words.begins_index() => {
            let kind = index_kind(&mut words)?;
            let says_if = words.eat_if();
            let named =
                words.peek().is_some_and(|token| token.text != "(" && !token.is_word("using"));
            let name = if named { words.identifier() } else { None };
            let columns = index_columns(&columns_of(&mut words)?);
            let index = Index { name: name.or(symbol), kind, columns };
            return Some(Clause::AddIndex { index, says_if });
        }
        "foreign" => {
            words.eat(&["foreign", "key"]);
            words.eat_if();
            let named = words.peek().is_some_and(|token| token.text != "(");
            if named {
                words.identifier();
            }
            let columns = index_columns(&words.parentheses()?);
            return Some(Clause::AddForeignKey(ForeignKey { symbol, columns }));
        }
        "check" => {
            let mut enforced = true;
            while words.next().is_some() {
                enforced &= !words.eat(&["not", "enforced"]);
            }
            return Some(Clause::AddCheck { name: symbol, enforced });
        }
        word if word == "partition" || words.begins_period() => {
            return Some(Clause::Other(format!("ADD {}", words.word().to_uppercase())));
        }
        _ => {}
    }
    words.eat(&["column"]);
    let says_if = words.eat_if();
    column(words).map(|column| Clause::AddColumn { column, says_if })
}

/// Reads on to the columns of an index, past `USING BTREE`.
fn columns_of<'a>(words: &mut Words<'a>) -> Option<Vec<Token<'a>>> {
    while words.peek()?.text != "(" {
        words.next();
    }
    words.parentheses()
}

fn alter_table(mut words: Words<'_>) -> Option<Act> {
    let table = altered_table(&mut words)?;
    let clauses = clauses(&words.parts());
    Some(Act::AlterTable { table, clauses })
}

/// Reads what stands between `ALTER TABLE` and its clauses.
pub(super) fn altered_table(words: &mut Words<'_>) -> Option<Name> {
    words.eat_if();
    let table = words.name()?;
    // MariaDB's WAIT n and NOWAIT.
    if words.eat(&["wait"]) {
        words.next();
    }
    words.eat(&["nowait"]);
    Some(table)
}

/// The clauses of an `ALTER TABLE`, which stand between commas.
pub(super) fn clauses(parts: &[Vec<Token<'_>>]) -> Vec<Clause> {
    parts.iter().flat_map(|part| clause(Words::of(part))).collect()
}

/// Usually one; several where columns are added in parentheses, or options follow without commas.
fn clause(mut words: Words<'_>) -> Vec<Clause> {
    let all = words.clone();
    let other = || {
        let text: Vec<&str> = all.rest().iter().take(3).map(|token| token.text).collect();
        Clause::Other(text.join(" "))
    };
    let word = words.word();
    words.next();
    if word == "add" {
        let mut look = words.clone();
        look.eat(&["column"]);
        look.eat_if();
        if let Some(inside) = look.parentheses() {
            let parts = Words::of(&inside).parts();
            return parts.iter().map(|part| added(Words::of(part)).unwrap_or_else(other)).collect();
        }
    }
    let found = match word.as_str() {
        "add" => added(words),
        "drop" => dropped(words),
        "modify" => {
            words.eat(&["column"]);
            words.eat_if();
            column(words).map(Clause::Modify)
        }
        "change" => {
            words.eat(&["column"]);
            words.eat_if();
            words
                .identifier()
                .zip(column(words))
                .map(|(from, column)| Clause::Change { from, column })
        }
        "alter" => altered(words),
        "rename" => renamed(words),
        _ => option(&word, words),
    };
    vec![found.unwrap_or_else(other)]
}

fn dropped(mut words: Words<'_>) -> Option<Clause> {
    match words.word().as_str() {
        "primary" => return Some(Clause::DropPrimaryKey),
        "partition" | "system" => return None,
        "index" | "key" => {
            words.next();
            let says_if = words.eat_if();
            return words.identifier().map(|index| Clause::DropIndex { index, says_if });
        }
        "foreign" | "constraint" | "check" => {
            words.next();
            words.eat(&["key"]);
            words.eat_if();
            return words.identifier().map(|name| Clause::DropConstraint { name });
        }
        _ => {}
    }
    words.eat(&["column"]);
    let says_if = words.eat_if();
    words.identifier().map(|column| Clause::DropColumn { column, says_if })
}

fn altered(mut words: Words<'_>) -> Option<Clause> {
    match words.word().as_str() {
        "index" | "key" => {
            words.next();
            let index = words.identifier()?;
            let hidden = words.eat_any(&["invisible", "ignored"]);
            return Some(if hidden { Clause::HideIndex { index } } else { Clause::MetadataOption });
        }
        "check" | "constraint" => return None,
        _ => {}
    }
    words.eat(&["column"]);
    words.eat_if();
    let column = words.identifier()?;
    if words.eat(&["drop", "default"]) {
        return Some(Clause::DropDefault { column });
    }
    if words.eat(&["set", "default"]) {
        let default = super::column::default(&mut words);
        return Some(Clause::SetDefault { column, default });
    }
    None
}

fn renamed(mut words: Words<'_>) -> Option<Clause> {
    if words.eat_any(&["index", "key"]) {
        let from = words.identifier()?;
        words.eat(&["to"]);
        return words.identifier().map(|to| Clause::RenameIndex { from, to });
    }
    if words.eat_any(&["to", "as"]) || words.eat_symbol("=") {
        return words.name().map(Clause::RenameTable);
    }
    let column = words.eat(&["column"]);
    words.eat_if();
    let from = words.name()?;
    if words.eat(&["to"]) {
        return words.identifier().map(|to| Clause::RenameColumn { from: from.name, to });
    }
    (!column).then_some(Clause::RenameTable(from))
}

fn option(word: &str, mut words: Words<'_>) -> Option<Clause> {
    match word {
        "algorithm" => {
            words.eat_symbol("=");
            Some(Clause::Algorithm(words.word()))
        }
        "lock" => {
            words.eat_symbol("=");
            Some(Clause::Lock(words.word()))
        }
        "convert" => {
            let mut collation = None;
            while let Some(token) = words.next() {
                if token.is_word("collate") {
                    collation = words.identifier().map(|name| name.to_lowercase());
                }
            }
            Some(Clause::ConvertCharset { collation })
        }
        "engine" => {
            words.eat_symbol("=");
            words.identifier().map(|engine| Clause::Engine(engine.to_lowercase()))
        }
        // DEFAULT CHARACTER SET is of columns to come.
        "default" | "character" | "charset" | "collate" | "auto_increment" | "comment"
        | "stats_persistent" | "stats_auto_recalc" | "stats_sample_pages" | "max_rows"
        | "min_rows" | "avg_row_length" | "checksum" => Some(Clause::MetadataOption),
        "row_format" | "key_block_size" | "force" | "encryption" => Some(Clause::Rebuild),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_are_called_like_an_index_are_columns() {
        let text = "CREATE TABLE t (key TEXT NOT NULL, fulltext, KEY k (x), UNIQUE (x))";
        let Act::CreateTable(table) = act(Dialect::Sqlite, text) else { panic!("{text}") };
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(columns, ["key", "fulltext"]);
        let kinds: Vec<IndexKind> = table.indexes.iter().map(|index| index.kind).collect();
        assert_eq!(kinds, [IndexKind::Plain, IndexKind::Unique]);
    }

    #[test]
    fn an_index_may_have_its_database_in_front() {
        let text = "CREATE INDEX main.i ON t (x)";
        let Act::AlterTable { clauses, .. } = act(Dialect::Sqlite, text) else { panic!("{text}") };
        assert!(
            matches!(&clauses[..], [Clause::AddIndex { index, .. }] if index.name.as_deref() == Some("i")),
            "{clauses:?}"
        );
    }
}
