//! Graphbook: a small social network behind a GraphQL API.
//!
//! [`server::Server`] is the whole program as a value; `main.rs` and the tests run the same one.
//! ARCHITECTURE.md at the root of the repository shows the rooms and the ways through them.

pub mod accounts;
pub mod avatars;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod events;
pub mod graphql;
mod healthcheck;
pub mod http;
pub mod lifecycle;
pub mod migrations;
mod readiness;
mod routes;
mod seeding;
pub mod server;
pub mod state;
pub mod store;
mod tasks;
pub mod telemetry;
pub mod web;
