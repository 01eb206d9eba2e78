//! Puts the demo world into an empty database.

use bytes::Bytes;

use crate::{
    accounts::{
        AccountError, Accounts,
        names::{Email, Invalid, NewPassword, Username},
    },
    avatars::{AvatarError, Avatars},
    clock::{Clock, Micros},
    demo::{self, World},
    store::{NewUser, Seed, Store, StoreError},
};

/// How long somebody is there before the first thing that they do.
const SIGNED_UP_BEFORE_MINUTES: u32 = 90 * 24 * 60;

/// Why the demo data could not be put in; nothing of it is there then.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    #[error("there are people in the database already; demo data goes into an empty one only")]
    NotEmpty,
    #[error("drawing the demo portraits did not finish")]
    Drawing,
    #[error("the demo people are not acceptable: {0}")]
    Invalid(#[from] Invalid),
    #[error("can't hash the demo password: {0}")]
    Password(#[from] AccountError),
    #[error("can't keep a demo picture: {0}")]
    Avatar(#[from] AvatarError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was put in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeded {
    pub(crate) people: usize,
    pub(crate) posts: usize,
    pub(crate) chats: usize,
}

/// Puts people, posts and chats into a database that has nobody in it.
pub(crate) async fn seed(
    store: &Store,
    accounts: &Accounts,
    avatars: &Avatars,
    clock: &Clock,
) -> Result<Seeded, SeedError> {
    if store.has_users().await? {
        return Err(SeedError::NotEmpty);
    }
    // Portraits are drawn, which takes a while.
    let world = tokio::task::spawn_blocking(demo::world).await;
    let World { people, posts, chats } = world.map_err(|_| SeedError::Drawing)?;
    let now = clock.now();
    // Everybody has the same password, so one hash does.
    let password_hash = accounts.hash(NewPassword::parse(demo::PASSWORD)?).await?;
    let mut users = Vec::with_capacity(people.len());
    for (index, person) in people.into_iter().enumerate() {
        let username = Username::parse(person.username)?;
        let email = Email::parse(person.email)?;
        let avatar = avatars.save(Bytes::from(person.portrait)).await?;
        users.push(NewUser {
            username: username.shown,
            username_key: username.key,
            email: email.shown,
            email_key: email.key,
            password_hash: password_hash.clone(),
            avatar: Some(avatar.as_str().to_owned()),
            // They did not all come on the same day.
            created_at: ago(now, SIGNED_UP_BEFORE_MINUTES) + index as i64 * 7_531 * MINUTE / 10,
        });
    }
    let seeded = Seeded { people: users.len(), posts: posts.len(), chats: chats.len() };
    let at = |minutes| ago(now, minutes);
    let seed = Seed {
        users,
        posts: posts
            .into_iter()
            .map(|post| (post.author, post.text.into(), at(post.minutes_ago)))
            .collect(),
        chats: chats
            .into_iter()
            .map(|chat| {
                let messages = chat.messages.into_iter();
                let messages = messages
                    .map(|message| (message.author, message.text.into(), at(message.minutes_ago)));
                (chat.members, messages.collect())
            })
            .collect(),
    };
    store.seed(&seed).await?;
    Ok(seeded)
}

const MINUTE: Micros = 60_000_000;

fn ago(now: Micros, minutes: u32) -> Micros {
    now - Micros::from(minutes) * MINUTE
}
