//! Takes over from another tool: reads the table in which it wrote what it had applied, and says
//! which of our files that was.
//!
//! Reading creates and changes nothing, in the database or in the files. [`read`] asks the database
//! and leaves the rest to pure parts: one for each tool, which knows what its rows mean, and one
//! that compares them with the files. The answer, an [`Adoption`], is a plain value; a person
//! decides about its `problems` before anything is written on the strength of it.

mod checksums;
mod dbmate;
mod error;
mod findings;
mod flyway;
mod matching;
mod rows;
mod sequelize;
mod sqlx_cli;
mod table;

use std::fmt;

use crate::{Migrations, Target};
pub use error::AdoptError;
pub use findings::{Note, Problem};
use table::Table;

/// A tool whose history can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Tool {
    /// sqlx-cli, and the migrator of the crate sqlx.
    Sqlx,
    /// sequelize-cli, and umzug with its storage for Sequelize.
    Sequelize,
    /// dbmate.
    Dbmate,
    /// Flyway.
    Flyway,
}

impl Tool {
    /// Every tool.
    const ALL: [Self; 4] = [Self::Sqlx, Self::Sequelize, Self::Dbmate, Self::Flyway];

    /// The table it uses unless it is told another one.
    pub fn default_table(self) -> &'static str {
        match self {
            Self::Sqlx => "_sqlx_migrations",
            Self::Sequelize => "SequelizeMeta",
            Self::Dbmate => "schema_migrations",
            Self::Flyway => "flyway_schema_history",
        }
    }
}

/// Its name as an argument: `sqlx`.
impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlx => "sqlx",
            Self::Sequelize => "sequelize",
            Self::Dbmate => "dbmate",
            Self::Flyway => "flyway",
        })
    }
}

/// Whose history to read, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Who wrote it.
    pub tool: Tool,
    /// The table, if it is not the tool's usual one; on MySQL and MariaDB also `database.table`.
    pub table: Option<String>,
}

impl From<Tool> for History {
    /// The history in the tool's usual table.
    fn from(tool: Tool) -> Self {
        Self { tool, table: None }
    }
}

/// What another tool's history says about our files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// Files that were applied, in the order of their versions.
    pub applied: Vec<Adopted>,
    /// What a person should know, and need not act on.
    pub notes: Vec<Note>,
    /// What a person must decide first: while there is one, nothing should be taken over.
    pub problems: Vec<Problem>,
}

/// One of our files that the other tool applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// The file's version.
    pub version: i64,
    /// The file's name, without the version.
    pub name: String,
    /// When, in microseconds of Unix time, where the tool writes that down.
    pub applied_at: Option<i64>,
}

/// Reads another tool's history and compares it with the files. Only reads: a database without that
/// table, or a SQLite file that does not exist, is an error.
pub async fn read(
    target: &Target,
    migrations: &Migrations,
    history: &History,
) -> Result<Adoption, AdoptError> {
    let dialect = target.dialect();
    let table = Table::new(history, dialect)?;
    let rows = rows::read(target, history.tool, &table).await?;
    let recorded = match history.tool {
        Tool::Sqlx => sqlx_cli::recorded(rows),
        Tool::Sequelize => sequelize::recorded(rows),
        Tool::Dbmate => dbmate::recorded(rows),
        Tool::Flyway => flyway::recorded(rows),
    };
    Ok(matching::adoption(recorded, migrations, dialect))
}
