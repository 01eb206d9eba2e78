//! The feed: rows of `posts` with their authors, newest first.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::{
    Added, Store, StoreError, User,
    db::{Tx, args},
    sql::statements,
};
use crate::clock::Micros;

statements! {
    POSTS_BEFORE = "SELECT p.id, p.text, p.created_at, u.id AS user_id, u.username, u.avatar, u.created_at AS user_created_at \
        FROM posts p JOIN users u ON u.id = p.user_id \
        WHERE p.id < ? ORDER BY p.id DESC LIMIT ? OFFSET ?";
    POSTS_OF_USER_BEFORE = "SELECT p.id, p.text, p.created_at, u.id AS user_id, u.username, u.avatar, u.created_at AS user_created_at \
        FROM users u JOIN posts p ON p.user_id = u.id \
        WHERE u.username_key = ? AND p.id < ? ORDER BY p.id DESC LIMIT ? OFFSET ?";
    POST_AUTHOR = "SELECT p.user_id FROM posts p WHERE p.id = ?";
    INSERT_POST = "INSERT INTO posts (user_id, text, created_at, sender_key) VALUES (?, ?, ?, ?)";
    POST_OF_KEY = "SELECT p.id, p.text, p.created_at, u.id AS user_id, u.username, u.avatar, u.created_at AS user_created_at \
        FROM posts p JOIN users u ON u.id = p.user_id WHERE p.user_id = ? AND p.sender_key = ?";
    DELETE_POST = "DELETE FROM posts WHERE id = ? AND user_id = ?";
}

/// A post and its author.
#[derive(Clone, Debug, Deserialize, FromRow, Serialize)]
pub struct Post {
    pub id: i64,
    pub text: String,
    pub created_at: Micros,
    #[sqlx(flatten)]
    pub user: User,
}

/// Which posts.
#[derive(Clone, Copy, Debug, Default)]
pub struct PostFilter<'a> {
    /// Only posts of the person with this normalised name.
    pub username_key: Option<&'a str>,
    /// Only posts older than the one of this id.
    pub before: Option<i64>,
}

impl Store {
    /// Posts, newest first.
    pub async fn posts(
        &self,
        filter: PostFilter<'_>,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Post>, StoreError> {
        let before = filter.before.unwrap_or(i64::MAX);
        match filter.username_key {
            None => self.db.fetch_all(POSTS_BEFORE.sql(), args![before, limit, offset]).await,
            Some(key) => {
                let args = args![key, before, limit, offset];
                self.db.fetch_all(POSTS_OF_USER_BEFORE.sql(), args).await
            }
        }
    }

    /// Adds a post. One of somebody's key that is there already is given as it is.
    pub async fn add_post(
        &self,
        user: &User,
        text: &str,
        created_at: Micros,
        key: Option<&str>,
    ) -> Result<Added<Post>, StoreError> {
        let args = args![user.id, text, created_at, key.map(ToOwned::to_owned)];
        match self.db.execute(INSERT_POST.sql(), args).await {
            Ok(written) => {
                let (text, user) = (text.to_owned(), user.clone());
                Ok(Added::Now(Post { id: written.id, text, created_at, user }))
            }
            Err(error) if error.is_duplicate("sender_key") => {
                let args = args![user.id, key.unwrap_or_default()];
                let found = self.db.fetch_optional(POST_OF_KEY.sql(), args).await?;
                // Deleted meanwhile.
                found.map(Added::Before).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// The id of a post's author; nothing if there is no such post.
    pub async fn post_author(&self, post_id: i64) -> Result<Option<i64>, StoreError> {
        let author: Option<(i64,)> =
            self.db.fetch_optional(POST_AUTHOR.sql(), args![post_id]).await?;
        Ok(author.map(|(id,)| id))
    }

    /// Deletes a post if this person wrote it; says whether it did.
    pub async fn delete_post(&self, post_id: i64, author_id: i64) -> Result<bool, StoreError> {
        Ok(self.db.execute(DELETE_POST.sql(), args![post_id, author_id]).await?.rows == 1)
    }
}

pub(super) async fn insert_post(
    tx: &mut Tx,
    user_id: i64,
    text: &str,
    created_at: Micros,
) -> Result<(), StoreError> {
    let key = None::<String>;
    tx.execute(INSERT_POST.sql(), args![user_id, text, created_at, key]).await.map(drop)
}
