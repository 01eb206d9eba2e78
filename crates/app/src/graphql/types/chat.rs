//! Chats.

use async_graphql::{Context, InputObject, Object};
use chrono::{DateTime, Utc};

use super::{
    MessageNode, UserNode,
    common::{instant, list_cost, page_size},
};
use crate::{
    graphql::{
        errors::Result,
        schema::{loaders, viewer},
    },
    store::{Chat, MessageRange},
};

/// The most people in one chat, whoever starts it included.
pub(in crate::graphql) const MAX_CHAT_MEMBERS: usize = 100;

const DEFAULT_MESSAGES: i64 = 50;
const MAX_MESSAGES: i64 = 100;

/// A conversation between its members.
pub(in crate::graphql) struct ChatNode(pub(in crate::graphql) Chat);

/// A conversation between its members.
#[Object(name = "Chat")]
impl ChatNode {
    /// Unique among chats.
    async fn id(&self) -> i64 {
        self.0.id
    }

    /// The newest messages, in the order in which they were written.
    #[graphql(complexity = "message_cost(last, child_complexity)")]
    async fn messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many: 50 if nothing is said, 100 at most.")] last: Option<i64>,
        #[graphql(desc = "Only messages older than the one of this id: the page before.")]
        before: Option<i64>,
    ) -> Result<Vec<MessageNode>> {
        let last = page_size("last", last, DEFAULT_MESSAGES, MAX_MESSAGES)?;
        let range = MessageRange { before, last };
        let messages = loaders(ctx)?.messages(self.0.id, range).await?;
        Ok(messages
            .into_iter()
            .map(|message| MessageNode { message, chat: Some(self.0.clone()) })
            .collect())
    }

    /// The newest message; null as long as nothing is said.
    async fn last_message(&self) -> Option<MessageNode> {
        let message = self.0.last_message.clone()?;
        Some(MessageNode { message, chat: Some(self.0.clone()) })
    }

    /// How many messages of others the viewer has not read yet, 100 at most.
    async fn unread(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(loaders(ctx)?.unread(viewer(ctx)?.id, self.0.id).await?)
    }

    /// Everybody who takes part, the viewer included: 100 people at most.
    #[graphql(complexity = "list_cost(10, child_complexity)")]
    async fn users(&self, ctx: &Context<'_>) -> Result<Vec<UserNode>> {
        let members = loaders(ctx)?.members(self.0.id).await?;
        Ok(members.into_iter().map(UserNode).collect())
    }

    /// When it was started.
    async fn created_at(&self) -> DateTime<Utc> {
        instant(self.0.created_at)
    }
}

fn message_cost(last: Option<i64>, child: usize) -> usize {
    let last = last.unwrap_or(DEFAULT_MESSAGES).clamp(0, MAX_MESSAGES);
    list_cost(if last == 0 { MAX_MESSAGES } else { last }, child)
}

/// A chat to be started.
#[derive(InputObject)]
pub(in crate::graphql) struct ChatInput {
    /// The ids of the people to talk to, 99 at most. Whoever starts the chat takes part in any
    /// case; repeated ids count once.
    pub(in crate::graphql) users: Option<Vec<Option<i64>>>,
}
