//! What requests say over HTTP, whatever they ask for: who sends them, and on whose behalf.
//! Knows nothing of GraphQL; `routes` puts it all together.

pub mod client;
pub mod cookies;
mod csrf;
pub mod request_id;

pub use self::{csrf::is_cross_site, request_id::RequestId};
