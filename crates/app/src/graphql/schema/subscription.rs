//! What can be listened to.

use async_graphql::{Context, Subscription};
use futures_util::{Stream, stream};

use super::{mutation::members, state, viewer};
use crate::{
    events::{Event, Listener},
    graphql::{
        errors::Result,
        types::{MessageNode, PostNode},
    },
};

/// The root of all subscriptions.
pub(in crate::graphql) struct RootSubscription;

/// What can be listened to, over a WebSocket. Everything needs a signed-in user.
#[Subscription]
impl RootSubscription {
    /// Every post from now on, the viewer's own included.
    async fn post_added(&self, ctx: &Context<'_>) -> Result<impl Stream<Item = PostNode> + use<>> {
        viewer(ctx)?;
        Ok(filtered(state(ctx)?.events.listen(), |event| match event {
            Event::PostAdded(post) => Some(PostNode((*post).clone())),
            Event::MessageAdded { .. } => None,
        }))
    }

    /// Every message from now on that somebody else writes in a chat of the viewer's.
    async fn message_added(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only messages of this chat, which the viewer must be a member of.")]
        chat_id: Option<i64>,
    ) -> Result<impl Stream<Item = MessageNode> + use<>> {
        let viewer_id = viewer(ctx)?.id;
        // Listens before it looks, so that no message falls between the two.
        let listener = state(ctx)?.events.listen();
        if let Some(chat_id) = chat_id {
            members(ctx, chat_id).await?;
        }
        Ok(filtered(listener, move |event| match event {
            Event::MessageAdded { message, member_ids }
                if message.user.id != viewer_id
                    && member_ids.contains(&viewer_id)
                    && chat_id.is_none_or(|chat_id| chat_id == message.chat_id) =>
            {
                Some(MessageNode { message: (*message).clone(), chat: None })
            }
            _ => None,
        }))
    }
}

/// The events that `pick` makes something of.
fn filtered<T: Send>(
    listener: Listener,
    pick: impl Fn(Event) -> Option<T> + Send + Sync,
) -> impl Stream<Item = T> + Send {
    stream::unfold((listener, pick), |(mut listener, pick)| async move {
        loop {
            let event = listener.next().await?;
            if let Some(picked) = pick(event) {
                return Some((picked, (listener, pick)));
            }
        }
    })
}
