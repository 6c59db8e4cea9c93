//! Durations and sizes as people write them: "1m30s", "64MiB".

use std::fmt;
use std::time::Duration;

/// What a duration looks like, for messages.
pub(super) const DURATION_FORM: &str = r#"durations look like "500ms", "2s", "1m30s" or "1h""#;
/// What a size looks like, for messages.
pub(super) const SIZE_FORM: &str = r#"sizes look like "64MiB", "512KiB", "1GB", or 4096 for plain bytes"#;

const DURATION_UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const SIZE_UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// So many bytes.
    #[must_use]
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many times 1024 bytes.
    #[must_use]
    pub const fn kib(kib: u64) -> Self {
        Self(kib.saturating_mul(1 << 10))
    }

    /// So many times 1024 KiB.
    #[must_use]
    pub const fn mib(mib: u64) -> Self {
        Self(mib.saturating_mul(1 << 20))
    }

    /// The number of bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of bytes, or the most that memory here can have.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for ByteSize {
    /// In the largest binary unit without a rest: "64MiB".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, bytes) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 >= bytes && self.0.is_multiple_of(bytes) {
                return write!(f, "{}{unit}", self.0 / bytes);
            }
        }
        write!(f, "{}B", self.0)
    }
}

/// Whole numbers, each with a unit, larger units first.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let mut milliseconds: u64 = 0;
    let mut rest = text;
    let mut units = DURATION_UNITS.iter();
    loop {
        let (number, behind) = split_number(rest)?;
        let name = &behind[..behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len())];
        // The iterator goes on where it stopped, so a unit can come neither twice nor before a larger one.
        let (_, factor) = units.find(|(unit, _)| *unit == name)?;
        milliseconds = milliseconds.checked_add(number.checked_mul(*factor)?)?;
        rest = &behind[name.len()..];
        if rest.is_empty() {
            return Some(Duration::from_millis(milliseconds));
        }
    }
}

/// A whole number and a unit.
pub(super) fn parse_size(text: &str) -> Option<ByteSize> {
    let (number, name) = split_number(text)?;
    let (_, factor) = SIZE_UNITS.iter().find(|(unit, _)| *unit == name)?;
    number.checked_mul(*factor).map(ByteSize)
}

fn split_number(text: &str) -> Option<(u64, &str)> {
    let (digits, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    Some((digits.parse().ok()?, rest))
}

/// The shortest way to write a duration, to the millisecond: "1m30s".
pub(super) fn show_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut shown = String::new();
    for (unit, factor) in DURATION_UNITS {
        if rest >= factor {
            shown.push_str(&format!("{}{unit}", rest / factor));
            rest %= factor;
        }
    }
    if shown.is_empty() { "0s".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let cases =
            [("500ms", 500), ("2s", 2_000), ("1m30s", 90_000), ("2m", 120_000), ("1h1ms", 3_600_001), ("0s", 0)];
        for (text, milliseconds) in cases {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in
            ["", "s", "5", "1.5s", "-1s", "+1s", "1 s", "1s1m", "1s1s", "1d", "1S", "99999999999999999999s", "²s"]
        {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let cases = [
            ("8MiB", 8 << 20),
            ("64KiB", 64 << 10),
            ("1GB", 1_000_000_000),
            ("5MB", 5_000_000),
            ("3KB", 3_000),
            ("1GiB", 1 << 30),
            ("7B", 7),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_size(text), Some(ByteSize::bytes(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "MiB", "8", "8mib", "8 MiB", "1.5GB", "-1B", "99999999999GiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        for milliseconds in [0, 1, 999, 1_000, 61_001, 3_600_000, 5_025_007] {
            let duration = Duration::from_millis(milliseconds);
            assert_eq!(parse_duration(&show_duration(duration)), Some(duration));
        }
        for bytes in [0, 1, 1_023, 1_024, 1_000_000, 1 << 20, 3 << 30] {
            let size = ByteSize::bytes(bytes);
            assert_eq!(parse_size(&size.to_string()), Some(size));
        }
    }
}
