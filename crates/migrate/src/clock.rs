//! The one place that reads the wall clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Microseconds since 1970-01-01 UTC, as the journal stores them. A function pointer, so that a
/// test can hand the migrator another one.
pub(crate) type Clock = fn() -> i64;

/// The machine's clock; 0 if it stands before 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the edge where the crate's clock comes from"
)]
pub(crate) fn wall_clock() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
}

/// The time between two readings, never negative: a wall clock may be set back in between.
pub(crate) fn between(start_micros: i64, end_micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(end_micros.saturating_sub(start_micros)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_gives_no_negative_duration() {
        assert_eq!(between(5_000, 7_500), Duration::from_micros(2_500));
        assert_eq!(between(7_500, 5_000), Duration::ZERO);
    }
}
