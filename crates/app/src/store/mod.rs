//! Everything that is kept: SQL lives here and only here.
//!
//! [`Store`] is not generic: it hides which database it talks to. Each statement is written
//! once and runs on MySQL, MariaDB and `SQLite`; `sql::statements!` declares them so that the
//! tests prepare and explain every one on every database. Instants are microseconds since the
//! Unix epoch, given by the caller.

mod chats;
mod db;
mod file;
mod messages;
mod posts;
mod seed;
mod sessions;
mod sql;
mod users;

use std::path::PathBuf;

use migrate::Target;

use self::db::Db;
pub use self::{
    chats::{Chat, Membership, NewChat},
    messages::{Message, MessageRange},
    posts::{Post, PostFilter},
    seed::Seed,
    sessions::Session,
    users::{Credentials, NewUser, User},
};

/// What somebody wrote, with a key of their own or without one.
#[derive(Clone, Debug)]
pub enum Added<T> {
    /// It was added just now.
    Now(T),
    /// It was there, with that key.
    Before(T),
}

/// What can go wrong between this program and its database. Its text is for the log, never for
/// a client.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database did not do what was asked: {0}")]
    Database(#[from] sqlx::Error),
    #[error(
        "the database file {} was removed or replaced while it was in use; restart Graphbook, \
         which then opens what is there", .0.display()
    )]
    FileGone(PathBuf),
}

impl StoreError {
    /// Whether a row with the same value in `column` was there already.
    ///
    /// MySQL names the violated key in its message, `SQLite` the column; the schema names each
    /// key `<table>_<column>`, so the column stands in both.
    pub fn is_duplicate(&self, column: &str) -> bool {
        self.of_database()
            .is_some_and(|error| error.is_unique_violation() && error.message().contains(column))
    }

    /// MySQL's 1213: the transaction was rolled back to let another one go on.
    fn is_deadlock(&self) -> bool {
        self.of_database()
            .and_then(|error| error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>())
            .is_some_and(|error| error.number() == 1213)
    }

    fn of_database(&self) -> Option<&dyn sqlx::error::DatabaseError> {
        match self {
            Self::Database(error) => error.as_database_error(),
            Self::FileGone(_) => None,
        }
    }
}

/// The database, behind functions that say what they do. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
}

impl Store {
    /// Opens a store on a migrated database with at most `connections` connections. Nothing is
    /// contacted yet.
    pub fn open(target: &Target, connections: u32) -> Self {
        Self { db: Db::open(target, connections) }
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.db.fetch_all::<(i64,)>(PING.sql(), vec![]).await.map(drop)
    }

    /// How many statements were sent since the start, for tests and the request log.
    pub fn statements(&self) -> u64 {
        self.db.statements()
    }

    /// Closes all connections after the statements that are running.
    pub async fn close(&self) {
        self.db.close().await;
    }

    /// Every statement, as (name, text with that many values per list), for tests.
    pub fn every_statement(values: usize) -> Vec<(&'static str, String)> {
        let text = |template: sql::Template| template.repeated(values).text.to_string();
        catalogue().map(|template| (template.name, text(template))).collect()
    }

    /// Prepares every statement, lists in several lengths.
    ///
    /// # Errors
    /// The name of the first one that the database refuses, and its reason.
    pub async fn prepare_every_statement(&self) -> Result<usize, (&'static str, StoreError)> {
        let mut prepared = 0;
        for template in catalogue() {
            for count in [1, 2, 16] {
                let sql = template.repeated(count);
                self.db.prepare(sql).await.map_err(|error| (template.name, error))?;
                prepared += 1;
            }
        }
        Ok(prepared)
    }
}

fn catalogue() -> impl Iterator<Item = sql::Template> {
    [ALL, chats::ALL, messages::ALL, posts::ALL, sessions::ALL, users::ALL]
        .into_iter()
        .flatten()
        .copied()
}

sql::statements! {
    PING = "SELECT 1";
}
