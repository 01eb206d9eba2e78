//! People: rows of `users`, and the suffixes by which they are found.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::{
    Store, StoreError,
    db::{Tx, args},
    sql::{MAX_LIST, Template, statements},
};
use crate::clock::Micros;

/// The shortest text that the search for people looks for, in characters.
pub(super) const MIN_SEARCH_CHARS: usize = 3;

statements! {
    USER_BY_USERNAME = "SELECT u.id AS user_id, u.username, u.avatar, u.created_at AS user_created_at \
        FROM users u WHERE u.username_key = ?";
    USERS_BY_ID = "SELECT u.id AS user_id, u.username, u.avatar, u.created_at AS user_created_at \
        FROM users u WHERE u.id IN ({, |?})";
    /// No index has both the names and when people came, so that what is found is sorted: of more
    /// than ten thousand people only the first by the alphabet.
    SEARCH_USERS = "SELECT u.id AS user_id, u.username, u.avatar, u.created_at AS user_created_at \
        FROM (SELECT DISTINCT s.user_id FROM username_suffixes s WHERE s.suffix >= ? AND s.suffix < ? LIMIT 10000) found \
        JOIN users u ON u.id = found.user_id \
        ORDER BY u.id DESC LIMIT ? OFFSET ?";
    CREDENTIALS_BY_EMAIL = "SELECT u.password_hash, u.id AS user_id, u.username, u.avatar, u.created_at AS user_created_at \
        FROM users u WHERE u.email_key = ?";
    CREDENTIALS_BY_ID = "SELECT u.password_hash, u.id AS user_id, u.username, u.avatar, u.created_at AS user_created_at \
        FROM users u WHERE u.id = ?";
    ANY_USER = "SELECT u.id FROM users u ORDER BY u.id LIMIT 1";
    INSERT_USER = "INSERT INTO users (username, username_key, email, email_key, password_hash, avatar, created_at) \
        VALUES (?, ?, ?, ?, ?, ?, ?)";
    INSERT_SUFFIXES = "INSERT INTO username_suffixes (suffix, user_id) VALUES {, |(?, ?)}";
    SET_AVATAR = "UPDATE users SET avatar = ? WHERE id = ?";
    SET_PASSWORD = "UPDATE users SET password_hash = ? WHERE id = ? AND password_hash = ?";
}

/// A person, as others see them.
#[derive(Clone, Debug, Deserialize, FromRow, Serialize)]
pub struct User {
    #[sqlx(rename = "user_id")]
    pub id: i64,
    pub username: String,
    /// The stored name of their picture, see [`crate::avatars::AvatarName`].
    pub avatar: Option<String>,
    #[sqlx(rename = "user_created_at")]
    pub created_at: Micros,
}

/// A person and what their password is checked against.
#[derive(Clone, FromRow)]
pub struct Credentials {
    #[sqlx(flatten)]
    pub user: User,
    pub password_hash: String,
}

/// A person who signs up; names and keys are already validated and normalised.
#[derive(Clone)]
pub struct NewUser {
    pub username: String,
    pub username_key: String,
    pub email: String,
    pub email_key: String,
    pub password_hash: String,
    pub avatar: Option<String>,
    pub created_at: Micros,
}

impl Store {
    /// Adds a person.
    ///
    /// # Errors
    /// [`StoreError::is_duplicate`] of `username_key` or `email_key` when the name or the
    /// address is taken.
    pub async fn create_user(&self, new: &NewUser) -> Result<User, StoreError> {
        self.db.write(|tx| Box::pin(insert_user(tx, new.clone()))).await
    }

    /// The person of that normalised name.
    pub async fn user_by_username(&self, username_key: &str) -> Result<Option<User>, StoreError> {
        self.db.fetch_optional(USER_BY_USERNAME.sql(), args![username_key]).await
    }

    /// The people of these ids, in no order; unknown ids are left out. At most 512 ids count.
    pub async fn users_by_id(&self, ids: &[i64]) -> Result<Vec<User>, StoreError> {
        let ids = ids.get(..MAX_LIST).unwrap_or(ids);
        let Some(last) = ids.last() else { return Ok(vec![]) };
        let count = Template::padded(ids.len());
        let args = ids.iter().chain(std::iter::repeat(last)).take(count).map(Into::into).collect();
        self.db.fetch_all(USERS_BY_ID.repeated(count), args).await
    }

    /// People whose normalised name contains `text_key` (at least three
    /// characters, else nobody is found), newest first.
    pub async fn search_users(
        &self,
        text_key: &str,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<User>, StoreError> {
        if text_key.chars().count() < MIN_SEARCH_CHARS {
            return Ok(vec![]);
        }
        let end = format!("{text_key}{}", char::MAX);
        self.db.fetch_all(SEARCH_USERS.sql(), args![text_key, end, limit, offset]).await
    }

    /// What a sign-in with this normalised address is checked against.
    pub async fn credentials_by_email(
        &self,
        email_key: &str,
    ) -> Result<Option<Credentials>, StoreError> {
        self.db.fetch_optional(CREDENTIALS_BY_EMAIL.sql(), args![email_key]).await
    }

    /// What a signed-in person's password is checked against.
    pub async fn credentials_by_id(&self, id: i64) -> Result<Option<Credentials>, StoreError> {
        self.db.fetch_optional(CREDENTIALS_BY_ID.sql(), args![id]).await
    }

    /// Whether anybody is there.
    pub async fn has_users(&self) -> Result<bool, StoreError> {
        Ok(self.db.fetch_optional::<(i64,)>(ANY_USER.sql(), vec![]).await?.is_some())
    }

    /// Gives a person another picture.
    pub async fn set_avatar(&self, user_id: i64, avatar: &str) -> Result<(), StoreError> {
        self.db.execute(SET_AVATAR.sql(), args![avatar, user_id]).await.map(drop)
    }
}

/// Replaces a password's hash, if it is still `old`; says whether it was.
pub(super) async fn set_password(
    tx: &mut Tx,
    user_id: i64,
    old: &str,
    new: &str,
) -> Result<bool, StoreError> {
    Ok(tx.execute(SET_PASSWORD.sql(), args![new, user_id, old]).await?.rows == 1)
}

pub(super) async fn insert_user(tx: &mut Tx, new: NewUser) -> Result<User, StoreError> {
    let written = tx
        .execute(
            INSERT_USER.sql(),
            args![
                &*new.username,
                &*new.username_key,
                new.email,
                new.email_key,
                new.password_hash,
                new.avatar.clone(),
                new.created_at,
            ],
        )
        .await?;
    let suffixes = suffixes(&new.username_key);
    let args = suffixes.iter().flat_map(|suffix| args![*suffix, written.id]).collect();
    tx.execute(INSERT_SUFFIXES.repeated(suffixes.len()), args).await?;
    Ok(User {
        id: written.id,
        username: new.username,
        avatar: new.avatar,
        created_at: new.created_at,
    })
}

/// Every ending of a key that is long enough to be searched for. The whole key is always among
/// them, so the list is never empty.
fn suffixes(key: &str) -> Vec<&str> {
    let chars = key.chars().count();
    key.char_indices()
        .enumerate()
        .filter(|(index, _)| *index == 0 || chars - index >= MIN_SEARCH_CHARS)
        .filter_map(|(_, (start, _))| key.get(start..))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::suffixes;

    #[test]
    fn a_name_is_found_by_every_ending_of_three_characters() {
        assert_eq!(suffixes("łukasz"), ["łukasz", "ukasz", "kasz", "asz"]);
        assert_eq!(suffixes("李雷x"), ["李雷x"]);
        assert_eq!(suffixes("ab"), ["ab"]);
    }
}
