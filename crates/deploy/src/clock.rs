//! The time, and waiting for it to pass: the machine's, or one that passes at once in a simulation.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// When simulated time begins, in seconds since 1970.
const BEGINNING: u64 = 1_800_000_000;

/// A clock.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's.
    #[default]
    Real,
    /// One whose waiting takes no time; who shares it sees the same time.
    Virtual(Arc<Mutex<Duration>>),
}

impl Clock {
    /// One that stands still until somebody waits.
    pub fn simulated() -> Self {
        Self::Virtual(Arc::default())
    }

    /// The time.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    pub fn now(&self) -> SystemTime {
        match self {
            Self::Real => SystemTime::now(),
            Self::Virtual(passed) => {
                let passed = *passed.lock().unwrap_or_else(PoisonError::into_inner);
                SystemTime::UNIX_EPOCH + Duration::from_secs(BEGINNING) + passed
            }
        }
    }

    /// How long ago that was; nothing, if it is in the future.
    pub fn since(&self, then: SystemTime) -> Duration {
        self.now().duration_since(then).unwrap_or_default()
    }

    /// Waits.
    pub async fn sleep(&self, time: Duration) {
        match self {
            Self::Real => tokio::time::sleep(time).await,
            Self::Virtual(passed) => {
                *passed.lock().unwrap_or_else(PoisonError::into_inner) += time;
                // Others of this thread may have waited for their turn.
                tokio::task::yield_now().await;
            }
        }
    }
}
