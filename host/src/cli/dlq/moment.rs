//! Parses and formats times.

use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time, or an age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Milliseconds since the Unix epoch.
    At(i64),
    /// Before now.
    Ago(Duration),
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(ago) = humantime::parse_duration(text) {
            return Ok(Self::Ago(ago));
        }
        let time = humantime::parse_rfc3339_weak(text);
        let time = time.map_err(|_| "expected a UTC time like 2026-11-20T08:00:00Z, or an age like 2h")?;
        Ok(Self::At(milliseconds(time)))
    }
}

impl Moment {
    /// In milliseconds since the Unix epoch.
    pub(super) fn resolve(self, now: SystemTime) -> i64 {
        match self {
            Self::At(time) => time,
            Self::Ago(ago) => milliseconds(now.checked_sub(ago).unwrap_or(UNIX_EPOCH)),
        }
    }
}

pub(super) fn milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The last second of the year 9999.
const LATEST: u64 = 253_402_300_799;

/// A time in UTC, to the second. Times before 1970 or after 9999 are shown as the number.
pub(super) fn show(time: i64) -> String {
    match u64::try_from(time) {
        Ok(positive) if positive / 1_000 <= LATEST => {
            humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(positive)).to_string()
        }
        _ => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_an_age() {
        let now = UNIX_EPOCH + Duration::from_secs(10_000);
        for (text, time) in
            [("1970-01-01T01:00:00Z", 3_600_000), ("2h", 2_800_000), ("1h 30m", 4_600_000), ("90days", 0)]
        {
            assert_eq!(text.parse::<Moment>().unwrap().resolve(now), time, "{text}");
        }
        for text in ["", "yesterday", "2026-11-20", "5"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }

    #[test]
    fn any_number_can_be_shown_as_a_time() {
        assert_eq!(show(1_763_712_000_123), "2025-11-21T08:00:00Z");
        assert_eq!(show(-1), "-1");
        assert_eq!(show(i64::MAX), i64::MAX.to_string());
        assert_eq!(show(253_402_300_799_999), "9999-12-31T23:59:59Z");
    }
}
