//! What every request shares.

use std::sync::Arc;

use crate::{
    accounts::Accounts, avatars::Avatars, clock::Clock, events::Events, lifecycle::Lifecycle,
    readiness::Readiness, store::Store,
};

/// The parts of a running server that requests use, and the settings that they look at.
pub struct AppState {
    pub accounts: Accounts,
    pub avatars: Avatars,
    pub clock: Clock,
    pub events: Events,
    pub lifecycle: Lifecycle,
    pub readiness: Readiness,
    pub store: Store,
    /// Whether cookies are for HTTPS only.
    pub secure_cookies: bool,
    /// Whether clients may ask for the schema.
    pub introspection: bool,
    /// How many proxies in front of this server append to `X-Forwarded-For`.
    pub trusted_proxies: usize,
}

/// How the state is handed around.
pub type SharedState = Arc<AppState>;
