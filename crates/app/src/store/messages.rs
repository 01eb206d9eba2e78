//! What is said in chats: rows of `messages` with their authors.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::{
    Added, Store, StoreError, User,
    db::{Tx, args},
    sql::statements,
};
use crate::clock::Micros;

statements! {
    /// The newest messages of several chats: one short walk down the index per chat.
    NEWEST_MESSAGES = "SELECT m.id, m.chat_id, m.text, m.created_at, u.id AS user_id, u.username, u.avatar, u.created_at AS user_created_at \
        FROM ({ UNION ALL |SELECT * FROM (SELECT id, chat_id, user_id, text, created_at FROM messages \
            WHERE chat_id = ? AND id < ? ORDER BY id DESC LIMIT ?) newest}) m \
        JOIN users u ON u.id = m.user_id ORDER BY m.chat_id, m.id";
    INSERT_MESSAGE = "INSERT INTO messages (chat_id, user_id, text, created_at, sender_key) VALUES (?, ?, ?, ?, ?)";
    MESSAGE_OF_KEY = "SELECT m.id, m.chat_id, m.text, m.created_at, \
            u.id AS user_id, u.username, u.avatar, u.created_at AS user_created_at \
        FROM messages m JOIN users u ON u.id = m.user_id WHERE m.user_id = ? AND m.sender_key = ?";
}

/// A message and its author.
#[derive(Clone, Debug, Deserialize, FromRow, Serialize)]
pub struct Message {
    pub id: i64,
    pub chat_id: i64,
    pub text: String,
    pub created_at: Micros,
    #[sqlx(flatten)]
    pub user: User,
}

/// Which messages of a chat: the `last` ones that are older than the one of id `before`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageRange {
    pub before: Option<i64>,
    pub last: i64,
}

impl Store {
    /// Messages of several chats, by chat and oldest first. At most 512 chats count.
    pub async fn messages(
        &self,
        chat_ids: &[i64],
        range: MessageRange,
    ) -> Result<Vec<Message>, StoreError> {
        if chat_ids.is_empty() {
            return Ok(vec![]);
        }
        let before = range.before.unwrap_or(i64::MAX);
        let args = chat_ids.iter().flat_map(|id| args![id, before, range.last]).collect();
        self.db.fetch_all(NEWEST_MESSAGES.repeated(chat_ids.len()), args).await
    }

    /// Adds a message. One of somebody's key that is there already is given as it is.
    pub async fn add_message(
        &self,
        chat_id: i64,
        user: &User,
        text: &str,
        created_at: Micros,
        key: Option<&str>,
    ) -> Result<Added<Message>, StoreError> {
        let args = args![chat_id, user.id, text, created_at, key.map(ToOwned::to_owned)];
        match self.db.execute(INSERT_MESSAGE.sql(), args).await {
            Ok(written) => {
                let (text, user) = (text.to_owned(), user.clone());
                Ok(Added::Now(Message { id: written.id, chat_id, text, created_at, user }))
            }
            Err(error) if error.is_duplicate("sender_key") => {
                let args = args![user.id, key.unwrap_or_default()];
                let found = self.db.fetch_optional(MESSAGE_OF_KEY.sql(), args).await?;
                // Deleted meanwhile, with its chat.
                found.map(Added::Before).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }
}

pub(super) async fn insert_message(
    tx: &mut Tx,
    chat_id: i64,
    user_id: i64,
    text: &str,
    created_at: Micros,
) -> Result<(), StoreError> {
    let key = None::<String>;
    tx.execute(INSERT_MESSAGE.sql(), args![chat_id, user_id, text, created_at, key]).await.map(drop)
}
