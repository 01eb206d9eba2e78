//! What processes tell each other, as bytes: a seal, who wrote it, and JSON.
//!
//! The seal is made with the key that signs sign-ins. So what comes from anybody else who can reach
//! Valkey is not believed, be it another deployment that shares it or somebody who makes messages up.
//!
//! A letter has the row itself, not its id: nobody asks the database for what another process has
//! just had in its hands, once for each process.

use std::borrow::Cow;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{Event, News, SessionsEnded};
use crate::store::{Message, Post};

/// The largest letter that is read. The longest post, each of its characters escaped, has half of it.
const MAX_BYTES: usize = 128 * 1024;

const SEAL_BYTES: usize = 32;
const ORIGIN_BYTES: usize = 16;

/// What a process is called, at random.
pub(super) type Origin = [u8; ORIGIN_BYTES];

/// Writes and reads the letters of one process.
pub(super) struct Letters {
    /// Knows the key already.
    seal: Hmac<Sha256>,
    origin: Origin,
}

/// What a letter says. Two releases read each other's letters while one replaces the other: who
/// adds a variant or a field here, or to a row, looks at the test that has them spelt out.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Content<'a> {
    PostAdded(Cow<'a, Post>),
    MessageAdded { message: Cow<'a, Message>, member_ids: Cow<'a, [i64]> },
    SessionEnded(Cow<'a, str>),
    SessionsOfUserEnded(i64),
}

/// Why a letter is thrown away.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("it has {0} bytes")]
    Size(usize),
    #[error("its seal is not ours")]
    Seal,
    /// Written by another release, most likely.
    #[error("it says something unknown: {0}")]
    Content(#[from] serde_json::Error),
}

impl Letters {
    pub(super) fn new(secret: &[u8], origin: Origin) -> Self {
        // A key of its own, so that no letter can be taken for a token or the other way round.
        let key = mac(secret).chain_update(b"graphbook events").finalize().into_bytes();
        Self { seal: mac(&key), origin }
    }

    /// Where letters are left: a place for each key, since deployments that share a Valkey should
    /// not even see each other's.
    pub(super) fn channel(&self) -> String {
        let name = self.seal.clone().chain_update(b"channel").finalize().into_bytes();
        let hex: Vec<_> = name.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("graphbook:{}", hex.concat())
    }

    pub(super) fn write(&self, news: &News) -> Result<Vec<u8>, serde_json::Error> {
        let mut letter = vec![0; SEAL_BYTES];
        letter.extend_from_slice(&self.origin);
        serde_json::to_writer(&mut letter, &Content::from(news))?;
        let (seal, sealed) = letter.split_at_mut(SEAL_BYTES);
        seal.copy_from_slice(&self.seal.clone().chain_update(sealed).finalize().into_bytes());
        Ok(letter)
    }

    /// What somebody else wrote; nothing if it was this process.
    pub(super) fn read(&self, letter: &[u8]) -> Result<Option<News>, Unreadable> {
        if letter.len() > MAX_BYTES {
            return Err(Unreadable::Size(letter.len()));
        }
        let (seal, sealed) = letter.split_at_checked(SEAL_BYTES).ok_or(Unreadable::Seal)?;
        let seal = self.seal.clone().chain_update(sealed).verify_slice(seal);
        seal.map_err(|_| Unreadable::Seal)?;
        match sealed.split_at_checked(ORIGIN_BYTES) {
            None => Err(Unreadable::Seal),
            Some((origin, _)) if origin == self.origin => Ok(None),
            Some((_, json)) => Ok(Some(serde_json::from_slice::<Content<'_>>(json)?.into())),
        }
    }
}

fn mac(key: &[u8]) -> Hmac<Sha256> {
    match Hmac::new_from_slice(key) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC takes keys of any length"),
    }
}

impl<'a> From<&'a News> for Content<'a> {
    fn from(news: &'a News) -> Self {
        match news {
            News::Event(Event::PostAdded(post)) => Self::PostAdded(Cow::Borrowed(post)),
            News::Event(Event::MessageAdded { message, member_ids }) => Self::MessageAdded {
                message: Cow::Borrowed(message),
                member_ids: Cow::Borrowed(member_ids),
            },
            News::SessionsEnded(SessionsEnded::One(id)) => Self::SessionEnded(id.into()),
            News::SessionsEnded(SessionsEnded::OfUser(id)) => Self::SessionsOfUserEnded(*id),
        }
    }
}

impl From<Content<'_>> for News {
    fn from(content: Content<'_>) -> Self {
        match content {
            Content::PostAdded(post) => Self::Event(Event::PostAdded(post.into_owned().into())),
            Content::MessageAdded { message, member_ids } => Self::Event(Event::MessageAdded {
                message: message.into_owned().into(),
                member_ids: member_ids.into_owned().into(),
            }),
            Content::SessionEnded(id) => Self::SessionsEnded(SessionsEnded::One(id.into_owned())),
            Content::SessionsOfUserEnded(id) => Self::SessionsEnded(SessionsEnded::OfUser(id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::User;

    const SECRET: &[u8] = b"a secret";

    fn ours() -> Letters {
        Letters::new(SECRET, [1; ORIGIN_BYTES])
    }

    fn theirs() -> Letters {
        Letters::new(SECRET, [2; ORIGIN_BYTES])
    }

    fn post(text: String) -> Post {
        let user = User { id: 7, username: "ada".to_owned(), avatar: None, created_at: 5 };
        Post { id: 3, text, created_at: 6, user }
    }

    fn every_news() -> Vec<News> {
        let Post { id, text, created_at, user } = post("hej".to_owned());
        let user = User { avatar: Some("00.jpg".to_owned()), ..user };
        let message = Message { id, chat_id: 4, text, created_at, user };
        vec![
            News::Event(Event::PostAdded(post("hej".to_owned()).into())),
            News::Event(Event::MessageAdded { message: message.into(), member_ids: [7, 8].into() }),
            News::SessionsEnded(SessionsEnded::One("5e".to_owned())),
            News::SessionsEnded(SessionsEnded::OfUser(7)),
        ]
    }

    /// A letter with that JSON.
    fn sealed(letters: &Letters, json: &[u8]) -> Vec<u8> {
        let sealed = [&letters.origin, json].concat();
        let seal = letters.seal.clone().chain_update(&sealed).finalize().into_bytes();
        [&seal[..], &sealed].concat()
    }

    #[test]
    fn two_releases_understand_each_other() {
        // A release that says something else is not understood by the one before it: these may be
        // added to, with `#[serde(default)]`, and else stay. No row may say more than others see.
        let expected = [
            r#"{"post_added":{"id":3,"text":"hej","created_at":6,"user":{"id":7,"username":"ada","avatar":null,"created_at":5}}}"#,
            r#"{"message_added":{"message":{"id":3,"chat_id":4,"text":"hej","created_at":6,"user":{"id":7,"username":"ada","avatar":"00.jpg","created_at":5}},"member_ids":[7,8]}}"#,
            r#"{"session_ended":"5e"}"#,
            r#"{"sessions_of_user_ended":7}"#,
        ];
        for (news, json) in every_news().iter().zip(expected) {
            let letter = theirs().write(news).unwrap();
            assert_eq!(std::str::from_utf8(&letter[SEAL_BYTES + ORIGIN_BYTES..]), Ok(json));
            assert_eq!(letter, sealed(&theirs(), json.as_bytes()));
            let read = ours().read(&letter).unwrap().expect("somebody else's");
            assert_eq!(format!("{read:?}"), format!("{news:?}"));
        }
        // What a later release adds is passed over.
        let letter = sealed(&theirs(), br#"{"session_ended":"5e"}"#);
        assert!(ours().read(&letter).unwrap().is_some());
        let post = r#"{"post_added":{"id":3,"text":"","created_at":6,"likes":[1],"user":{"id":7,"username":"ada","avatar":null,"created_at":5,"x":1}}}"#;
        assert!(ours().read(&sealed(&theirs(), post.as_bytes())).unwrap().is_some());
    }

    #[test]
    fn what_one_wrote_oneself_is_no_news() {
        for news in every_news() {
            assert!(ours().read(&ours().write(&news).unwrap()).unwrap().is_none());
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for json in ["", "{}", "null", "[", r#"{"likes_added":1}"#, r#"{"post_added":{"id":1}}"#] {
            let read = ours().read(&sealed(&theirs(), json.as_bytes()));
            assert!(matches!(read, Err(Unreadable::Content(_))), "{json}: {read:?}");
        }
        let deep = "[".repeat(50_000);
        let read = ours().read(&sealed(&theirs(), deep.as_bytes()));
        assert!(matches!(read, Err(Unreadable::Content(_))), "{read:?}");
        let large = ours().read(&vec![b'x'; MAX_BYTES + 1]);
        assert!(matches!(large, Err(Unreadable::Size(_))), "{large:?}");
    }

    #[test]
    fn what_is_not_sealed_with_the_same_key_is_refused() {
        let stranger = Letters::new(b"another secret", [2; ORIGIN_BYTES]);
        for news in every_news() {
            let strange = ours().read(&stranger.write(&news).unwrap());
            assert!(matches!(strange, Err(Unreadable::Seal)), "{strange:?}");
            let letter = theirs().write(&news).unwrap();
            for at in 0..letter.len() {
                let mut forged = letter.clone();
                forged[at] ^= 1;
                assert!(matches!(ours().read(&forged), Err(Unreadable::Seal)), "{at}");
                assert!(matches!(ours().read(&letter[..at]), Err(Unreadable::Seal)), "{at}");
            }
        }
        assert_eq!(ours().channel(), theirs().channel());
        assert_ne!(ours().channel(), stranger.channel());
        assert!(matches!(ours().read(&sealed(&theirs(), b"")[..40]), Err(Unreadable::Seal)));
    }

    #[test]
    fn the_longest_post_fits() {
        let longest = News::Event(Event::PostAdded(post("\u{1}".repeat(10_000)).into()));
        let letter = theirs().write(&longest).unwrap();
        assert!(2 * letter.len() < MAX_BYTES, "{}", letter.len());
    }
}
