//! How long to wait for another runner.

use std::time::{Duration, Instant};

/// A wait that has begun and has a limit. Monotonic: setting the clock does not stretch it.
pub(crate) struct Wait {
    begun: Instant,
    limit: Duration,
}

impl Wait {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { begun: Instant::now(), limit }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// What is left of the limit; zero when it is over.
    pub(crate) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.elapsed())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.left().is_zero()
    }
}
