//! Applies a folder of SQL migrations to MySQL, MariaDB or SQLite, once each and in order, however
//! many runners start at the same moment.
//!
//! Three invariants hold everything together:
//!
//! - What was applied is known from one table, `_migrations`, and never guessed. A migration that
//!   began and did not finish stays visible there and is not run again by itself.
//! - The table is read again *after* the lock was obtained, so a runner that waited sees what the
//!   one before it did.
//! - Everything that can be refused (an edited file, a late one) is refused before the first
//!   statement runs.
//!
//! [`Migrations`] are read and checked without a database, [`Status`] compares them with one, and
//! [`Migrator`] is the thin part that talks to it. [`cli`] holds the commands that this crate's
//! own program and any other one can offer.

pub mod adopt;
mod checksum;
pub mod cli;
mod clock;
pub mod create;
mod database;
mod direction;
mod engine;
mod error;
mod event;
mod journal;
mod limits;
pub mod lint;
mod migrator;
mod mysql;
mod online;
mod plan;
mod reconcile;
mod recorder;
mod repair;
mod run_by;
pub mod schema;
pub mod scratch;
mod source;
mod space;
mod sql;
mod sqlite;
mod status;
mod takeover;
mod target;
#[cfg(feature = "testing")]
pub mod testing;
mod wait;
pub mod wait_for_database;

pub use direction::Direction;
pub use error::{Cause, MigrateError};
pub use event::{Applied, Event, Holder};
pub use journal::{Decision, StepState};
pub use limits::Limits;
pub use migrator::Migrator;
pub use plan::{DownOptions, ListedMigration, ListedStep, OutOfOrder, Plan, Prediction, UpOptions};
pub use repair::{Choice, StepId};
pub use source::{Migration, Migrations, Problem, SourceError};
pub use status::{Entry, State, Status};
pub use target::{Dialect, Target, TargetError};
