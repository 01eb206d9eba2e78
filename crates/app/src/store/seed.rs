//! A whole small world put into an empty database at once.

use super::{
    NewChat, NewUser, Store, StoreError,
    chats::{insert_chat, mark_all_read},
    db::Tx,
    messages::insert_message,
    posts::insert_post,
    users::insert_user,
};
use crate::clock::Micros;

/// People, posts and chats; authors and members are indices into `users`.
#[derive(Clone)]
pub struct Seed {
    pub users: Vec<NewUser>,
    /// Oldest first.
    pub posts: Vec<Written>,
    /// Members and messages, oldest first.
    pub chats: Vec<(Vec<usize>, Vec<Written>)>,
}

/// Author, text, and when.
pub(super) type Written = (usize, String, Micros);

impl Store {
    /// Puts all of it in, or nothing.
    pub async fn seed(&self, seed: &Seed) -> Result<(), StoreError> {
        self.db.write(|tx| Box::pin(insert(tx, seed.clone()))).await
    }
}

async fn insert(tx: &mut Tx, seed: Seed) -> Result<(), StoreError> {
    let mut ids = Vec::with_capacity(seed.users.len());
    for user in seed.users {
        ids.push(insert_user(tx, user).await?.id);
    }
    // An index that names nobody is left out.
    let id = |index: usize| ids.get(index).copied();
    for (author, text, at) in seed.posts {
        let Some(author) = id(author) else { continue };
        insert_post(tx, author, &text, at).await?;
    }
    for (members, messages) in seed.chats {
        let created_at = messages.first().map_or(0, |(_, _, at)| *at);
        let member_ids = members.into_iter().filter_map(id).collect();
        let chat = insert_chat(tx, NewChat { member_ids, created_at }).await?;
        for (author, text, at) in messages {
            let Some(author) = id(author) else { continue };
            insert_message(tx, chat.id, author, &text, at).await?;
        }
        mark_all_read(tx, chat.id).await?;
    }
    Ok(())
}
