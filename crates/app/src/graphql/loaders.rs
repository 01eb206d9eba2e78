//! Loads what several fields of one response need with one statement.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, Loader};

use crate::{
    state::SharedState,
    store::{Message, MessageRange, Store, User},
};

/// The loaders of one request.
pub(super) struct Loaders(DataLoader<StoreLoader>);

/// The people of a chat.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct MembersOf(i64);

/// Some messages of a chat.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct MessagesOf(i64, MessageRange);

/// Why a batch failed: for the log. Shared by everybody who waited for the batch.
pub(super) type LoadError = Arc<String>;

impl Loaders {
    pub(super) fn new(state: &SharedState) -> Self {
        // As many as one statement takes, with room to spare.
        let loader = DataLoader::new(StoreLoader(state.store.clone()), tokio::spawn);
        Self(loader.max_batch_size(256))
    }

    /// Who takes part in a chat.
    pub(super) async fn members(&self, chat_id: i64) -> Result<Vec<User>, LoadError> {
        Ok(self.0.load_one(MembersOf(chat_id)).await?.unwrap_or_default())
    }

    /// Messages of a chat, oldest first.
    pub(super) async fn messages(
        &self,
        chat_id: i64,
        range: MessageRange,
    ) -> Result<Vec<Message>, LoadError> {
        Ok(self.0.load_one(MessagesOf(chat_id, range)).await?.unwrap_or_default())
    }
}

struct StoreLoader(Store);

impl Loader<MembersOf> for StoreLoader {
    type Value = Vec<User>;
    type Error = LoadError;

    async fn load(&self, keys: &[MembersOf]) -> Result<HashMap<MembersOf, Vec<User>>, LoadError> {
        let ids: Vec<i64> = keys.iter().map(|key| key.0).collect();
        let members = self.0.members_of(&ids).await.map_err(to_load_error)?;
        let mut chats: HashMap<_, Vec<User>> = HashMap::new();
        for (chat_id, user) in members {
            chats.entry(MembersOf(chat_id)).or_default().push(user);
        }
        Ok(chats)
    }
}

impl Loader<MessagesOf> for StoreLoader {
    type Value = Vec<Message>;
    type Error = LoadError;

    async fn load(
        &self,
        keys: &[MessagesOf],
    ) -> Result<HashMap<MessagesOf, Vec<Message>>, LoadError> {
        let mut ranges: HashMap<MessageRange, Vec<i64>> = HashMap::new();
        for MessagesOf(chat_id, range) in keys {
            ranges.entry(*range).or_default().push(*chat_id);
        }
        let mut chats: HashMap<_, Vec<Message>> = HashMap::new();
        for (range, ids) in ranges {
            let messages = self.0.messages(&ids, range).await.map_err(to_load_error)?;
            for message in messages {
                chats.entry(MessagesOf(message.chat_id, range)).or_default().push(message);
            }
        }
        Ok(chats)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "so that it fits map_err")]
fn to_load_error(error: crate::store::StoreError) -> LoadError {
    Arc::new(error.to_string())
}
