//! The lock that keeps two runners apart on MySQL and MariaDB.
//!
//! `GET_LOCK` belongs to the connection, so it is taken on the one that runs the migrations: a
//! runner that dies in the middle of an ALTER keeps the lock until the server is done with it, and
//! one that dies between statements frees it. Neither a lock row nor a second connection does that.

use std::time::Duration;

use sqlx::MySqlConnection;

use super::server;
use crate::checksum::sha256_hex;
use crate::error::Context;
use crate::event::{Holder, Report};
use crate::wait::Wait;
use crate::{Event, MigrateError};

/// How long one `GET_LOCK` waits. Short, because MariaDB knows no unlimited wait (a negative timeout
/// returns NULL there and takes no lock) and a person wants to see that something is waiting.
const SLICE: Duration = Duration::from_secs(5);

/// The lock of one database. Locks belong to the whole server, hence the database in the name.
pub(crate) struct Lock {
    name: String,
    context: Context,
}

impl Lock {
    pub(crate) fn new(database: &str, context: &Context) -> Self {
        // Hashed: MySQL refuses names above 64 characters, and a database name may have as many.
        let digest: String = sha256_hex(database).chars().take(40).collect();
        Self { name: format!("migrate.{digest}"), context: context.clone() }
    }

    /// Waits for the lock, up to `limit`.
    pub(crate) async fn acquire(
        &self,
        connection: &mut MySqlConnection,
        limit: Duration,
        report: &mut Report<'_>,
    ) -> Result<(), MigrateError> {
        let wait = Wait::new(limit);
        // The first attempt does not wait, so that a person learns at once that somebody else is
        // at work.
        let mut slice = Duration::ZERO;
        loop {
            if self.try_acquire(connection, slice).await? {
                return Ok(());
            }
            let holder = self.holder(connection).await?;
            if wait.is_over() {
                let (target, waited) = (self.context.target.clone(), wait.elapsed());
                return Err(MigrateError::LockTimeout { target, holder, waited });
            }
            report(Event::WaitingForLock { holder, waited: wait.elapsed() });
            slice = SLICE.min(wait.left());
        }
    }

    /// Whether this very connection still has the lock: a proxy may have replaced it, or another
    /// server taken over.
    pub(crate) async fn is_held(
        &self,
        connection: &mut MySqlConnection,
    ) -> Result<bool, MigrateError> {
        let held: Option<i64> =
            sqlx::query_scalar("SELECT CAST(IS_USED_LOCK(?) = CONNECTION_ID() AS SIGNED)")
                .bind(&self.name)
                .fetch_one(connection)
                .await
                .map_err(|reason| self.error(&reason.to_string()))?;
        Ok(held == Some(1))
    }

    /// Frees the lock, and finds out whether it was still there to be freed.
    pub(crate) async fn release(
        &self,
        connection: &mut MySqlConnection,
    ) -> Result<(), MigrateError> {
        let released: Option<i64> = sqlx::query_scalar("SELECT CAST(RELEASE_LOCK(?) AS SIGNED)")
            .bind(&self.name)
            .fetch_one(connection)
            .await
            .map_err(|reason| self.error(&reason.to_string()))?;
        if released == Some(1) {
            return Ok(());
        }
        let (target, file) = (self.context.target.clone(), "the end".to_owned());
        Err(MigrateError::LockLost { target, file })
    }

    async fn try_acquire(
        &self,
        connection: &mut MySqlConnection,
        slice: Duration,
    ) -> Result<bool, MigrateError> {
        // Whole seconds: MySQL rounds fractions, and half a second would become none.
        let seconds = i64::try_from(slice.as_millis().div_ceil(1000)).unwrap_or(1);
        let answer: Option<i64> = sqlx::query_scalar("SELECT CAST(GET_LOCK(?, ?) AS SIGNED)")
            .bind(&self.name)
            .bind(seconds)
            .fetch_one(connection)
            .await
            .map_err(|reason| self.error(&reason.to_string()))?;
        match answer {
            Some(1) => Ok(true),
            Some(_) => Ok(false),
            None => Err(self.error("the server answered NULL, so no lock was taken")),
        }
    }

    async fn holder(
        &self,
        connection: &mut MySqlConnection,
    ) -> Result<Option<Holder>, MigrateError> {
        let holder: Option<i64> = sqlx::query_scalar("SELECT CAST(IS_USED_LOCK(?) AS SIGNED)")
            .bind(&self.name)
            .fetch_one(&mut *connection)
            .await
            .map_err(|reason| self.error(&reason.to_string()))?;
        match holder.and_then(|id| u64::try_from(id).ok()) {
            Some(id) => Ok(Some(server::holder(connection, id).await)),
            None => Ok(None),
        }
    }

    fn error(&self, reason: &str) -> MigrateError {
        MigrateError::Lock {
            target: self.context.target.clone(),
            name: self.name.clone(),
            reason: reason.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dialect;

    fn name_of(database: &str) -> String {
        let context = Context { target: String::new(), dialect: Dialect::MySql };
        Lock::new(database, &context).name
    }

    #[test]
    fn every_database_has_its_own_name_which_fits_the_limit() {
        assert_ne!(name_of("app"), name_of("app2"));
        assert!(name_of(&"x".repeat(64)).len() <= 64);
    }
}
