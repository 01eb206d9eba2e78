//! Graphbook from the outside: an in-process server on a free port, and the real binary, on
//! every database.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::format_collect,
    reason = "a test that fails should panic, and reads better without ceremony"
)]

mod support;

mod accounts;
mod binary;
mod chats;
mod client;
mod hanging_up;
mod log;
mod outages;
mod people;
mod posts;
mod schema;
mod sockets;
mod statements;
mod transport;
