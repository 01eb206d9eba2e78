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

/// How a statement would change a table of which nothing else is known; `None` if it alters none.
pub fn predict(server: Server, statement: &str) -> Option<Online> {
    match act(Dialect::MySql, statement) {
        Act::AlterTable { clauses, .. } => Some(of_clauses(server, &clauses, None)),
        _ => None,
    }
}

/// The worst of the clauses, which are carried out together.
pub(super) fn of_clauses(server: Server, clauses: &[Clause], table: Option<&Table>) -> Online {
    let new_key = clauses.iter().any(|clause| {
        matches!(clause, Clause::AddIndex { index: Index { kind: IndexKind::Primary, .. }, .. })
    });
    let of = |clause| match clause {
        // With a new key in the same statement the table is made anew in place.
        &Clause::DropPrimaryKey if new_key => Online::InplaceNoLock,
        clause => of_clause(server, clause, table),
    };
    clauses.iter().map(of).max().unwrap_or(Online::Unknown)
}

/// How one clause would be carried out.
pub(super) fn of_clause(server: Server, clause: &Clause, table: Option<&Table>) -> Online {
    let column =
        |name: &str| table?.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name));
    match clause {
        Clause::AddColumn { column, .. } => added(server, column),
        Clause::Modify(new) => modified(server, column(&new.name), new, table),
        Clause::Change { from, column: new } => modified(server, column(from), new, table),
        Clause::DropColumn { .. }
        | Clause::RenameColumn { .. }
        | Clause::SetDefault { .. }
        | Clause::DropDefault { .. }
        | Clause::RenameTable(_) => Online::Instant,
        Clause::AddIndex { index, .. } => match index.kind {
            IndexKind::Fulltext | IndexKind::Spatial => Online::InplaceShared,
            _ => Online::InplaceNoLock,
        },
        Clause::DropPrimaryKey | Clause::ConvertCharset { .. } => Online::Copy,
        // With foreign_key_checks = 0 in place, which the statement does not show.
        Clause::AddForeignKey(_) | Clause::AddCheck => Online::Copy,
        Clause::DropIndex { .. }
        | Clause::RenameIndex
        | Clause::HideIndex { .. }
        | Clause::DropConstraint { .. }
        | Clause::MetadataOption
        | Clause::Rebuild => Online::InplaceNoLock,
        Clause::Engine(engine) if engine == "innodb" => Online::InplaceNoLock,
        Clause::Engine(_) => Online::Copy,
        Clause::Algorithm(way) if way == "copy" => Online::Copy,
        Clause::Lock(way) if way == "shared" || way == "exclusive" => Online::InplaceShared,
        Clause::Algorithm(_) | Clause::Lock(_) => Online::Instant,
        Clause::Other(_) => Online::Unknown,
    }
}

fn added(server: Server, column: &Column) -> Online {
    if column.generated == Some(Generated::Stored) {
        return Online::Copy;
    }
    // Both copy for an expression whose value changes; MySQL for any.
    if column.default == Some(Preset::Expression) {
        return if server == Server::MySql { Online::Copy } else { Online::Unknown };
    }
    if column.auto_increment {
        return Online::InplaceShared;
    }
    if column.check && server == Server::MySql {
        return Online::Copy;
    }
    if column.references.is_some() {
        return Online::Copy;
    }
    if column.unique || column.primary_key { Online::InplaceNoLock } else { Online::Instant }
}

fn modified(server: Server, old: Option<&Column>, new: &Column, table: Option<&Table>) -> Online {
    let Some(old) = old else { return Online::Unknown };
    if old.generated != new.generated || new.check {
        return Online::Copy;
    }
    let kind = retyped(server, &old.kind, &new.kind, table);
    let nullable = match (old.not_null, new.not_null) {
        (true, false) | (false, true) => Online::InplaceNoLock,
        _ => Online::Instant,
    };
    let placed = match server {
        Server::MySql if new.placed => Online::InplaceNoLock,
        _ => Online::Instant,
    };
    kind.max(nullable).max(placed)
}

/// What a change of the type asks for.
fn retyped(server: Server, old: &Type, new: &Type, table: Option<&Table>) -> Online {
    if old.name != new.name || old.unsigned != new.unsigned {
        return Online::Copy;
    }
    if new.charset.is_some() && new.charset != charset(old, table) {
        return Online::Copy;
    }
    if new.collation.is_some() && new.collation != old.collation {
        // At once or in place where no index holds the column, else a copy.
        return Online::Unknown;
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
            if instant { Online::Instant } else { Online::Copy }
        }
        // The width that an integer is shown with is not kept.
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => Online::Instant,
        _ if old.arguments == new.arguments => Online::Instant,
        _ => Online::Copy,
    }
}

fn charset(of: &Type, table: Option<&Table>) -> Option<String> {
    of.charset.clone().or_else(|| table?.charset.clone())
}

/// A longer `VARCHAR` stays as it is unless its length in bytes needs a second byte.
fn longer(server: Server, old: &Type, new: &Type, table: Option<&Table>) -> Online {
    let (Some(from), Some(to)) = (old.length(), new.length()) else { return Online::Unknown };
    if from == to {
        return Online::Instant;
    }
    if to < from {
        return Online::Copy;
    }
    let per_char = match (new.name.as_str(), charset(old, table).as_deref()) {
        ("varbinary", _) | (_, Some("latin1" | "ascii" | "binary")) => 1,
        (_, Some("utf8" | "utf8mb3")) => 3,
        _ => 4,
    };
    let one_byte = |length: u64| length * per_char <= 255;
    match (one_byte(from), one_byte(to), server) {
        (true, false, _) => Online::Copy,
        (_, _, Server::MySql) => Online::InplaceNoLock,
        (_, _, Server::MariaDb) => Online::Instant,
    }
}
