//! The operations of one socket that are under way.
//!
//! Each runs in a task of its own and hands its replies to the socket through a queue that they
//! share. So an operation that holds a database connection never waits for a client that is
//! slow to read, and a queue that is full is where it waits once it has something to say.

use std::{collections::HashMap, panic::AssertUnwindSafe, pin::pin};

use async_graphql::parser::types::OperationType;
use axum::http::StatusCode;
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::Instrument as _;

use crate::graphql::{Graph, Prepared, Reply};

/// How many operations a socket may have under way.
pub(super) const MAX_LIVE: usize = 50;
/// How many replies may wait to be sent, beside one per operation.
const QUEUE: usize = 8;

/// What an operation has to say.
pub(super) enum Step {
    /// It does not go on after `error`: nothing was executed, or there is nothing to listen to.
    Error(Box<Reply>),
    Next(Box<Reply>),
    Done,
}

/// A step, and whose it is.
struct Report {
    id: String,
    number: u64,
    step: Step,
}

struct Live {
    /// Tells an operation from an earlier one of the same id, of which a report may still be
    /// in the queue.
    number: u64,
    kind: OperationType,
    answered: bool,
    /// Ends the operation when it is dropped.
    _task: AbortOnDropHandle<()>,
}

/// Operations by their ids.
pub(super) struct Operations {
    live: HashMap<String, Live>,
    started: u64,
    sender: mpsc::Sender<Report>,
    reports: mpsc::Receiver<Report>,
}

impl Operations {
    pub(super) fn new() -> Self {
        let (sender, reports) = mpsc::channel(QUEUE);
        Self { live: HashMap::new(), started: 0, sender, reports }
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.live.contains_key(id)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.live.len() >= MAX_LIVE
    }

    /// Starts an operation, in the place of one of the same id if there is one.
    pub(super) fn start(&mut self, id: String, graph: &Graph, prepared: Prepared, request: String) {
        let kind = prepared.kind();
        let tasks = graph.state().lifecycle.tasks();
        let graph = graph.clone();
        self.launch(id, kind, tasks, request, move || graph.stream(prepared));
    }

    pub(super) fn launch<S>(
        &mut self,
        id: String,
        kind: OperationType,
        tasks: &TaskTracker,
        request: String,
        replies: impl FnOnce() -> S + Send + 'static,
    ) where
        S: Stream<Item = Reply> + Send + 'static,
    {
        self.started += 1;
        let number = self.started;
        let span = tracing::info_span!("operation", id = request);
        let reporter = Reporter { id: id.clone(), number, sender: self.sender.clone() };
        let task = tasks.spawn(pump(replies, reporter, request).instrument(span));
        let task = AbortOnDropHandle::new(task);
        self.live.insert(id, Live { number, kind, answered: false, _task: task });
    }

    /// Ends an operation, if it is there; it says nothing more.
    pub(super) fn stop(&mut self, id: &str) -> bool {
        self.live.remove(id).is_some()
    }

    /// Ends the operations that would not end by themselves.
    pub(super) fn stop_subscriptions(&mut self) {
        self.live.retain(|_, live| live.kind != OperationType::Subscription);
    }

    /// The next step of an operation that is still under way; pending while there is none. An
    /// operation is not under way any more once this has told its last step.
    pub(super) async fn next(&mut self) -> (String, Step) {
        loop {
            let Some(Report { id, number, step }) = self.reports.recv().await else {
                // There is always a sender: ours.
                return std::future::pending().await;
            };
            let Some(live) = self.live.get_mut(&id) else { continue };
            if live.number != number {
                continue;
            }
            let first = !std::mem::replace(&mut live.answered, true);
            let step = match step {
                Step::Next(reply) if first && reply.is_refused() => Step::Error(reply),
                step => step,
            };
            if matches!(step, Step::Error(_) | Step::Done) {
                self.live.remove(&id);
            }
            return (id, step);
        }
    }
}

/// Where one operation reports to.
struct Reporter {
    id: String,
    number: u64,
    sender: mpsc::Sender<Report>,
}

impl Reporter {
    async fn report(&self, step: Step) {
        let report = Report { id: self.id.clone(), number: self.number, step };
        // Nobody there: the socket is closed, and this task about to be ended.
        let _ = self.sender.send(report).await;
    }
}

/// Passes on what an operation replies, to its end. The stream is made in here because making
/// it is part of what may panic.
async fn pump<S: Stream<Item = Reply>>(
    replies: impl FnOnce() -> S,
    reporter: Reporter,
    request: String,
) {
    let told = async {
        let mut replies = pin!(replies());
        while let Some(reply) = replies.next().await {
            reporter.report(Step::Next(reply.into())).await;
        }
    };
    // The state that a panic may leave behind is the operation's own, and goes with it. The
    // panic hook has logged it.
    if AssertUnwindSafe(told).catch_unwind().await.is_err() {
        let reply = Reply::internal(StatusCode::INTERNAL_SERVER_ERROR, &request);
        reporter.report(Step::Next(reply.into())).await;
    }
    reporter.report(Step::Done).await;
}
