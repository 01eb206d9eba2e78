//! One socket: a loop over what its client, its operations and the clock have to say.

mod goodbye;
mod requests;
mod session;

use std::{convert::Infallible, future::pending};

use axum::extract::ws::{Message, WebSocket};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout},
};

pub(super) use self::goodbye::turn_away;
use super::{
    Timings,
    operations::{Operations, Step},
    protocol::{self, ClientMessage, Close, Dialect, Fault, ServerMessage},
};
use crate::{
    events::SessionsEnded,
    graphql::{Caller, Graph},
    store::Session,
};

/// Why a socket ends.
enum End {
    /// We close it.
    Close(Close),
    /// The client closed it.
    Left,
    /// There is nobody to say anything to.
    Lost(String),
}

/// What a step of the loop comes to.
type Flow = Result<(), End>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// For `connection_init`.
    Waiting,
    Open,
    /// Closes when the operations that are under way are done.
    Leaving,
}

enum Event {
    Received(Option<Result<Message, axum::Error>>),
    Operation(String, Step),
    SessionsEnded(Result<SessionsEnded, RecvError>),
    Beat,
    Recheck,
    Deadline,
    Stopping,
}

/// A socket, from its upgrade to its end.
pub(super) struct Socket {
    io: WebSocket,
    dialect: Dialect,
    graph: Graph,
    /// Anonymous until `connection_init`, whatever the upgrade's request proved.
    caller: Caller,
    /// The session of the upgrade's request.
    offered: Option<Session>,
    timings: Timings,
    phase: Phase,
    operations: Operations,
    /// How many operations there were, refused ones too.
    asked: u64,
    ended: broadcast::Receiver<SessionsEnded>,
    last_heard: Instant,
    beat: Interval,
    recheck: Interval,
    /// When to close, whatever is under way, and how.
    deadline: Option<(Instant, Close)>,
}

impl Socket {
    pub(super) fn new(
        io: WebSocket,
        dialect: Dialect,
        graph: Graph,
        mut caller: Caller,
        ended: broadcast::Receiver<SessionsEnded>,
        timings: Timings,
    ) -> Self {
        let now = Instant::now();
        let every = |period| {
            let mut ticks = interval_at(now + period, period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        Self {
            io,
            dialect,
            graph,
            offered: caller.session.take(),
            caller,
            timings,
            phase: Phase::Waiting,
            operations: Operations::new(),
            asked: 0,
            ended,
            last_heard: now,
            beat: every(timings.beat),
            recheck: every(timings.recheck),
            deadline: Some((now + timings.init, Close::INIT_TIMEOUT)),
        }
    }

    /// Serves the socket to its end.
    pub(super) async fn run(mut self) {
        let started = Instant::now();
        tracing::debug!("a socket opened");
        let Err(end) = self.serve().await;
        let Self { mut io, operations, timings, asked, .. } = self;
        // What is under way stops before the goodbye, which takes its time.
        drop(operations);
        let (code, reason) = match &end {
            End::Close(close) => (Some(close.code), close.reason()),
            End::Left => (None, "the client left"),
            End::Lost(why) => (None, why.as_str()),
        };
        let duration_ms = started.elapsed().as_millis() as u64;
        tracing::info!(code, reason, operations = asked, duration_ms, "a socket closed");
        match &end {
            End::Close(close) => goodbye::say(&mut io, close, timings).await,
            End::Left => goodbye::wait(&mut io, timings).await,
            End::Lost(_) => {}
        }
    }

    async fn serve(&mut self) -> Result<Infallible, End> {
        loop {
            match self.next().await {
                Event::Received(received) => self.received(received).await?,
                Event::Operation(id, step) => self.report(id, step).await?,
                Event::SessionsEnded(ended) => self.sessions_ended(ended).await?,
                Event::Beat => self.beat().await?,
                Event::Recheck => self.check_session(false).await?,
                Event::Deadline => self.leave_now()?,
                Event::Stopping => self.leave(Close::GOING_AWAY)?,
            }
        }
    }

    /// Waits for whatever comes first, fairly: the order of the branches means nothing.
    async fn next(&mut self) -> Event {
        let at = self.deadline.as_ref().map(|(at, _)| *at);
        let deadline = async move {
            match at {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        let leaving = self.phase == Phase::Leaving;
        tokio::select! {
            received = self.io.recv() => Event::Received(received),
            (id, step) = self.operations.next() => Event::Operation(id, step),
            ended = self.ended.recv(), if !leaving => Event::SessionsEnded(ended),
            _ = self.beat.tick() => Event::Beat,
            _ = self.recheck.tick(), if !leaving => Event::Recheck,
            () = deadline => Event::Deadline,
            () = self.graph.state().lifecycle.stopping(), if !leaving => Event::Stopping,
        }
    }

    async fn received(&mut self, received: Option<Result<Message, axum::Error>>) -> Flow {
        let message = match received {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(unreadable(&error)),
            None => return Err(End::Lost("the connection ended".to_owned())),
        };
        self.last_heard = Instant::now();
        let parsed = match message {
            Message::Text(text) => protocol::parse(&text, self.dialect),
            Message::Binary(_) => Err(protocol::binary(self.dialect)),
            // Pings are answered by the library.
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(End::Left),
        };
        match parsed {
            Ok(message) => self.handle(message).await,
            Err(Fault::Close(close)) => Err(End::Close(close)),
            Err(Fault::Answer(answer)) => self.send(&answer).await,
        }
    }

    async fn handle(&mut self, message: ClientMessage) -> Flow {
        match message {
            ClientMessage::Init { token } => self.init(token).await,
            ClientMessage::Start { id, operation } => self.start(id, operation).await,
            ClientMessage::Stop { id } => {
                if self.operations.stop(&id) && self.dialect == Dialect::Legacy {
                    self.send(&ServerMessage::Complete { id }).await?;
                }
                self.leave_if_done()
            }
            ClientMessage::Ping { payload } => self.send(&ServerMessage::Pong { payload }).await,
            ClientMessage::Pong => Ok(()),
            ClientMessage::Terminate => Err(End::Close(Close::NORMAL)),
        }
    }

    async fn beat(&mut self) -> Flow {
        if self.last_heard.elapsed() >= self.timings.silence {
            return Err(End::Close(Close::SILENT));
        }
        // The frame is answered by every client's library, the message may interest the client.
        self.write(Message::Ping(Vec::new().into())).await?;
        if self.phase == Phase::Waiting {
            return Ok(());
        }
        self.send(&ServerMessage::Beat).await
    }

    /// Closes the socket once the queries and mutations that are under way are done: the
    /// mutation that signs out, say, still gets its reply. Subscriptions end here.
    fn leave(&mut self, close: Close) -> Flow {
        self.operations.stop_subscriptions();
        self.phase = Phase::Leaving;
        self.deadline = Some((Instant::now() + self.timings.finish, close));
        self.leave_if_done()
    }

    fn leave_if_done(&mut self) -> Flow {
        if self.phase == Phase::Leaving && self.operations.is_empty() {
            self.leave_now()?;
        }
        Ok(())
    }

    fn leave_now(&mut self) -> Flow {
        match self.deadline.take() {
            Some((_, close)) => Err(End::Close(close)),
            None => Ok(()),
        }
    }

    async fn send(&mut self, message: &ServerMessage) -> Flow {
        self.write(Message::Text(message.encode(self.dialect).into())).await
    }

    async fn write(&mut self, message: Message) -> Flow {
        match timeout(self.timings.patience, self.io.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(End::Lost(error.to_string())),
            Err(_elapsed) => Err(End::Lost("the client does not read".to_owned())),
        }
    }
}

/// What follows from a frame that the library can't read. It does not say why but in words.
fn unreadable(error: &axum::Error) -> End {
    let why = error.to_string();
    if why.starts_with("Space limit exceeded") {
        End::Close(Close::TOO_BIG)
    } else if why.starts_with("UTF-8") {
        End::Close(Close::NOT_UTF8)
    } else {
        End::Lost(why)
    }
}
