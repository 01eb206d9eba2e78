//! How often somebody may fail: one bucket of attempts per key, refilled one at a time.
//!
//! An attempt is taken before the password is checked, so that many guesses at the same moment
//! count as many, and given back unless the password was wrong: neither those who are right nor
//! those whom an outage keeps from an answer have to wait. Kept in memory: every process counts for
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

/// An attempt that was taken. Given back when it is dropped, unless it [counts](Self::count).
#[must_use]
pub struct Attempt<'a, K: Hash + Eq + Clone> {
    attempts: &'a Attempts<K>,
    key: K,
    counts: bool,
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
        Ok(Attempt { attempts: self, key, counts: false })
    }

    fn buckets(&self) -> MutexGuard<'_, HashMap<K, Micros>> {
        // The map is whole between any two statements, so a panic elsewhere does not spoil it.
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone> Attempt<'_, K> {
    /// The attempt failed.
    pub fn count(mut self) {
        self.counts = true;
    }
}

impl<K: Hash + Eq + Clone> Drop for Attempt<'_, K> {
    fn drop(&mut self) {
        if !self.counts
            && let Some(full_at) = self.attempts.buckets().get_mut(&self.key)
        {
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
        let fail = |name| attempts.begin(name).map(Attempt::count);
        for _ in 0..3 {
            assert!(fail("ada").is_ok());
        }
        assert_eq!(fail("ada").err(), Some(MINUTE));
        assert!(fail("ben").is_ok());
        clock.advance(Duration::from_secs(45));
        assert_eq!(fail("ada").err(), Some(Duration::from_secs(15)));
        clock.advance(Duration::from_secs(15));
        assert!(fail("ada").is_ok());
        assert!(fail("ada").is_err());
    }

    #[test]
    fn what_did_not_fail_costs_nothing_but_counts_while_it_lasts() {
        let attempts = Attempts::new(Clock::manual(), 3, MINUTE);
        for _ in 0..100 {
            drop(attempts.begin("ada").ok().unwrap());
        }
        let _under_way: Vec<_> = (0..3).map(|_| attempts.begin("ada").ok().unwrap()).collect();
        assert!(attempts.begin("ada").is_err());
    }
}
