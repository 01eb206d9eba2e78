//! The schema of a database as text that can be kept, compared and run.
//!
//! [`read`] asks the database's own catalogue, without another program, and gives a plain
//! [`Schema`]; its `Display` is SQL. Two databases with the same schema give the same text,
//! whatever their rows, counters and users are and in which order things were made; and the text,
//! run on an empty database of the same kind, makes that schema again. The runner's own tables are
//! left out.

mod diff;
mod error;
mod mysql;
mod object;
mod print;
mod settings;
mod sqlite;

pub use diff::diff;
pub use error::SchemaError;
pub use object::{Charset, Kind, Object, Schema, Settings};

use crate::Target;

/// The runner's own tables.
const OWN_TABLES: [&str; 3] = ["_migrations", "_migration_steps", "_migration_texts"];

fn is_own(table: &str) -> bool {
    OWN_TABLES.iter().any(|own| own.eq_ignore_ascii_case(table))
}

/// Reads the schema of a database, over a connection of its own. Only reads; a SQLite file that
/// does not exist is an empty database and is not created.
///
/// The user needs to see what is read: on MySQL and MariaDB `SELECT`, `SHOW VIEW`, `TRIGGER` and
/// `EVENT` on the database, and for routines of others `SHOW_ROUTINE` (MySQL) or `SELECT` on
/// `mysql.proc` (MariaDB; `SHOW CREATE ROUTINE` from 11.3 on). What is listed and can't be read is
/// an error, so that a dump is never short of something without a word.
pub async fn read(target: &Target) -> Result<Schema, SchemaError> {
    let context = error::Context { target: target.to_string() };
    match target {
        Target::MySql(options) => mysql::read(options, &context).await,
        Target::Sqlite(options) => sqlite::read(options, &context).await,
    }
}

/// [`read`], as text.
pub async fn dump(target: &Target) -> Result<String, SchemaError> {
    Ok(read(target).await?.to_string())
}
