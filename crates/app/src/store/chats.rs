//! Conversations and who takes part: rows of `chats` and `chat_members`.

use sqlx::FromRow;

use super::{
    Message, Store, StoreError, User,
    db::{Tx, args},
    sql::{MAX_LIST, Template, statements},
};
use crate::clock::Micros;

statements! {
    /// Sorts by what stands in two tables, so no index can: of more than ten thousand chats only the
    /// newest are looked at.
    CHATS_OF_USER = "SELECT c.id, c.created_at, 1 AS is_member, \
            m.id AS message_id, m.text, m.created_at AS message_created_at, \
            u.id AS user_id, u.username, u.avatar, u.created_at AS user_created_at \
        FROM (SELECT cm.chat_id FROM chat_members cm WHERE cm.user_id = ? \
            ORDER BY cm.chat_id DESC LIMIT 10000) mine \
        JOIN chats c ON c.id = mine.chat_id \
        LEFT JOIN messages m ON m.id = (SELECT MAX(l.id) FROM messages l WHERE l.chat_id = c.id) \
        LEFT JOIN users u ON u.id = m.user_id \
        ORDER BY COALESCE(m.created_at, c.created_at) DESC, c.id DESC LIMIT ? OFFSET ?";
    CHAT_FOR_USER = "SELECT c.id, c.created_at, \
            EXISTS (SELECT 1 FROM chat_members cm WHERE cm.chat_id = c.id AND cm.user_id = ?) AS is_member, \
            m.id AS message_id, m.text, m.created_at AS message_created_at, \
            u.id AS user_id, u.username, u.avatar, u.created_at AS user_created_at \
        FROM chats c \
        LEFT JOIN messages m ON m.id = (SELECT MAX(l.id) FROM messages l WHERE l.chat_id = c.id) \
        LEFT JOIN users u ON u.id = m.user_id \
        WHERE c.id = ?";
    CHAT_OF_PAIR = "SELECT c.id, c.created_at, 1 AS is_member, \
            m.id AS message_id, m.text, m.created_at AS message_created_at, \
            u.id AS user_id, u.username, u.avatar, u.created_at AS user_created_at \
        FROM chats c \
        LEFT JOIN messages m ON m.id = (SELECT MAX(l.id) FROM messages l WHERE l.chat_id = c.id) \
        LEFT JOIN users u ON u.id = m.user_id \
        WHERE c.pair_key = ?";
    MEMBERS_OF_CHATS = "SELECT cm.chat_id, u.id AS user_id, u.username, u.avatar, u.created_at AS user_created_at \
        FROM chat_members cm JOIN users u ON u.id = cm.user_id \
        WHERE cm.chat_id IN ({, |?}) ORDER BY cm.chat_id, cm.user_id";
    MEMBER_IDS = "SELECT cm.user_id FROM chat_members cm WHERE cm.chat_id = ? ORDER BY cm.user_id";
    READ_UP_TO = "SELECT cm.chat_id, cm.read_up_to FROM chat_members cm \
        WHERE cm.user_id = ? AND cm.chat_id IN ({, |?})";
    /// So many of each chat at most, so that who never reads costs no more than who does.
    UNREAD_MESSAGES = "{ UNION ALL |SELECT MAX(few.chat_id) AS chat_id, COUNT(*) AS unread FROM \
            (SELECT m.chat_id FROM messages m WHERE m.chat_id = ? AND m.id > ? AND m.user_id <> ? LIMIT 100) few}";
    MARK_READ = "UPDATE chat_members SET read_up_to = ? WHERE chat_id = ? AND user_id = ? AND read_up_to < ? \
        AND EXISTS (SELECT 1 FROM messages m WHERE m.id = ? AND m.chat_id = chat_members.chat_id)";
    MARK_ALL_READ = "UPDATE chat_members SET read_up_to = \
            (SELECT COALESCE(MAX(m.id), 0) FROM messages m WHERE m.chat_id = chat_members.chat_id) \
        WHERE chat_id = ?";
    INSERT_CHAT = "INSERT INTO chats (pair_key, created_at) VALUES (?, ?)";
    INSERT_MEMBERS = "INSERT INTO chat_members (chat_id, user_id) VALUES {, |(?, ?)}";
}

/// A conversation and the last thing said in it.
#[derive(Clone, Debug)]
pub struct Chat {
    pub id: i64,
    pub created_at: Micros,
    pub last_message: Option<Message>,
}

/// What a person is to a chat.
#[derive(Clone, Debug)]
pub enum Membership {
    /// There is no such chat.
    NoChat,
    /// There is, but it is not theirs to see.
    Stranger,
    /// They take part.
    Member(Chat),
}

/// A conversation to be started; `member_ids` are distinct and at least one.
#[derive(Clone, Debug)]
pub struct NewChat {
    pub member_ids: Vec<i64>,
    pub created_at: Micros,
}

impl NewChat {
    /// What makes a chat of one or two people unique; larger groups may have several chats.
    fn pair_key(&self) -> Option<String> {
        match self.member_ids.as_slice() {
            [only] => Some(format!("{only}:{only}")),
            [one, other] => Some(format!("{}:{}", one.min(other), one.max(other))),
            _ => None,
        }
    }
}

#[derive(FromRow)]
struct ChatRow {
    id: i64,
    created_at: Micros,
    is_member: i64,
    message_id: Option<i64>,
    text: Option<String>,
    message_created_at: Option<Micros>,
    user_id: Option<i64>,
    username: Option<String>,
    avatar: Option<String>,
    user_created_at: Option<Micros>,
}

impl From<ChatRow> for Chat {
    fn from(row: ChatRow) -> Self {
        let last_message = || {
            Some(Message {
                id: row.message_id?,
                chat_id: row.id,
                text: row.text?,
                created_at: row.message_created_at?,
                user: User {
                    id: row.user_id?,
                    username: row.username?,
                    avatar: row.avatar,
                    created_at: row.user_created_at?,
                },
            })
        };
        Self { id: row.id, created_at: row.created_at, last_message: last_message() }
    }
}

#[derive(FromRow)]
struct MemberRow {
    chat_id: i64,
    #[sqlx(flatten)]
    user: User,
}

impl Store {
    /// A person's chats, the one with the latest activity first.
    pub async fn chats_of(
        &self,
        user_id: i64,
        limit: i64,
        offset: i64,
    ) -> Result<Vec<Chat>, StoreError> {
        let args = args![user_id, limit, offset];
        let rows: Vec<ChatRow> = self.db.fetch_all(CHATS_OF_USER.sql(), args).await?;
        Ok(rows.into_iter().map(Chat::from).collect())
    }

    /// A chat, as far as it is this person's to see.
    pub async fn chat_for(&self, chat_id: i64, user_id: i64) -> Result<Membership, StoreError> {
        let args = args![user_id, chat_id];
        let row: Option<ChatRow> = self.db.fetch_optional(CHAT_FOR_USER.sql(), args).await?;
        Ok(match row {
            None => Membership::NoChat,
            Some(row) if row.is_member == 0 => Membership::Stranger,
            Some(row) => Membership::Member(row.into()),
        })
    }

    /// Who takes part in these chats (at most 512), as (chat id, person), by chat and person.
    pub async fn members_of(&self, chat_ids: &[i64]) -> Result<Vec<(i64, User)>, StoreError> {
        let chat_ids = chat_ids.get(..MAX_LIST).unwrap_or(chat_ids);
        let Some(last) = chat_ids.last() else { return Ok(vec![]) };
        let count = Template::padded(chat_ids.len());
        let args =
            chat_ids.iter().chain(std::iter::repeat(last)).take(count).map(Into::into).collect();
        let rows: Vec<MemberRow> =
            self.db.fetch_all(MEMBERS_OF_CHATS.repeated(count), args).await?;
        Ok(rows.into_iter().map(|row| (row.chat_id, row.user)).collect())
    }

    /// How many messages of others somebody has not read, of those of these chats (at most 512) in which
    /// there are some: (chat id, 100 at most).
    pub async fn unread(
        &self,
        user_id: i64,
        chat_ids: &[i64],
    ) -> Result<Vec<(i64, i64)>, StoreError> {
        let chat_ids = chat_ids.get(..MAX_LIST).unwrap_or(chat_ids);
        let Some(last) = chat_ids.last() else { return Ok(vec![]) };
        let count = Template::padded(chat_ids.len());
        let ids = chat_ids.iter().chain(std::iter::repeat(last)).take(count);
        let args = std::iter::once(&user_id).chain(ids).map(Into::into).collect();
        let read: Vec<(i64, i64)> = self.db.fetch_all(READ_UP_TO.repeated(count), args).await?;
        if read.is_empty() {
            return Ok(vec![]);
        }
        let args = read.iter().flat_map(|(chat_id, up_to)| args![chat_id, up_to, user_id]);
        let args = args.collect();
        let rows: Vec<(Option<i64>, i64)> =
            self.db.fetch_all(UNREAD_MESSAGES.repeated(read.len()), args).await?;
        Ok(rows.into_iter().filter_map(|(chat_id, unread)| Some((chat_id?, unread))).collect())
    }

    /// Notes that somebody has read a chat up to a message of it, and never less than before.
    pub async fn mark_read(
        &self,
        chat_id: i64,
        user_id: i64,
        message_id: i64,
    ) -> Result<(), StoreError> {
        let args = args![message_id, chat_id, user_id, message_id, message_id];
        self.db.execute(MARK_READ.sql(), args).await.map(drop)
    }

    /// The ids of those who take part in a chat; none if there is no such chat.
    pub async fn member_ids(&self, chat_id: i64) -> Result<Vec<i64>, StoreError> {
        let rows: Vec<(i64,)> = self.db.fetch_all(MEMBER_IDS.sql(), args![chat_id]).await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// Starts a chat, or finds the one that this pair has already. Every member must exist.
    pub async fn create_chat(&self, new: &NewChat) -> Result<Chat, StoreError> {
        let pair_key = new.pair_key();
        if let Some(chat) = self.chat_of_pair(pair_key.as_deref()).await? {
            return Ok(chat);
        }
        match self.db.write(|tx| Box::pin(insert_chat(tx, new.clone()))).await {
            // Somebody started it between the look and the leap.
            Err(error) if error.is_duplicate("pair_key") => {
                self.chat_of_pair(pair_key.as_deref()).await?.ok_or(error)
            }
            result => result,
        }
    }

    async fn chat_of_pair(&self, pair_key: Option<&str>) -> Result<Option<Chat>, StoreError> {
        let Some(pair_key) = pair_key else { return Ok(None) };
        let row: Option<ChatRow> =
            self.db.fetch_optional(CHAT_OF_PAIR.sql(), args![pair_key]).await?;
        Ok(row.map(Chat::from))
    }
}

pub(super) async fn mark_all_read(tx: &mut Tx, chat_id: i64) -> Result<(), StoreError> {
    tx.execute(MARK_ALL_READ.sql(), args![chat_id]).await.map(drop)
}

pub(super) async fn insert_chat(tx: &mut Tx, new: NewChat) -> Result<Chat, StoreError> {
    let args = args![new.pair_key(), new.created_at];
    let id = tx.execute(INSERT_CHAT.sql(), args).await?.id;
    let args = new.member_ids.iter().flat_map(|user_id| args![id, user_id]).collect();
    tx.execute(INSERT_MEMBERS.repeated(new.member_ids.len()), args).await?;
    Ok(Chat { id, created_at: new.created_at, last_message: None })
}
