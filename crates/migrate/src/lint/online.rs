//! How a server would change a table, told from the statement and what is known of the table.
//!
//! From the tables "Online DDL Operations" of MySQL's manual (8.0.29 and newer, 8.4, 9) and
//! "`InnoDB` Online DDL Operations with ALGORITHM=…" of `MariaDB`'s (10.6 and newer), and measured on
//! MySQL 9.7 and `MariaDB` 10.11 where they are silent. A table with a full-text index, with 64
//! versions of its rows or compressed can't do all of it; only the server knows.

use serde::Serialize;

use crate::Dialect;
use crate::sql::act::{Act, Clause, Index, IndexKind, Table, act};
use crate::sql::column::{Column, Generated, Preset, Type};

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Server {
    /// 8.0.29 or newer.
    MySql,
    /// 10.6 or newer.
    MariaDb,
}

/// How a table is changed, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Online {
    /// `ALGORITHM=INSTANT`: only what is written about the table changes.
    Instant,
    /// `ALGORITHM=INPLACE, LOCK=NONE`: others read and write meanwhile.
    InplaceNoLock,
    /// `ALGORITHM=INPLACE, LOCK=SHARED`: others only read meanwhile.
    InplaceShared,
    /// The text does not say enough.
    Unknown,
    /// `ALGORITHM=COPY`: the whole table is copied, and others only read meanwhile.
    Copy,
}

/// How a statement would change a table, of which its `CREATE TABLE` may be known; `None` if it
/// alters none.
pub fn predict(server: Server, table: Option<&str>, statement: &str) -> Option<Online> {
    let Act::AlterTable { clauses, .. } = act(Dialect::MySql, statement) else { return None };
    let table = match act(Dialect::MySql, table.unwrap_or_default()) {
        Act::CreateTable(table) => Some(table),
        _ => None,
    };
    Some(of_clauses(server, &clauses, table.as_ref()))
}

/// What a clause asks of the storage engine, from the least to the most; what is asked for together
/// is done together, in the way of the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    /// Only what is written about the table changes.
    Metadata,
    /// The same for columns that come, go or move, unless other work goes through the rows.
    Columns,
    /// In place, without the rows: an index is built, dropped or renamed.
    Index,
    /// The table is made anew in place.
    Rebuild,
    /// In place, while others only read.
    Shared,
    Unknown,
    Copy,
}

/// The worst of the clauses, which are carried out together.
pub(crate) fn of_clauses(server: Server, clauses: &[Clause], table: Option<&Table>) -> Online {
    let change = Change { server, clauses, table };
    let mut work = clauses.iter().map(|clause| change.work(clause)).max().unwrap_or(Work::Unknown);
    let moves = clauses.iter().any(|clause| change.work(clause) == Work::Columns);
    if moves && work == Work::Index {
        work = Work::Rebuild;
    }
    if change.full_texts_added() > 1 {
        work = work.max(Work::Copy);
    }
    if change.moves_beside_virtual_columns(work) {
        work = Work::Copy;
    }
    let no_lock =
        if change.has(IndexKind::Spatial) { Online::InplaceShared } else { Online::InplaceNoLock };
    match (work, server) {
        // Rows can't be made anew in place under a full-text index on MySQL.
        (Work::Columns | Work::Rebuild, Server::MySql) if change.has(IndexKind::Fulltext) => {
            Online::Copy
        }
        (Work::Columns | Work::Rebuild, Server::MariaDb) if change.has(IndexKind::Fulltext) => {
            Online::InplaceShared
        }
        (Work::Metadata | Work::Columns, _) => Online::Instant,
        (Work::Index, _) => Online::InplaceNoLock,
        (Work::Rebuild, _) => no_lock,
        (Work::Shared, _) => Online::InplaceShared,
        (Work::Unknown, _) => Online::Unknown,
        (Work::Copy, _) => Online::Copy,
    }
}

/// A statement's clauses, where they are carried out, and on what.
#[derive(Clone, Copy)]
struct Change<'a> {
    server: Server,
    clauses: &'a [Clause],
    table: Option<&'a Table>,
}

impl Change<'_> {
    fn work(self, clause: &Clause) -> Work {
        let server = self.server;
        match clause {
            Clause::AddColumn { column, .. } => added(server, column),
            Clause::Modify(new) => self.modified(self.column(&new.name), new),
            Clause::Change { from, column: new } => self.modified(self.column(from), new),
            Clause::DropColumn { column, .. } => self.dropped(column),
            Clause::Algorithm(way) if way == "copy" => Work::Copy,
            Clause::Lock(way) if way == "shared" || way == "exclusive" => Work::Shared,
            Clause::Algorithm(_)
            | Clause::Lock(_)
            | Clause::RenameColumn { .. }
            | Clause::SetDefault { .. }
            | Clause::DropDefault { .. }
            | Clause::RenameTable(_)
            | Clause::AddCheck { enforced: false, .. } => Work::Metadata,
            // MySQL looks at each row for the value of an expression.
            Clause::AddIndex { index, .. } if index.columns.contains(&None) => Work::Shared,
            Clause::AddIndex { index, .. } => match index.kind {
                IndexKind::Fulltext | IndexKind::Spatial => Work::Shared,
                IndexKind::Primary => Work::Rebuild,
                IndexKind::Unique | IndexKind::Plain => Work::Index,
            },
            Clause::DropIndex { .. } => Work::Index,
            Clause::RenameIndex { .. }
            | Clause::HideIndex { .. }
            | Clause::DropConstraint { .. }
            | Clause::MetadataOption => self.on(Work::Index, Work::Metadata),
            Clause::Rebuild => Work::Rebuild,
            Clause::Engine(engine) if engine == "innodb" => Work::Rebuild,
            // With a new key in the same statement the table is made anew in place.
            Clause::DropPrimaryKey if self.adds_primary_key() => Work::Rebuild,
            // A foreign key is added in place where foreign_key_checks is 0, which the statement
            // does not show.
            Clause::AddForeignKey(_)
            | Clause::AddCheck { .. }
            | Clause::DropPrimaryKey
            | Clause::ConvertCharset { .. }
            | Clause::Engine(_) => Work::Copy,
            Clause::Other(_) => Work::Unknown,
        }
    }

    fn on(self, mysql: Work, mariadb: Work) -> Work {
        match self.server {
            Server::MySql => mysql,
            Server::MariaDb => mariadb,
        }
    }

    fn column(&self, name: &str) -> Option<&Column> {
        let mut columns = self.table?.columns.iter();
        columns.find(|column| column.name.eq_ignore_ascii_case(name))
    }

    fn adds_primary_key(self) -> bool {
        self.clauses.iter().any(|clause| {
            matches!(clause, Clause::AddIndex { index: Index { kind: IndexKind::Primary, .. }, .. })
        })
    }

    fn full_texts_added(self) -> usize {
        let full_text = |clause: &&Clause| {
            matches!(
                clause,
                Clause::AddIndex { index: Index { kind: IndexKind::Fulltext, .. }, .. }
            )
        };
        self.clauses.iter().filter(full_text).count()
    }

    /// Whether the table is known to have such an index.
    fn has(self, kind: IndexKind) -> bool {
        self.table.is_some_and(|table| table.indexes.iter().any(|index| index.kind == kind))
    }

    fn has_column(self, generated: Generated) -> bool {
        let columns = self.table.map(|table| table.columns.as_slice()).unwrap_or_default();
        columns.iter().any(|column| column.generated == Some(generated))
    }

    /// `MariaDB` can't tell where a virtual column is once others before it come or go, unless one
    /// thing alone is done at once.
    fn moves_beside_virtual_columns(self, work: Work) -> bool {
        let placed =
            |clause: &Clause| matches!(clause, Clause::AddColumn { column, .. } if column.placed);
        let drops = |clause: &Clause| matches!(clause, Clause::DropColumn { .. });
        self.server == Server::MariaDb
            && self.has_column(Generated::Virtual)
            && (self.clauses.iter().any(placed)
                || (self.clauses.iter().any(drops)
                    && (work > Work::Columns || !self.clauses.iter().all(drops))))
    }

    fn dropped(self, name: &str) -> Work {
        let holds = |index: &Index| {
            index.columns.iter().flatten().any(|column| column.eq_ignore_ascii_case(name))
        };
        let indexed = self.table.is_some_and(|table| table.indexes.iter().any(holds));
        let inline = self.column(name).is_some_and(|column| column.unique || column.primary_key);
        if indexed || inline { Work::Rebuild } else { Work::Columns }
    }

    fn modified(self, old: Option<&Column>, new: &Column) -> Work {
        let Some(old) = old else { return Work::Unknown };
        if old.generated != new.generated || new.check || new.auto_increment != old.auto_increment {
            return Work::Copy;
        }
        // The text of the expression is not compared.
        let expression = match new.generated {
            None => Work::Metadata,
            Some(_) => Work::Unknown,
        };
        let nullable = match (old.not_null, new.not_null) {
            (false, true)
                if self.server == Server::MariaDb && self.has_column(Generated::Stored) =>
            {
                Work::Copy
            }
            (true, false) | (false, true) => Work::Rebuild,
            _ => Work::Metadata,
        };
        let placed =
            if new.placed { self.on(Work::Rebuild, Work::Columns) } else { Work::Metadata };
        let kind = retyped(self.server, &old.kind, &new.kind, self.table);
        expression.max(nullable).max(placed).max(kind)
    }
}

const GEOMETRIES: [&str; 9] = [
    "geometry",
    "point",
    "linestring",
    "polygon",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geometrycollection",
    "geomcollection",
];

fn added(server: Server, column: &Column) -> Work {
    match column.generated {
        Some(Generated::Stored) => return Work::Copy,
        Some(Generated::Virtual) => return Work::Metadata,
        None => {}
    }
    // Both copy for an expression whose value changes; MySQL for any.
    if column.default == Some(Preset::Expression) {
        return if server == Server::MySql { Work::Copy } else { Work::Unknown };
    }
    if column.auto_increment {
        return Work::Shared;
    }
    if column.references.is_some() || (column.check && server == Server::MySql) {
        return Work::Copy;
    }
    // There is no shape that every row could have until it is written.
    let geometry = GEOMETRIES.contains(&column.kind.name.as_str()) && column.not_null;
    if column.unique || column.primary_key || (geometry && server == Server::MySql) {
        return Work::Rebuild;
    }
    Work::Columns
}

/// What a change of the type asks for.
fn retyped(server: Server, old: &Type, new: &Type, table: Option<&Table>) -> Work {
    if old.name != new.name || old.unsigned != new.unsigned {
        return Work::Copy;
    }
    if new.charset.is_some() && new.charset != charset(old, table) {
        return Work::Copy;
    }
    if new.collation.is_some() && new.collation != old.collation {
        // At once or in place where no index holds the column, else a copy.
        return Work::Unknown;
    }
    match new.name.as_str() {
        "varchar" | "varbinary" => longer(server, old, new, table),
        "enum" | "set" => {
            let same = old.arguments.iter().zip(&new.arguments).all(|(old, new)| old == new);
            // The number of bytes of an ENUM grows at 256 members, that of a SET at 9, 17, …
            let bytes =
                |count: usize| if new.name == "enum" { count / 256 } else { count.div_ceil(8) };
            let fits = bytes(old.arguments.len()) == bytes(new.arguments.len());
            let instant = same && fits && new.arguments.len() >= old.arguments.len();
            if instant { Work::Metadata } else { Work::Copy }
        }
        // The width that an integer is shown with is not kept.
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => Work::Metadata,
        _ if old.arguments == new.arguments => Work::Metadata,
        _ => Work::Copy,
    }
}

fn charset(of: &Type, table: Option<&Table>) -> Option<String> {
    of.charset.clone().or_else(|| table?.charset.clone())
}

/// A longer `VARCHAR` stays as it is unless its length in bytes needs a second byte.
fn longer(server: Server, old: &Type, new: &Type, table: Option<&Table>) -> Work {
    let (Some(from), Some(to)) = (old.length(), new.length()) else { return Work::Unknown };
    if from == to {
        return Work::Metadata;
    }
    if to < from {
        return Work::Copy;
    }
    let per_char = match (new.name.as_str(), charset(old, table).as_deref()) {
        ("varbinary", _) | (_, Some("latin1" | "ascii" | "binary")) => 1,
        (_, Some("utf8" | "utf8mb3")) => 3,
        _ => 4,
    };
    let (from, to) = (from * per_char, to * per_char);
    match server {
        // One byte says how long a value of up to 255 bytes is.
        Server::MySql if from <= 255 && to > 255 => Work::Copy,
        Server::MySql => Work::Index,
        // A value of up to 127 bytes has its length written in the same way in either case.
        Server::MariaDb if (128..=255).contains(&from) && to > 255 => Work::Copy,
        Server::MariaDb => Work::Metadata,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_needs_a_statement_that_alters_a_table() {
        let index = "CREATE INDEX i ON t (a)";
        assert_eq!(predict(Server::MySql, None, index), Some(Online::InplaceNoLock));
        let modify = "ALTER TABLE t MODIFY a INT";
        assert_eq!(predict(Server::MySql, None, modify), Some(Online::Unknown));
        assert_eq!(predict(Server::MySql, None, "DROP TABLE t"), None);
    }
}
