//! What happened, told to everybody who listens: in this process at once, and in the others that
//! share the database by way of Valkey, if there is one.
//!
//! The database is the truth and is written first; an event only says that there is something
//! new. A listener that falls too far behind misses events, and so do other processes while
//! Valkey can't be reached; never anything else.

mod letters;
mod relay;
mod valkey;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::{
    sync::{broadcast, mpsc},
    time::Instant,
};

pub(crate) use self::relay::Relay;
pub use self::valkey::Valkey;
use crate::store::{Message, Post, Session};

/// How far a listener may fall behind, and how much may wait for Valkey: some 40 MB if it is all
/// posts of the largest size.
const BACKLOG: usize = 1024;
/// The same for ends of sessions.
const ENDS: usize = 256;

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

/// Which sessions ended before their time.
#[derive(Clone, Debug)]
pub enum SessionsEnded {
    One(String),
    /// All of a person's.
    OfUser(i64),
}

impl SessionsEnded {
    /// Whether this session is among them.
    pub fn concerns(&self, session: &Session) -> bool {
        match self {
            Self::One(id) => *id == session.id,
            Self::OfUser(user_id) => *user_id == session.user.id,
        }
    }
}

/// All that processes tell each other.
#[derive(Clone, Debug)]
enum News {
    Event(Event),
    SessionsEnded(SessionsEnded),
}

/// Where events are published and listened to.
#[derive(Clone, Debug)]
pub struct Events {
    happened: broadcast::Sender<Event>,
    ended: broadcast::Sender<SessionsEnded>,
    others: Option<Others>,
}

impl Events {
    /// Events of this process alone.
    pub fn new() -> Self {
        Self {
            happened: broadcast::channel(BACKLOG).0,
            ended: broadcast::channel(ENDS).0,
            others: None,
        }
    }

    /// Events that are also put into an outbox, for other processes.
    fn with_others() -> (Self, Outbox) {
        let (queue, queued) = mpsc::channel(BACKLOG);
        let dropped = Arc::default();
        let others = Others { queue, dropped: Arc::clone(&dropped) };
        (Self { others: Some(others), ..Self::new() }, Outbox { queued, dropped })
    }

    /// Tells everybody who listens; nobody listening is fine. Never waits.
    pub fn publish(&self, event: Event) {
        self.tell(News::Event(event));
    }

    /// Tells of sessions that ended before their time. Never waits.
    pub fn end_sessions(&self, ended: SessionsEnded) {
        self.tell(News::SessionsEnded(ended));
    }

    /// Listens to everything from now on.
    pub fn listen(&self) -> Listener {
        Listener(self.happened.subscribe())
    }

    /// Hears of sessions that end before their time, for those who hold connections open. Who
    /// misses something finds out by asking the database from time to time.
    pub fn sessions_ended(&self) -> broadcast::Receiver<SessionsEnded> {
        self.ended.subscribe()
    }

    fn tell(&self, news: News) {
        if let Some(others) = &self.others {
            others.tell(news.clone());
        }
        self.tell_here(news);
    }

    /// Tells the listeners of this process. An error says that there are none.
    fn tell_here(&self, news: News) {
        match news {
            News::Event(event) => drop(self.happened.send(event)),
            News::SessionsEnded(ended) => drop(self.ended.send(ended)),
        }
    }
}

impl Default for Events {
    fn default() -> Self {
        Self::new()
    }
}

/// The way to other processes: a queue, so that nobody ever waits for Valkey.
#[derive(Clone, Debug)]
struct Others {
    queue: mpsc::Sender<(Instant, News)>,
    dropped: Arc<AtomicU64>,
}

impl Others {
    fn tell(&self, news: News) {
        if self.queue.try_send((Instant::now(), news)).is_err() {
            // The relay says so in the log, now and then.
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What other processes are still to be told, and since when.
struct Outbox {
    queued: mpsc::Receiver<(Instant, News)>,
    /// How much they will never be told, as far as the log does not have it yet.
    dropped: Arc<AtomicU64>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_outbox_drops_and_counts_and_never_keeps_from_telling_here() {
        let (events, mut outbox) = Events::with_others();
        let mut ended = events.sessions_ended();
        for user_id in 0..BACKLOG as i64 + 3 {
            events.end_sessions(SessionsEnded::OfUser(user_id));
            assert!(matches!(ended.try_recv(), Ok(SessionsEnded::OfUser(id)) if id == user_id));
        }
        assert_eq!(outbox.dropped.load(Ordering::Relaxed), 3);
        assert_eq!(outbox.queued.len(), BACKLOG);
        let first = outbox.queued.recv().await;
        assert!(matches!(first, Some((_, News::SessionsEnded(SessionsEnded::OfUser(0))))));
    }
}
