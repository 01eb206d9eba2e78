//! GraphQL over WebSockets: subscriptions, and queries and mutations too.
//!
//! `protocol` knows the messages of the two protocols and does no I/O; `operations` runs what a
//! client asks; `socket` is the loop that ties them to one connection.

mod operations;
#[cfg(test)]
mod operations_tests;
mod protocol;
#[cfg(test)]
mod protocol_tests;
mod socket;

use std::time::Duration;

use axum::{extract::ws::WebSocketUpgrade, response::Response};
use tracing::Instrument as _;

use self::{protocol::Dialect, socket::Socket};
use super::{Caller, Graph};
use crate::http::client::Peer;

/// The largest message that a client may send: the longest document that is allowed and the
/// variables of the longest post fit several times.
const MAX_MESSAGE_BYTES: usize = 256 * 1024;
/// What is set aside per socket for reading, and how much is written at once. Messages are
/// mostly shorter; the library's own choice of 128 KiB would be most of what an idle socket
/// costs.
const BUFFER_BYTES: usize = 8 * 1024;

/// How long a socket waits for what.
#[derive(Clone, Copy, Debug)]
pub struct Timings {
    /// For `connection_init`, from the upgrade on.
    pub init: Duration,
    /// Between signs of life to the client. Load balancers cut what is silent for 60 seconds.
    pub beat: Duration,
    /// For anything from the client, be it the answer to a sign of life. Three beats, so that
    /// one that is lost or late costs nothing.
    pub silence: Duration,
    /// Between looks at the session in the database: it may have expired, or been ended by
    /// another process.
    pub recheck: Duration,
    /// For the client to take a message, or the database to answer about a session.
    pub patience: Duration,
    /// For queries and mutations that are under way when the socket has to close.
    pub finish: Duration,
    /// For the client's answer to a close: who hangs up first may cut off what is on its way.
    pub farewell: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            init: Duration::from_secs(10),
            beat: Duration::from_secs(20),
            silence: Duration::from_mins(1),
            recheck: Duration::from_mins(1),
            patience: Duration::from_secs(10),
            finish: Duration::from_secs(2),
            farewell: Duration::from_secs(2),
        }
    }
}

/// Answers an upgrade, and serves the socket that it becomes.
///
/// Speaks [graphql-transport-ws] and the older [graphql-ws]; a client that offers neither is
/// told so with a close code, because that is all that a browser shows to its page. The caller's
/// session counts unless `connection_init` brings a token. The connection's place among those
/// that are served at once is kept until the socket closes.
///
/// [graphql-transport-ws]: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
/// [graphql-ws]: https://github.com/apollographql/subscriptions-transport-ws/blob/master/PROTOCOL.md
pub fn upgrade(
    graph: Graph,
    upgrade: WebSocketUpgrade,
    caller: Caller,
    peer: Option<Peer>,
) -> Response {
    upgrade_with(graph, upgrade, caller, peer, Timings::default())
}

/// The same with other timings, for tests.
pub fn upgrade_with(
    graph: Graph,
    upgrade: WebSocketUpgrade,
    caller: Caller,
    peer: Option<Peer>,
    timings: Timings,
) -> Response {
    let upgrade = upgrade
        .protocols(Dialect::NAMES)
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES);
    let chosen = upgrade.selected_protocol().and_then(|name| name.to_str().ok());
    let dialect = chosen.and_then(Dialect::named);
    // The request is answered long before the socket closes, so its span is not the parent.
    let span = tracing::info_span!(
        parent: None,
        "socket",
        id = caller.request_id,
        protocol = dialect.map(Dialect::name),
    );
    // Taken here rather than in the task, which begins only after the answer is sent: the
    // server's end must not slip in between.
    let tracked = graph.state().lifecycle.tasks().token();
    // Before the session is looked at again, so that no end of it is missed.
    let ended = graph.state().events.sessions_ended();
    upgrade
        .on_failed_upgrade(|error| tracing::debug!(%error, "a client left before its upgrade"))
        .on_upgrade(move |io| {
            async move {
                match dialect {
                    Some(dialect) => {
                        Socket::new(io, dialect, graph, caller, ended, timings).run().await;
                    }
                    None => socket::turn_away(io, timings).await,
                }
                drop((tracked, peer));
            }
            .instrument(span)
        })
}
