//! Registries: the client, and one to test it and to develop with.

pub mod auth;
pub mod client;
pub mod credentials;
pub mod pull;
pub mod push;
pub mod referrers;
pub mod server;
