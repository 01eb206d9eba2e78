//! Tells other processes what happened here, and this one what happened there.
//!
//! One task holds one connection to Valkey, which both publishes and listens. Nothing waits for it:
//! while it is lost, events stay in their process, and what the others miss is in the database.

use std::collections::HashMap;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, Msg, PushInfo, PushKind, RedisError, Value,
    aio::{MultiplexedConnection, SendError},
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    Events, News, Outbox, Valkey,
    letters::{Letters, Origin},
};

/// How long Valkey may take to be connected to, and to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between signs of life, without which a connection that broke silently would seem to be quiet.
const BEAT: Duration = Duration::from_secs(10);
/// What waited longer for a connection is not news any more.
const STALE: Duration = Duration::from_secs(10);
/// How much is published at once.
const BATCH: usize = 64;
/// Between attempts to connect: doubled from the first to the second, less a random part, so that
/// processes that lost it together don't come back together.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// The connection to the other processes, once it is [run](Self::run).
pub(crate) struct Relay {
    valkey: Valkey,
    letters: Arc<Letters>,
    events: Events,
    outbox: Outbox,
    /// How many letters could not be read, as far as the log does not have it yet.
    unread: Arc<AtomicU64>,
}

/// Why a connection is given up, or can't be had.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("{0}")]
    Failed(#[from] RedisError),
    #[error("the connection ended")]
    Ended,
    /// What is published to a replica is heard there only. After a failover the address leads to
    /// the new primary, but a connection to the old one may stay.
    #[error("the server is a replica")]
    Replica,
}

/// A connection that listens.
struct Line {
    connection: MultiplexedConnection,
    ended: CancellationToken,
}

impl Relay {
    /// Between processes that have the same secret; and the events that it relays.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub(crate) fn new(valkey: Valkey, secret: &[u8]) -> Result<(Self, Events), getrandom::Error> {
        let mut origin = Origin::default();
        getrandom::fill(&mut origin)?;
        // The client has no TLS implementation of its own and takes the process's. An error says
        // that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (events, outbox) = Events::with_others();
        let letters = Arc::new(Letters::new(secret, origin));
        let relay =
            Self { valkey, letters, events: events.clone(), outbox, unread: Arc::default() };
        Ok((relay, events))
    }

    /// Keeps the connection until `end`, when it publishes what is left and is gone.
    pub(crate) async fn run(mut self, end: CancellationToken) {
        let mut attempts = 0;
        // What the log has about the connection that is missing.
        let mut said = None;
        loop {
            let connected = tokio::select! {
                connected = self.connect() => connected,
                () = end.cancelled() => return,
            };
            let why = match connected {
                Ok(line) => {
                    let since = Instant::now();
                    tracing::info!(valkey = %self.valkey, "sharing events with other processes");
                    let Err(why) = self.serve(line, &end).await else { return };
                    if since.elapsed() > BEAT {
                        attempts = 0;
                    }
                    said = None;
                    why
                }
                Err(why) => why,
            };
            let why = why.to_string();
            if said.as_ref() == Some(&why) {
                tracing::debug!(why, attempts, "still no connection to Valkey");
            } else {
                tracing::warn!(
                    why,
                    valkey = %self.valkey,
                    "no connection to Valkey: events are not shared with other processes"
                );
                said = Some(why);
            }
            tokio::select! {
                () = sleep(pause(attempts, randomness())) => attempts += 1,
                () = end.cancelled() => return,
            }
        }
    }

    async fn connect(&self) -> Result<Line, Lost> {
        let ended = CancellationToken::new();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_push_sender(self.reader(ended.clone()));
        let client = Client::open(self.valkey.info().clone())?;
        let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let mut line = Line { connection, ended };
        line.check().await?;
        line.connection.subscribe(self.letters.channel()).await?;
        Ok(line)
    }

    /// What is done with everything that Valkey says unasked; it is called wherever the connection
    /// is read.
    fn reader(
        &self,
        ended: CancellationToken,
    ) -> impl Fn(PushInfo) -> Result<(), SendError> + Send + Sync + 'static {
        let (letters, events) = (Arc::clone(&self.letters), self.events.clone());
        let unread = Arc::clone(&self.unread);
        move |push| {
            if push.kind == PushKind::Disconnection {
                ended.cancel();
            } else if let Some(letter) = Msg::from_push_info(push) {
                match letters.read(letter.get_payload_bytes()) {
                    Ok(Some(news)) => events.tell_here(news),
                    Ok(None) => {}
                    Err(why) => {
                        tracing::debug!(%why, "ignored what came from Valkey");
                        unread.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            Ok(())
        }
    }

    /// Publishes until the connection is lost, or until the end.
    async fn serve(&mut self, mut line: Line, end: &CancellationToken) -> Result<(), Lost> {
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                _ = self.outbox.queued.recv_many(&mut batch, BATCH) => {
                    self.publish(&mut line, &mut batch).await?;
                }
                _ = beat.tick() => {
                    self.confess();
                    line.check().await?;
                }
                () = line.ended.cancelled() => return Err(Lost::Ended),
                () = end.cancelled() => break,
            }
        }
        self.outbox.queued.close();
        while self.outbox.queued.recv_many(&mut batch, BATCH).await > 0 {
            self.publish(&mut line, &mut batch).await?;
        }
        Ok(())
    }

    /// Publishes once: whether what failed was heard nevertheless can't be known, and an event that
    /// comes twice is worse than one that the next look at the database brings.
    async fn publish(
        &self,
        line: &mut Line,
        batch: &mut Vec<(Instant, News)>,
    ) -> Result<(), RedisError> {
        let (mut publish, channel) = (redis::pipe(), self.letters.channel());
        let all = batch.len() as u64;
        for (since, news) in batch.drain(..) {
            match self.letters.write(&news) {
                Ok(letter) if since.elapsed() < STALE => {
                    publish.cmd("PUBLISH").arg(&channel).arg(letter).ignore();
                }
                Ok(_) => {}
                Err(error) => tracing::error!(%error, "an event can't be written as JSON"),
            }
        }
        let published = publish.len() as u64;
        let dropped = |count| self.outbox.dropped.fetch_add(count, Ordering::Relaxed);
        dropped(all - published);
        if published > 0 {
            publish.exec_async(&mut line.connection).await.inspect_err(|_| {
                dropped(published);
            })?;
        }
        Ok(())
    }

    /// Says in the log what went missing since the last time, both ways.
    fn confess(&self) {
        let dropped = self.outbox.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(dropped, "events did not get to other processes");
        }
        let unread = self.unread.swap(0, Ordering::Relaxed);
        if unread > 0 {
            tracing::warn!(
                unread,
                "ignored what came from Valkey and is not understood: by another release, or made \
                 up by somebody (GRAPHBOOK_LOG=info,app=debug says why)"
            );
        }
    }
}

impl Line {
    /// Asks for a sign of life, and whether this is still the right server.
    async fn check(&mut self) -> Result<(), Lost> {
        let about: HashMap<String, Value> =
            redis::cmd("HELLO").query_async(&mut self.connection).await?;
        match about.get("role") {
            Some(Value::BulkString(role)) if role == b"replica" => Err(Lost::Replica),
            _ => Ok(()),
        }
    }
}

fn pause(attempts: u32, randomness: u8) -> Duration {
    let (first, longest) = PAUSES;
    let pause = first.saturating_mul(1 << attempts.min(16)).min(longest);
    pause.mul_f64(1.0 - f64::from(randomness) / 512.0)
}

fn randomness() -> u8 {
    let mut byte = [0];
    // Without any, processes come back at the same time.
    let _ = getrandom::fill(&mut byte);
    u8::from_ne_bytes(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_differ() {
        let millis = |attempts, randomness| pause(attempts, randomness).as_millis();
        assert_eq!(
            [0, 1, 2, 6, 7, u32::MAX].map(|n| millis(n, 0)),
            [100, 200, 400, 6400, 10_000, 10_000]
        );
        assert_eq!(millis(0, 128), 75);
        assert_eq!(millis(u32::MAX, 255), 5019);
    }
}
