//! How a socket is closed, so that the client learns why.

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::stream::FusedStream as _;
use tokio::time::{sleep, timeout};

use super::super::{Timings, protocol::Close};

/// Closes a socket whose client speaks no protocol that we do.
pub(in super::super) async fn turn_away(mut io: WebSocket, timings: Timings) {
    tracing::debug!("a client offered no protocol that is known");
    say(&mut io, &Close::NO_PROTOCOL, timings).await;
}

pub(super) async fn say(io: &mut WebSocket, close: &Close, timings: Timings) {
    let frame = CloseFrame { code: close.code, reason: Utf8Bytes::from(close.reason()) };
    let sent = timeout(timings.farewell, io.send(Message::Close(Some(frame)))).await;
    if !matches!(sent, Ok(Ok(()))) {
        return;
    }
    if io.is_terminated() {
        // What is left can't be read. Hanging up on it would reset the connection and might
        // take the close frame along, so the client gets a moment.
        sleep(timings.farewell).await;
    } else {
        wait(io, timings).await;
    }
}

/// Reads until the client has closed its side; that also sends the answer to its close frame.
pub(super) async fn wait(io: &mut WebSocket, timings: Timings) {
    let _ = timeout(timings.farewell, async { while let Some(Ok(_)) = io.recv().await {} }).await;
}
