//! Work in tasks of its own that still belongs to the request that wants it: its log lines have the
//! request's span, and its panic is the request's.

use std::panic::resume_unwind;

use tokio::task::{JoinHandle, spawn_blocking};
use tracing::Span;

/// Does hard work on a thread that may be blocked, in the caller's span.
pub(crate) fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let span = Span::current();
    spawn_blocking(move || span.in_scope(work))
}

/// What a task comes to. If it panicked, which the panic hook has logged, the panic goes on here
/// without being logged again.
pub(crate) async fn outcome<T>(task: JoinHandle<T>) -> T {
    match task.await.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(value) => value,
        Err(Ok(panic)) => resume_unwind(panic),
        // The runtime is shutting down, and whoever waits here with it.
        Err(Err(_cancelled)) => std::future::pending().await,
    }
}
