//! Whether this server should be sent requests: its database answers and its schema is current.

use std::time::{Duration, Instant};

use migrate::Migrator;
use tokio::{sync::Mutex, time::timeout};

use crate::{
    lifecycle::Lifecycle,
    store::{Store, StoreError},
};

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long an answer is given again, so that eager health checks don't become load.
const FRESH: Duration = Duration::from_secs(1);

/// Why a server is not ready.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    #[error("stopping")]
    Stopping,
    #[error("the database does not answer")]
    Database,
    #[error("the database file was removed or replaced: restart")]
    DatabaseFile,
    #[error("{0} migrations are not applied: run `graphbook migrate up`")]
    Migrations(usize),
    #[error("the migrations need a person: run `graphbook migrate status`")]
    MigrationTrouble,
}

/// Answers whether the server is ready.
pub struct Readiness {
    lifecycle: Lifecycle,
    store: Store,
    migrator: Migrator,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    answer: Option<(Instant, Result<(), NotReady>)>,
    /// Once current, a schema stays so for this binary.
    schema_is_current: bool,
}

impl Readiness {
    /// Watches these.
    pub fn new(lifecycle: Lifecycle, store: Store, migrator: Migrator) -> Self {
        Self { lifecycle, store, migrator, last: Mutex::default() }
    }

    /// Whether the server is ready, at most a second old.
    pub async fn check(&self) -> Result<(), NotReady> {
        if self.lifecycle.is_stopping() {
            return Err(NotReady::Stopping);
        }
        let mut last = self.last.lock().await;
        if let Some((at, answer)) = &last.answer
            && at.elapsed() < FRESH
        {
            return answer.clone();
        }
        let answer = match timeout(PATIENCE, self.ask(&mut last.schema_is_current)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(NotReady::Database),
        };
        last.answer = Some((Instant::now(), answer.clone()));
        answer
    }

    async fn ask(&self, schema_is_current: &mut bool) -> Result<(), NotReady> {
        if let Err(error) = self.store.ping().await {
            tracing::warn!(%error, "not ready");
            return Err(match error {
                StoreError::FileGone(_) => NotReady::DatabaseFile,
                StoreError::Database(_) => NotReady::Database,
            });
        }
        if *schema_is_current {
            return Ok(());
        }
        let status = self.migrator.status().await.map_err(|error| {
            tracing::warn!(%error, "not ready");
            NotReady::Database
        })?;
        match (status.is_current(), status.pending()) {
            (true, _) => {
                *schema_is_current = true;
                Ok(())
            }
            (false, 0) => Err(NotReady::MigrationTrouble),
            (false, pending) => Err(NotReady::Migrations(pending)),
        }
    }
}
