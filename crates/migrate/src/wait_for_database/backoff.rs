//! How long to wait between attempts.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(5);

/// The pause after an attempt, counted from 1: between a half and all of a time that doubles up to
/// the longest. `random` says where between.
pub(super) fn pause(attempt: u32, random: u8) -> Duration {
    let doublings = attempt.saturating_sub(1).min(8);
    let whole = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    whole.mul_f64(0.5 + f64::from(random) / 510.0)
}

/// A random byte; 0 where the system has none to give, which only costs the spreading.
pub(super) fn random() -> u8 {
    let mut byte = [0];
    match getrandom::fill(&mut byte) {
        Ok(()) => u8::from_ne_bytes(byte),
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_spread() {
        let longest: Vec<u128> = (1..9).map(|attempt| pause(attempt, 255).as_millis()).collect();
        assert_eq!(longest, [200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
        assert_eq!(pause(1, 0).as_millis(), 100);
        assert_eq!(pause(6, 0).as_millis(), 2500);
        assert_eq!(pause(u32::MAX, 255).as_millis(), 5000);
        assert!(pause(0, 0) > Duration::ZERO);
    }
}
