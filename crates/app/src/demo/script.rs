//! Reads what was said in the demo from the text files in `content`.
//!
//! They are text so that whoever has a good story can write it down without knowing Rust. An
//! entry is `@@ DAY HH:MM USERNAME`, then the text on the following lines; in chats, which start
//! with `## USERNAME USERNAME…`, the text follows a colon instead. DAY counts backwards, and the
//! story's now is eight in the evening of day 0.

use super::{Chat, Message, Post, people};

const POSTS: [&str; 3] = [
    include_str!("content/posts_1_arrivals.txt"),
    include_str!("content/posts_2_long_table.txt"),
    include_str!("content/posts_3_lanterns.txt"),
];
const CHATS: &str = include_str!("content/chats.txt");

const MINUTES_A_DAY: u32 = 24 * 60;
/// Eight in the evening.
const NOW: u32 = 20 * 60;

/// All posts, oldest first. An entry that can't be read is left out; a test says which.
pub(super) fn posts() -> Vec<Post> {
    let entries = POSTS.into_iter().flat_map(entries).flatten();
    entries.map(|Entry { author, minutes_ago, text }| Post { author, text, minutes_ago }).collect()
}

/// All chats, each with its messages, oldest first.
pub(super) fn chats() -> Vec<Chat> {
    let blocks = CHATS.split("## ").filter_map(|block| block.split_once('\n'));
    blocks
        .map(|(members, messages)| Chat {
            members: members.split_whitespace().filter_map(people::index_of).collect(),
            messages: entries(messages)
                .flatten()
                .map(|Entry { author, minutes_ago, text }| Message { author, text, minutes_ago })
                .collect(),
        })
        .collect()
}

struct Entry {
    author: usize,
    minutes_ago: u32,
    text: &'static str,
}

fn entries(script: &'static str) -> impl Iterator<Item = Option<Entry>> {
    script.split("@@ ").filter(|block| !block.trim().is_empty()).map(entry)
}

fn entry(block: &'static str) -> Option<Entry> {
    let (day, rest) = block.split_once(' ')?;
    let (clock, rest) = rest.split_once(' ')?;
    // Usernames have neither.
    let (username, text) = rest.split_once([':', '\n'])?;
    let (hour, minute) = clock.split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    let day: u32 = day.parse().ok()?;
    let then = hour.checked_mul(60)?.checked_add(minute)?;
    Some(Entry {
        author: people::index_of(username)?,
        minutes_ago: day.checked_mul(MINUTES_A_DAY)?.checked_add(NOW)?.checked_sub(then)?,
        text: text.trim(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_can_be_read() {
        for script in POSTS.into_iter().chain(CHATS.split("## ").filter_map(|chat| {
            let (_, messages) = chat.split_once('\n')?;
            Some(messages)
        })) {
            assert!(script.starts_with("@@ "), "{script:.40}");
            for block in script.split("@@ ").skip(1) {
                assert!(entry(block).is_some(), "can't be read: @@ {block}");
            }
        }
        for line in CHATS.lines().filter_map(|line| line.strip_prefix("## ")) {
            for member in line.split(' ') {
                assert!(people::index_of(member).is_some(), "{member:?} of {line:?}");
            }
        }
        assert_eq!(chats().len(), CHATS.lines().filter(|line| line.starts_with("##")).count());
    }

    #[test]
    fn times_count_backwards_from_the_evening() {
        let entry = entry("2 07:30 ada\n Hello\nthere \n\n").unwrap();
        assert_eq!(entry.minutes_ago, 2 * 24 * 60 + 12 * 60 + 30);
        assert_eq!(entry.text, "Hello\nthere");
    }

    #[test]
    fn nonsense_is_no_entry() {
        for block in
            ["", "x", "1 07:30 ada", "1 0730 ada\nHi", "1 07:30 nobody\nHi", "0 21:00 ada\nHi"]
        {
            assert!(entry(block).is_none(), "{block:?}");
        }
    }
}
