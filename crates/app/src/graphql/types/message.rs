//! Messages.

use async_graphql::{Context, InputObject, Object};
use chrono::{DateTime, Utc};

use super::{ChatNode, UserNode, common::instant};
use crate::{
    graphql::{
        Caller,
        errors::{ApiError, Result},
        schema::{caller, state},
    },
    store::{Chat, Membership, Message},
};

/// A message in a chat, with the chat where it was reached through one.
pub(in crate::graphql) struct MessageNode {
    pub(in crate::graphql) message: Message,
    pub(in crate::graphql) chat: Option<Chat>,
}

/// A message in a chat.
#[Object(name = "Message")]
impl MessageNode {
    /// Unique among messages; newer messages have higher ids.
    async fn id(&self) -> i64 {
        self.message.id
    }

    /// What it says: 1 to 2,000 characters.
    // See `Post.text`.
    #[graphql(complexity = 20)]
    async fn text(&self) -> &str {
        &self.message.text
    }

    /// The chat that it is part of.
    async fn chat(&self, ctx: &Context<'_>) -> Result<ChatNode> {
        if let Some(chat) = &self.chat {
            return Ok(ChatNode(chat.clone()));
        }
        let viewer = Caller::viewer(caller(ctx)?)?;
        match state(ctx)?.store.chat_for(self.message.chat_id, viewer.id).await? {
            Membership::Member(chat) => Ok(ChatNode(chat)),
            _ => Err(ApiError::Forbidden("You are not a member of this chat.")),
        }
    }

    /// Who wrote it.
    async fn user(&self) -> UserNode {
        UserNode(self.message.user.clone())
    }

    /// When it was written.
    async fn created_at(&self) -> DateTime<Utc> {
        instant(self.message.created_at)
    }
}

/// A message to be sent.
#[derive(InputObject)]
pub(in crate::graphql) struct MessageInput {
    /// What it says: 1 to 2,000 characters, not counting white space around it.
    pub(in crate::graphql) text: String,
    /// The chat, which the sender must be a member of.
    pub(in crate::graphql) chat_id: i64,
    /// A key of the sender's choice, 64 characters at most: a message that is sent again with the
    /// same one is said once, and answered as it was.
    pub(in crate::graphql) key: Option<String>,
}
