//! A small world to look around in: a dozen people, what they posted and what they wrote to each
//! other over two months on one street along a canal.
//!
//! Pure: nothing is stored here, and times are relative, so that the newest is always from just
//! now.

mod canvas;
mod people;
mod portrait;
mod script;

/// Whom visitors sign in as: one of the people.
pub const SIGN_IN_EMAIL: &str = "ada@graphbook.example";

/// The password of everybody in the demo. It is no secret: never use it where it would matter.
pub const PASSWORD: &str = "graphbook-demo";

/// Everything there is in the demo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// A dozen people; the rest refers to them by their position here.
    pub people: Vec<Person>,
    /// Oldest first.
    pub posts: Vec<Post>,
    /// Pairs and groups.
    pub chats: Vec<Chat>,
}

/// Somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// 3 to 32 letters, digits, `_`, `.` and `-`, in one script.
    pub username: &'static str,
    /// In a domain that can't exist.
    pub email: &'static str,
    /// A PNG file of 512 × 512 pixels.
    pub portrait: Vec<u8>,
}

/// Something said to everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Post {
    /// A position in [`World::people`].
    pub author: usize,
    /// 1 to 10,000 characters, trimmed.
    pub text: &'static str,
    /// How long ago, in minutes.
    pub minutes_ago: u32,
}

/// A conversation of some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    /// Two or more positions in [`World::people`].
    pub members: Vec<usize>,
    /// Oldest first.
    pub messages: Vec<Message>,
}

/// Something said in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// A position in [`World::people`]; one of the chat's members.
    pub author: usize,
    /// 1 to 2,000 characters, trimmed.
    pub text: &'static str,
    /// How long ago, in minutes.
    pub minutes_ago: u32,
}

/// Builds the world, the same every time. Draws the portraits, which takes a moment: call it off
/// the async threads.
pub fn world() -> World {
    let person = |sketch: &people::Sketch| Person {
        username: sketch.username,
        email: sketch.email,
        portrait: portrait::draw(&sketch.look),
    };
    World {
        people: people::PEOPLE.iter().map(person).collect(),
        posts: script::posts(),
        chats: script::chats(),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, sync::LazyLock};

    use super::*;

    /// Drawn once for all tests.
    static WORLD: LazyLock<World> = LazyLock::new(world);

    fn assert_text(text: &str, most: usize) {
        assert!((1..=most).contains(&text.chars().count()), "{text:?}");
        assert_eq!(text, text.trim());
        assert!(!text.contains("@@") && !text.contains("##"), "a mark of the script: {text:?}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    }

    fn assert_oldest_first(minutes_ago: impl Iterator<Item = u32>) {
        let times: Vec<u32> = minutes_ago.collect();
        for pair in times.windows(2) {
            assert!(pair[0] > pair[1], "{} minutes ago, then {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn it_is_the_same_every_time() {
        assert!(*WORLD == world());
    }

    #[test]
    fn people_are_distinct_and_presentable() {
        let people = &WORLD.people;
        assert!((10..=14).contains(&people.len()));
        assert_eq!(people.iter().filter(|p| p.email == SIGN_IN_EMAIL).count(), 1);
        assert_eq!(
            people.iter().map(|p| p.username.to_lowercase()).collect::<HashSet<_>>().len(),
            people.len()
        );
        assert_eq!(people.iter().map(|p| p.email).collect::<HashSet<_>>().len(), people.len());
        assert_eq!(people.iter().map(|p| &p.portrait).collect::<HashSet<_>>().len(), people.len());
        for Person { username, email, .. } in people {
            assert!((3..=32).contains(&username.chars().count()), "{username}");
            assert!(
                username.chars().all(|c| c.is_alphanumeric() || "_.-".contains(c)),
                "{username}"
            );
            assert!(email.is_ascii() && email.ends_with("@graphbook.example"), "{email}");
        }
        assert!(people.iter().any(|p| !p.username.is_ascii()));
    }

    #[test]
    fn portraits_become_profile_pictures() {
        for person in &WORLD.people {
            let picture = crate::avatars::process(&person.portrait);
            assert!(picture.is_ok(), "{}: {picture:?}", person.username);
        }
    }

    #[test]
    fn posts_are_many_valid_and_recent() {
        let posts = &WORLD.posts;
        assert!((220..=300).contains(&posts.len()), "{}", posts.len());
        for post in posts {
            assert!(post.author < WORLD.people.len());
            assert_text(post.text, 10_000);
        }
        assert_oldest_first(posts.iter().map(|post| post.minutes_ago));
        assert!(posts.last().unwrap().minutes_ago <= 30);
        for (index, person) in WORLD.people.iter().enumerate() {
            let count = posts.iter().filter(|post| post.author == index).count();
            assert!(count >= 8, "{} is too quiet: {count}", person.username);
        }
        let texts: HashSet<_> = posts.iter().map(|post| post.text).collect();
        assert_eq!(texts.len(), posts.len(), "nobody repeats themselves");
    }

    #[test]
    fn chats_are_between_their_members() {
        let chats = &WORLD.chats;
        assert!((6..=8).contains(&chats.len()), "{}", chats.len());
        for chat in chats {
            let members: HashSet<_> = chat.members.iter().copied().collect();
            assert_eq!(members.len(), chat.members.len());
            assert!(members.len() >= 2 && members.iter().all(|m| *m < WORLD.people.len()));
            assert!((5..=40).contains(&chat.messages.len()), "{}", chat.messages.len());
            for message in &chat.messages {
                assert!(members.contains(&message.author), "{}", message.text);
                assert_text(message.text, 2_000);
            }
            assert_oldest_first(chat.messages.iter().map(|message| message.minutes_ago));
        }
        let me = people::index_of("ada").unwrap();
        let mine = chats.iter().filter(|chat| chat.members.contains(&me)).count();
        assert!(mine * 2 > chats.len(), "who signs in has somebody to talk to");
    }
}
