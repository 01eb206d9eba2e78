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
        Clause::Algorithm(way) if way == "copy" => Online::Copy,
        Clause::Lock(way) if way == "shared" || way == "exclusive" => Online::InplaceShared,
        Clause::Algorithm(_)
        | Clause::Lock(_)
        | Clause::DropColumn { .. }
        | Clause::RenameColumn { .. }
        | Clause::SetDefault { .. }
        | Clause::DropDefault { .. }
        | Clause::RenameTable(_) => Online::Instant,
        Clause::AddIndex { index, .. } => match index.kind {
            IndexKind::Fulltext | IndexKind::Spatial => Online::InplaceShared,
            _ => Online::InplaceNoLock,
        },
        Clause::DropIndex { .. }
        | Clause::RenameIndex { .. }
        | Clause::HideIndex { .. }
        | Clause::DropConstraint { .. }
        | Clause::MetadataOption
        | Clause::Rebuild => Online::InplaceNoLock,
        Clause::Engine(engine) if engine == "innodb" => Online::InplaceNoLock,
        // A foreign key is added in place where foreign_key_checks is 0, which the statement does
        // not show.
        Clause::AddForeignKey(_)
        | Clause::AddCheck { .. }
        | Clause::DropPrimaryKey
        | Clause::ConvertCharset { .. }
        | Clause::Engine(_) => Online::Copy,
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

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT, b VARCHAR(50), \
         c VARCHAR(100) NOT NULL, e ENUM('a','b'), f INT NOT NULL, d DECIMAL(10,2), txt TEXT) \
         ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4";

    /// What MySQL 9.7 and `MariaDB` 10.11 did when asked for each way after the other, each clause on
    /// a table of its own; what is unknown depends on more than is written here.
    #[test]
    fn the_prediction_is_what_the_servers_do() {
        use Online::{Copy, InplaceNoLock as Inplace, InplaceShared as Shared, Instant, Unknown};
        let Act::CreateTable(table) = act(Dialect::MySql, TABLE) else { panic!("no table") };
        for (clause, mysql, mariadb) in [
            ("ADD COLUMN n INT", Instant, Instant),
            ("ADD COLUMN n INT FIRST", Instant, Instant),
            ("ADD COLUMN n INT NOT NULL DEFAULT 3", Instant, Instant),
            ("ADD COLUMN n DATETIME DEFAULT CURRENT_TIMESTAMP", Instant, Instant),
            ("ADD COLUMN n INT DEFAULT (1+2)", Copy, Unknown),
            ("ADD COLUMN n INT AS (a+1) STORED", Copy, Copy),
            ("ADD COLUMN n INT GENERATED ALWAYS AS (a+1) VIRTUAL", Instant, Instant),
            ("ADD COLUMN n INT UNIQUE", Inplace, Inplace),
            ("ADD COLUMN n INT CHECK (n > 1)", Copy, Instant),
            ("ADD COLUMN n INT REFERENCES p (id)", Copy, Copy),
            ("ADD COLUMN n INT NOT NULL AUTO_INCREMENT PRIMARY KEY", Shared, Shared),
            ("ADD COLUMN (n INT, m INT AS (a+1) STORED)", Copy, Copy),
            ("ADD PRIMARY KEY (a)", Inplace, Inplace),
            ("DROP PRIMARY KEY", Copy, Copy),
            ("DROP PRIMARY KEY, ADD PRIMARY KEY (id, f)", Inplace, Inplace),
            ("DROP COLUMN d", Instant, Instant),
            ("RENAME COLUMN d TO d2", Instant, Instant),
            ("CHANGE d d2 DECIMAL(10,2)", Instant, Instant),
            ("ADD UNIQUE n (b)", Inplace, Inplace),
            ("ADD FULLTEXT n (txt)", Shared, Shared),
            ("DROP INDEX ka", Inplace, Inplace),
            ("ALTER a SET DEFAULT 3", Instant, Instant),
            ("ALTER f DROP DEFAULT", Instant, Instant),
            ("MODIFY a BIGINT", Copy, Copy),
            ("MODIFY a INT UNSIGNED", Copy, Copy),
            ("MODIFY a INT NOT NULL", Inplace, Inplace),
            ("MODIFY f INT NULL", Inplace, Inplace),
            ("MODIFY a INT DEFAULT 7", Instant, Instant),
            ("MODIFY a INT FIRST", Inplace, Instant),
            ("MODIFY b VARCHAR(63)", Inplace, Instant),
            ("MODIFY b VARCHAR(64)", Copy, Copy),
            ("MODIFY c VARCHAR(200) NOT NULL", Inplace, Instant),
            ("MODIFY b VARCHAR(40)", Copy, Copy),
            ("MODIFY b VARCHAR(50) CHARACTER SET latin1", Copy, Copy),
            ("MODIFY b VARCHAR(50) COLLATE utf8mb4_bin", Unknown, Unknown),
            ("MODIFY e ENUM('a','b','c')", Instant, Instant),
            ("MODIFY e ENUM('b','a')", Copy, Copy),
            ("MODIFY d DECIMAL(12,2)", Copy, Copy),
            ("MODIFY txt MEDIUMTEXT", Copy, Copy),
            ("ADD CONSTRAINT n FOREIGN KEY (a) REFERENCES p (id)", Copy, Copy),
            ("ADD CONSTRAINT n CHECK (a > 1)", Copy, Copy),
            ("CONVERT TO CHARACTER SET latin1", Copy, Copy),
            ("ENGINE=InnoDB", Inplace, Inplace),
            ("ROW_FORMAT=DYNAMIC", Inplace, Inplace),
            ("RENAME TO u", Instant, Instant),
            ("PARTITION BY HASH(id) PARTITIONS 4", Unknown, Unknown),
            ("MODIFY nobody_knows INT", Unknown, Unknown),
            ("ADD COLUMN n INT, ADD INDEX i (n)", Inplace, Inplace),
        ] {
            let act = act(Dialect::MySql, &format!("ALTER TABLE t {clause}"));
            let Act::AlterTable { clauses, .. } = act else { panic!("{clause}") };
            let of = |server| of_clauses(server, &clauses, Some(&table));
            assert_eq!((of(Server::MySql), of(Server::MariaDb)), (mysql, mariadb), "{clause}");
        }
    }

    #[test]
    fn a_prediction_needs_a_statement_that_alters_a_table() {
        let index = "CREATE INDEX i ON t (a)";
        assert_eq!(predict(Server::MySql, index), Some(Online::InplaceNoLock));
        assert_eq!(predict(Server::MySql, "ALTER TABLE t MODIFY a INT"), Some(Online::Unknown));
        assert_eq!(predict(Server::MySql, "DROP TABLE t"), None);
    }
}
