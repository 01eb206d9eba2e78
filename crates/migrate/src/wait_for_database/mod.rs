//! Waits until a database answers and may be written to.
//!
//! What passes by itself is waited for: a name that is not known yet, a server that starts, that
//! has no connection left or is still a replica. What only a person can change, such as a wrong
//! password, ends the waiting at once. Which is which is decided by `classify`,
//! a pure function; the limit holds also while an attempt hangs.

mod backoff;
mod classify;
mod error;
mod mysql;
mod sqlite;

use std::time::Duration;

pub use classify::{Cause, Obstacle};
pub use error::WaitError;

use crate::Target;
use crate::wait::Wait;
use classify::Verdict;

/// How long one attempt may take. A connection to an address behind which nobody is hangs for
/// minutes by itself, while the name may have moved to another one in the meantime.
const ATTEMPT: Duration = Duration::from_secs(10);

/// The least that an attempt gets, so that a limit of zero means "try once".
const LEAST: Duration = Duration::from_secs(1);

/// What stands in the way, told once for each kind of obstacle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitEvent {
    /// Its kind.
    pub obstacle: Obstacle,
    /// The words of the database, the driver or the system.
    pub reason: String,
    /// Since the waiting began.
    pub waited: Duration,
}

/// The database is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waited {
    /// From the beginning.
    pub duration: Duration,
    /// How often it was tried, at least once.
    pub attempts: u32,
}

/// Why one attempt did not succeed.
struct Refusal {
    verdict: Verdict,
    reason: String,
}

impl Refusal {
    fn new(verdict: Verdict, reason: &impl ToString) -> Self {
        Self { verdict, reason: reason.to_string() }
    }
}

/// Waits until the database answers and may be written to, for at most `timeout`; a zero one tries
/// once, for up to a second. Writes nothing and creates nothing.
///
/// Between attempts it waits for 0.2 s at first and 5 s at most, each time a different part of
/// that, so that many who wait don't all come back at once.
pub async fn until_ready(
    target: &Target,
    timeout: Duration,
    mut on_event: impl FnMut(WaitEvent) + Send,
) -> Result<Waited, WaitError> {
    let wait = Wait::new(timeout);
    let mut told: Vec<Obstacle> = Vec::new();
    let mut last: Option<(Obstacle, String)> = None;
    let mut attempts = 0;
    loop {
        let limit = if attempts == 0 { wait.left().max(LEAST) } else { wait.left() }.min(ATTEMPT);
        attempts += 1;
        match tokio::time::timeout(limit, attempt(target)).await {
            Ok(Ok(())) => return Ok(Waited { duration: wait.elapsed(), attempts }),
            Ok(Err(Refusal { verdict: Verdict::Passes(obstacle), reason })) => {
                last = Some((obstacle, reason));
            }
            Ok(Err(Refusal { verdict: Verdict::Stays(cause), reason })) => {
                return Err(WaitError::Hopeless { target: target.to_string(), cause, reason });
            }
            // An attempt that the limit cut short says less than the one before it.
            Err(_) if limit < LEAST && last.is_some() => {}
            Err(_) => {
                let reason = format!("no answer within {:.1} s", limit.as_secs_f64());
                last = Some((Obstacle::Silent, reason));
            }
        }
        if let Some((obstacle, reason)) = &last
            && !told.contains(obstacle)
        {
            told.push(*obstacle);
            let (obstacle, reason) = (*obstacle, reason.clone());
            on_event(WaitEvent { obstacle, reason, waited: wait.elapsed() });
        }
        tokio::time::sleep(backoff::pause(attempts, backoff::random()).min(wait.left())).await;
        if wait.is_over() {
            let (obstacle, reason) = last.unwrap_or((Obstacle::Silent, String::new()));
            let (target, waited) = (target.to_string(), wait.elapsed());
            return Err(WaitError::TimedOut { target, waited, obstacle, reason });
        }
    }
}

async fn attempt(target: &Target) -> Result<(), Refusal> {
    match target {
        Target::MySql(options) => mysql::attempt(options).await,
        Target::Sqlite(options) => sqlite::attempt(options).await,
    }
}
