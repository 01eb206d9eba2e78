//! Loads what several fields of one response need with one statement.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use async_graphql::dataloader::{DataLoader, Loader};
use futures_util::FutureExt as _;
use tracing::Instrument as _;

use super::errors::{ApiError, log};
use crate::{
    state::SharedState,
    store::{Message, MessageRange, Store, StoreError, User},
};

/// The loaders of one request.
pub(super) struct Loaders(DataLoader<StoreLoader>);

/// The people of a chat.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct MembersOf(i64);

/// Some messages of a chat.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct MessagesOf(i64, MessageRange);

/// What somebody has not read of a chat.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct UnreadOf {
    user_id: i64,
    chat_id: i64,
}

/// A batch failed. The log knows why, and has heard it once, however many waited for the batch.
#[derive(Clone, Copy)]
pub(super) struct Failed;

impl From<Failed> for ApiError {
    fn from(_: Failed) -> Self {
        Self::Logged
    }
}

impl Loaders {
    pub(super) fn new(state: &SharedState) -> Self {
        // As many as one statement takes, with room to spare.
        let loader = DataLoader::new(StoreLoader(state.store.clone()), |batch| {
            tokio::spawn(batch.in_current_span());
        });
        Self(loader.max_batch_size(256))
    }

    /// Who takes part in a chat.
    pub(super) async fn members(&self, chat_id: i64) -> Result<Vec<User>, Failed> {
        Ok(self.0.load_one(MembersOf(chat_id)).await?.unwrap_or_default())
    }

    /// How many messages of others somebody has not read in a chat, 100 at most.
    pub(super) async fn unread(&self, user_id: i64, chat_id: i64) -> Result<i64, Failed> {
        Ok(self.0.load_one(UnreadOf { user_id, chat_id }).await?.unwrap_or_default())
    }

    /// Messages of a chat, oldest first.
    pub(super) async fn messages(
        &self,
        chat_id: i64,
        range: MessageRange,
    ) -> Result<Vec<Message>, Failed> {
        Ok(self.0.load_one(MessagesOf(chat_id, range)).await?.unwrap_or_default())
    }
}

struct StoreLoader(Store);

impl Loader<MembersOf> for StoreLoader {
    type Value = Vec<User>;
    type Error = Failed;

    async fn load(&self, keys: &[MembersOf]) -> Result<HashMap<MembersOf, Vec<User>>, Failed> {
        let ids: Vec<i64> = keys.iter().map(|key| key.0).collect();
        let members = once(self.0.members_of(&ids)).await?;
        let mut chats: HashMap<_, Vec<User>> = HashMap::new();
        for (chat_id, user) in members {
            chats.entry(MembersOf(chat_id)).or_default().push(user);
        }
        Ok(chats)
    }
}

impl Loader<MessagesOf> for StoreLoader {
    type Value = Vec<Message>;
    type Error = Failed;

    async fn load(&self, keys: &[MessagesOf]) -> Result<HashMap<MessagesOf, Vec<Message>>, Failed> {
        let mut ranges: HashMap<MessageRange, Vec<i64>> = HashMap::new();
        for MessagesOf(chat_id, range) in keys {
            ranges.entry(*range).or_default().push(*chat_id);
        }
        let mut chats: HashMap<_, Vec<Message>> = HashMap::new();
        for (range, ids) in ranges {
            for message in once(self.0.messages(&ids, range)).await? {
                chats.entry(MessagesOf(message.chat_id, range)).or_default().push(message);
            }
        }
        Ok(chats)
    }
}

impl Loader<UnreadOf> for StoreLoader {
    type Value = i64;
    type Error = Failed;

    async fn load(&self, keys: &[UnreadOf]) -> Result<HashMap<UnreadOf, i64>, Failed> {
        // Of one request, there is one viewer.
        let mut chats: HashMap<i64, Vec<i64>> = HashMap::new();
        for UnreadOf { user_id, chat_id } in keys {
            chats.entry(*user_id).or_default().push(*chat_id);
        }
        let mut all = HashMap::new();
        for (user_id, ids) in chats {
            let unread = once(self.0.unread(user_id, &ids)).await?;
            all.extend(
                unread.into_iter().map(|(chat_id, count)| (UnreadOf { user_id, chat_id }, count)),
            );
        }
        Ok(all)
    }
}

/// What a batch loads, or that the log has heard why not. A panic counts as well: the library would
/// have everybody who waits panic in turn.
async fn once<T>(load: impl Future<Output = Result<T, StoreError>>) -> Result<T, Failed> {
    match AssertUnwindSafe(load).catch_unwind().await {
        Ok(Ok(loaded)) => Ok(loaded),
        Ok(Err(error)) => {
            log(&error.to_string());
            Err(Failed)
        }
        // The panic hook has logged it.
        Err(_panic) => Err(Failed),
    }
}

#[cfg(test)]
mod tests {
    use super::once;

    #[tokio::test]
    async fn a_batch_that_panics_fails_and_nobody_panics_after_it() {
        assert!(once::<()>(async { panic!("a batch") }).await.is_err());
    }
}
