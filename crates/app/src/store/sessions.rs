//! Signed-in clients: rows of `sessions`. A session ends when its row goes.

use sqlx::FromRow;

use super::{
    Store, StoreError, User,
    db::{Arg, Tx, args},
    sql::statements,
    users::set_password,
};
use crate::clock::Micros;

statements! {
    SESSION = "SELECT s.id, s.created_at, s.expires_at, u.id AS user_id, u.username, u.avatar, u.created_at AS user_created_at \
        FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = ? AND s.expires_at > ?";
    /// Only while the password is still the one that was checked: changing it in between must
    /// not leave a session behind.
    INSERT_SESSION = "INSERT INTO sessions (id, user_id, created_at, expires_at) \
        SELECT ?, u.id, ?, ? FROM users u WHERE u.id = ? AND u.password_hash = ?";
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
    /// Records a session, if the person's password still has this hash; says whether it has.
    pub async fn create_session(
        &self,
        session: &Session,
        password_hash: &str,
    ) -> Result<bool, StoreError> {
        let args = insertion(session, password_hash);
        Ok(self.db.execute(INSERT_SESSION.sql(), args).await?.rows == 1)
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

    /// Replaces a person's password and, with it, all their sessions by `fresh`, if the
    /// password's hash is still `old`; says whether it was.
    pub async fn change_password(
        &self,
        old: &str,
        new: &str,
        fresh: &Session,
    ) -> Result<bool, StoreError> {
        self.db
            .write(|tx| {
                Box::pin(change_password(tx, old.to_owned(), new.to_owned(), fresh.clone()))
            })
            .await
    }
}

async fn change_password(
    tx: &mut Tx,
    old: String,
    new: String,
    fresh: Session,
) -> Result<bool, StoreError> {
    if !set_password(tx, fresh.user.id, &old, &new).await? {
        return Ok(false);
    }
    tx.execute(DELETE_SESSIONS_OF_USER.sql(), args![fresh.user.id]).await?;
    tx.execute(INSERT_SESSION.sql(), insertion(&fresh, &new)).await?;
    Ok(true)
}

fn insertion(session: &Session, password_hash: &str) -> Vec<Arg> {
    let Session { id, created_at, expires_at, user } = session;
    args![&**id, created_at, expires_at, user.id, password_hash]
}
