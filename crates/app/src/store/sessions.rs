//! Signed-in clients: rows of `sessions`. A session ends when its row goes.

use sqlx::FromRow;

use super::{
    Store, StoreError, User,
    db::{Tx, args},
    sql::statements,
    users::set_password,
};
use crate::clock::Micros;

statements! {
    SESSION = "SELECT s.id, s.created_at, s.expires_at, u.id AS user_id, u.username, u.avatar, u.created_at AS user_created_at \
        FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ? AND s.expires_at > ?";
    INSERT_SESSION = "INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES (?, ?, ?, ?)";
    RENEW_SESSION = "UPDATE sessions SET expires_at = ? WHERE id = ?";
    DELETE_SESSION = "DELETE FROM sessions WHERE id = ?";
    DELETE_SESSIONS_OF_USER = "DELETE FROM sessions WHERE user_id = ?";
    DELETE_EXPIRED_SESSIONS = "DELETE FROM sessions WHERE expires_at <= ?";
}

/// A signed-in client and the person behind it.
#[derive(Clone, Debug, FromRow)]
pub struct Session {
    /// Random; the `sid` claim of its token.
    pub id: String,
    pub created_at: Micros,
    /// When it ends unless it is used before.
    pub expires_at: Micros,
    #[sqlx(flatten)]
    pub user: User,
}

impl Store {
    /// Records a session.
    pub async fn create_session(&self, session: &Session) -> Result<(), StoreError> {
        let Session { id, created_at, expires_at, user } = session;
        let args = args![&**id, user.id, created_at, expires_at];
        self.db.execute(INSERT_SESSION.sql(), args).await.map(drop)
    }

    /// The session of that id, unless it is over at `now`.
    pub async fn session(&self, id: &str, now: Micros) -> Result<Option<Session>, StoreError> {
        self.db.fetch_optional(SESSION.sql(), args![id, now]).await
    }

    /// Moves a session's end.
    pub async fn renew_session(&self, id: &str, expires_at: Micros) -> Result<(), StoreError> {
        self.db.execute(RENEW_SESSION.sql(), args![expires_at, id]).await.map(drop)
    }

    /// Ends one session.
    pub async fn delete_session(&self, id: &str) -> Result<(), StoreError> {
        self.db.execute(DELETE_SESSION.sql(), args![id]).await.map(drop)
    }

    /// Ends every session of a person.
    pub async fn delete_sessions_of(&self, user_id: i64) -> Result<(), StoreError> {
        self.db.execute(DELETE_SESSIONS_OF_USER.sql(), args![user_id]).await.map(drop)
    }

    /// Removes the sessions that are over at `now`; says how many there were.
    pub async fn delete_expired_sessions(&self, now: Micros) -> Result<u64, StoreError> {
        Ok(self.db.execute(DELETE_EXPIRED_SESSIONS.sql(), args![now]).await?.rows)
    }

    /// Replaces a person's password and, with it, all their sessions by `fresh`.
    pub async fn change_password(
        &self,
        password_hash: &str,
        fresh: &Session,
    ) -> Result<(), StoreError> {
        self.db
            .write(|tx| Box::pin(change_password(tx, password_hash.to_owned(), fresh.clone())))
            .await
    }
}

async fn change_password(
    tx: &mut Tx,
    password_hash: String,
    fresh: Session,
) -> Result<(), StoreError> {
    set_password(tx, fresh.user.id, password_hash).await?;
    tx.execute(DELETE_SESSIONS_OF_USER.sql(), args![fresh.user.id]).await?;
    let args = args![fresh.id, fresh.user.id, fresh.created_at, fresh.expires_at];
    tx.execute(INSERT_SESSION.sql(), args).await.map(drop)
}
