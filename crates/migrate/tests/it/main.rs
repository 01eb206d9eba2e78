//! The migrator on real databases: SQLite always, MySQL and MariaDB where a server is named.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test ends with a panic; most of these functions run inside one"
)]

mod adoption;
mod apply;
mod commands;
mod concurrency;
mod create;
mod failure;
mod full_disk;
mod kill;
mod online_ddl;
mod own_server;
mod progress;
mod proxy;
mod recovery;
mod refusal;
mod releases;
mod restart;
mod schema;
mod server_only;
mod sqlite_only;
mod support;
mod takeover;
mod template;
mod waiting;
