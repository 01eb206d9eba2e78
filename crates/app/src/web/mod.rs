//! The web client: pages with their content in them, and the files that bring them to life.
//!
//! A page is a part (`web/parts/page.html`) filled with what the API answers to the query that the client
//! would send itself (`web/queries`). `files` has everything in `crates/app/web`: from the disk while
//! developing, from the program in a release.

mod files;
mod pages;
mod template;
mod text;

/// The documents of the API that the client sends, by their names.
pub fn documents() -> std::collections::BTreeMap<String, String> {
    files::Files::load().map(|files| files.documents.clone()).unwrap_or_default()
}

pub(crate) use files::{serve, squeeze};
pub(crate) use pages::{chat, chats, feed, nothing, profile, settings, sign_in};
