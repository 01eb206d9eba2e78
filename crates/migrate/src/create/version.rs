//! The version of a new migration.

use chrono::DateTime;

/// Most digits of a version that counts. A date of eight digits is none of them.
const MOST_DIGITS: usize = 7;

/// A version that is there: its value, and how many digits it is written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub(super) value: i64,
    pub(super) digits: usize,
}

/// The version after the newest, and as it is written; `None` if there is none.
///
/// Counts on where the folder counts. Otherwise it is the time in UTC, `now` in Unix seconds, or
/// the newest plus one where that is later: the clock was behind, or two were made in one second.
pub(super) fn next(newest: Option<Version>, now: i64) -> Option<(i64, String)> {
    match newest {
        Some(newest) if newest.digits <= MOST_DIGITS => {
            let value = newest.value.checked_add(1)?;
            let digits = newest.digits;
            Some((value, format!("{value:0digits$}")))
        }
        Some(newest) => {
            let value = timestamp(now).max(newest.value.checked_add(1)?);
            Some((value, value.to_string()))
        }
        None => Some((timestamp(now), timestamp(now).to_string())),
    }
}

/// `YYYYMMDDHHMMSS` in UTC.
fn timestamp(seconds: i64) -> i64 {
    let time = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    time.format("%Y%m%d%H%M%S").to_string().parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000; // 2026-09-21 14:13:20 UTC

    fn after(newest: &str) -> Option<String> {
        let newest = Version { value: newest.parse().unwrap(), digits: newest.len() };
        next(Some(newest), NOW).map(|(value, text)| {
            assert_eq!(text.parse::<i64>().unwrap(), value);
            text
        })
    }

    #[test]
    fn the_first_is_the_time() {
        assert_eq!(next(None, NOW), Some((20_260_921_141_320, "20260921141320".to_owned())));
    }

    #[test]
    fn times_go_on_with_the_time_or_one_more() {
        assert_eq!(after("20260101000000").unwrap(), "20260921141320");
        assert_eq!(after("20260921141320").unwrap(), "20260921141321");
        assert_eq!(after("20301231235959").unwrap(), "20301231235960");
        assert_eq!(after("20260101").unwrap(), "20260921141320", "a date is no count");
        assert_eq!(after("1790000000").unwrap(), "20260921141320", "nor is a Unix time");
    }

    #[test]
    fn counts_go_on_counting_with_as_many_digits() {
        assert_eq!(after("0007").unwrap(), "0008");
        assert_eq!(after("7").unwrap(), "8");
        assert_eq!(after("0999").unwrap(), "1000");
        assert_eq!(after("999").unwrap(), "1000");
    }

    #[test]
    fn there_is_an_end() {
        assert_eq!(after("9223372036854775807"), None);
    }

    #[test]
    fn known_moments() {
        for (seconds, number) in [
            (0, 19_700_101_000_000),
            (951_782_400, 20_000_229_000_000),
            (1_709_251_199, 20_240_229_235_959),
            (4_107_542_400, 21_000_301_000_000),
        ] {
            assert_eq!(timestamp(seconds), number);
        }
    }
}
