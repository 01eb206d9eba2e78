//! How often somebody may fail: one bucket of attempts per key, refilled one at a time.
//!
//! An attempt is taken before the password is checked and given back when it was right, so that
//! many guesses at the same moment count as many. Kept in memory: every process counts for
//! itself, and a restart forgives.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Micros, micros};

/// Buckets that are full again are thrown out when there are more than this many.
const SWEEP_ABOVE: usize = 10_000;
/// When even that does not help, those who come new are let in unlimited rather than letting
/// memory grow.
const MAX_KEYS: usize = 100_000;

/// Counts attempts per key.
pub struct Attempts<K: Hash + Eq + Clone> {
    clock: Clock,
    capacity: i64,
    refill: Micros,
    /// When each key's bucket is full again. As one attempt takes `refill` to come back, that
    /// instant is all there is to know.
    full_at: Mutex<HashMap<K, Micros>>,
}

/// An attempt that was taken. Dropped, it counts as failed.
#[must_use]
pub struct Attempt<'a, K: Hash + Eq + Clone> {
    attempts: &'a Attempts<K>,
    key: K,
}

impl<K: Hash + Eq + Clone> Attempts<K> {
    /// `capacity` attempts at once; one comes back every `refill`.
    pub fn new(clock: Clock, capacity: u32, refill: Duration) -> Self {
        let full_at = Mutex::default();
        Self { clock, capacity: capacity.into(), refill: micros(refill), full_at }
    }

    /// Takes an attempt.
    ///
    /// # Errors
    /// How long until there is one.
    pub fn begin(&self, key: K) -> Result<Attempt<'_, K>, Duration> {
        let now = self.clock.now();
        let mut buckets = self.buckets();
        if buckets.len() > SWEEP_ABOVE {
            buckets.retain(|_, full_at| *full_at > now);
        }
        let full_at = buckets.get(&key).copied().unwrap_or(now).max(now) + self.refill;
        let wait = full_at - now - self.capacity * self.refill;
        if wait > 0 {
            // Rounded up: whoever waits that many seconds gets in.
            return Err(Duration::from_secs((wait as u64).div_ceil(1_000_000)));
        }
        if buckets.len() < MAX_KEYS || buckets.contains_key(&key) {
            buckets.insert(key.clone(), full_at);
        }
        Ok(Attempt { attempts: self, key })
    }

    fn buckets(&self) -> MutexGuard<'_, HashMap<K, Micros>> {
        // The map is whole between any two statements, so a panic elsewhere does not spoil it.
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone> Attempt<'_, K> {
    /// Gives the attempt back.
    pub fn forgive(self) {
        if let Some(full_at) = self.attempts.buckets().get_mut(&self.key) {
            *full_at -= self.attempts.refill;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn failures_run_out_and_come_back_one_by_one() {
        let clock = Clock::manual();
        let attempts = Attempts::new(clock.clone(), 3, MINUTE);
        for _ in 0..3 {
            assert!(attempts.begin("ada").is_ok());
        }
        assert_eq!(attempts.begin("ada").err(), Some(MINUTE));
        assert!(attempts.begin("ben").is_ok());
        clock.advance(Duration::from_secs(45));
        assert_eq!(attempts.begin("ada").err(), Some(Duration::from_secs(15)));
        clock.advance(Duration::from_secs(15));
        assert!(attempts.begin("ada").is_ok());
        assert!(attempts.begin("ada").is_err());
    }

    #[test]
    fn success_costs_nothing() {
        let attempts = Attempts::new(Clock::manual(), 3, MINUTE);
        for _ in 0..100 {
            attempts.begin("ada").ok().unwrap().forgive();
        }
    }
}
