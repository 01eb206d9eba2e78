//! What happened, told to everybody in this process who listens.
//!
//! The database is the truth and is written first; an event only says that there is something
//! new. A listener that falls too far behind misses events, never anything else.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::store::{Message, Post};

/// How far a listener may fall behind.
const BACKLOG: usize = 1024;

/// Something that happened. Cheap to clone: every listener gets one.
#[derive(Clone, Debug)]
pub enum Event {
    PostAdded(Arc<Post>),
    /// With the ids of the chat's members at that moment, so that no listener has to ask.
    MessageAdded {
        message: Arc<Message>,
        member_ids: Arc<[i64]>,
    },
}

/// Where events are published and listened to.
#[derive(Clone, Debug)]
pub struct Events(broadcast::Sender<Event>);

impl Events {
    pub fn new() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }

    /// Tells everybody who listens; nobody listening is fine.
    pub fn publish(&self, event: Event) {
        let _ = self.0.send(event);
    }

    /// Listens to everything from now on.
    pub fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
    }
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}

/// Hears every event, in order.
#[derive(Debug)]
pub struct Listener(broadcast::Receiver<Event>);

impl Listener {
    /// The next event; nothing when there will be no more.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.0.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "a subscriber was too slow and missed events");
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}
