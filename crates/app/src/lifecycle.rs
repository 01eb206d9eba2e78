//! The end of a server: who asks for it, who hears of it, how long it may take.

use std::time::Duration;

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

use crate::tasks::outcome;

/// How long a server in production goes on accepting connections after it was asked to stop.
pub const LINGER: Duration = Duration::from_secs(5);
/// How long connections may then take to finish what they are doing. With the above and what
/// follows it stays below 25 seconds, which leaves room in ECS's 30.
pub const DRAIN: Duration = Duration::from_secs(17);

/// Tells the parts of a server that it is stopping, and knows which of them are still busy.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    stopping: CancellationToken,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl Lifecycle {
    /// Begins the end: readiness turns false, sockets close.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    /// Whether the end has begun.
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Waits for the end to begin.
    pub async fn stopping(&self) {
        self.stopping.cancelled().await;
    }

    /// Goes on with the end: nothing new is accepted, connections finish what is under way.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Waits until connections are to be closed.
    pub async fn closing(&self) {
        self.closing.cancelled().await;
    }

    /// The tasks that the end waits for: sockets, which the HTTP server forgets once they are
    /// upgraded.
    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Does work to its end, in the current span, even when whoever waits for it is gone: a request
    /// is dropped wherever it is when its client hangs up, and some things must not be left half
    /// done. The end waits for it.
    pub async fn see_through<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        outcome(self.tasks.spawn(work.in_current_span())).await
    }

    /// Waits until the tasks are done; call after [`stop`](Self::stop).
    pub async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Asks for the end at the first SIGTERM or Ctrl-C, and ends the process at the second.
pub async fn stop_on_signals(lifecycle: Lifecycle) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut next = async || {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    };
    let signal = next().await;
    tracing::info!(signal, "stopping: finishing what is under way (again to stop at once)");
    lifecycle.stop();
    let signal = next().await;
    tracing::warn!(signal, "stopping at once");
    std::process::exit(130)
}

#[cfg(test)]
mod tests {
    use tokio::{sync::oneshot, time::timeout};

    use super::*;

    #[tokio::test]
    async fn work_is_seen_through_and_waited_for_after_its_client_is_gone() {
        let lifecycle = Lifecycle::default();
        let (go, wait) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let work = lifecycle.see_through(async move {
            wait.await.unwrap();
            tell.send("done").unwrap();
        });
        // Begun, and dropped.
        assert!(timeout(Duration::from_millis(10), work).await.is_err());
        assert!(timeout(Duration::from_millis(10), lifecycle.drained()).await.is_err());
        go.send(()).unwrap();
        assert_eq!(told.await, Ok("done"));
        lifecycle.drained().await;
    }
}
