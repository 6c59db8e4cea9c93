//! Durations and sizes as people write them: "1m30s", "64MiB".

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const DURATION_UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const SIZE_UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

/// How a duration is written, for messages.
const DURATION_FORM: &str = r#"durations look like "500ms", "2s", "1m30s", "1h" or "30d""#;
/// How a size is written, for messages.
const SIZE_FORM: &str = r#"sizes look like "64MiB", "512KiB", "1GB", or 4096 for plain bytes"#;

/// The text is not a duration or a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoQuantity(&'static str);

/// A duration in whole milliseconds, written as "1m30s".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = NoQuantity;

    /// Whole numbers, each with a unit, larger units first.
    fn from_str(text: &str) -> Result<Self, NoQuantity> {
        parse_duration(text).map(Self).ok_or(NoQuantity(DURATION_FORM))
    }
}

impl fmt::Display for Span {
    /// The shortest form, to the millisecond: "1m30s".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, factor) in DURATION_UNITS {
            if rest >= factor {
                write!(f, "{}{unit}", rest / factor)?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "span",
            "pattern": "^(?=[0-9])([0-9]{1,6}d)?([0-9]{1,9}h)?([0-9]{1,9}m(?!s))?([0-9]{1,12}s)?([0-9]{1,15}ms)?$",
            "x-noun": "duration",
            "x-form": DURATION_FORM,
        })
    }
}

/// For fields of type `Duration`: `#[serde(with = "span")]`.
pub mod span {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Span;

    /// Writes a duration as a [`Span`].
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        Span(*duration).serialize(serializer)
    }

    /// Reads a duration written as a [`Span`].
    ///
    /// # Errors
    /// If it is not a duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Span::deserialize(deserializer).map(|span| span.0)
    }
}

/// A number of bytes, written as "64MiB" or as a plain integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// This many bytes.
    #[must_use]
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// This many times 1024 bytes.
    #[must_use]
    pub const fn kib(kib: u64) -> Self {
        Self(kib.saturating_mul(1 << 10))
    }

    /// This many times 1024 KiB.
    #[must_use]
    pub const fn mib(mib: u64) -> Self {
        Self(mib.saturating_mul(1 << 20))
    }

    /// The number of bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of bytes, capped at what a `usize` can hold.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = NoQuantity;

    /// A whole number and a unit.
    fn from_str(text: &str) -> Result<Self, NoQuantity> {
        parse_size(text).ok_or(NoQuantity(SIZE_FORM))
    }
}

impl fmt::Display for ByteSize {
    /// In the largest binary unit that divides it evenly: "64MiB".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, bytes) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 >= bytes && self.0.is_multiple_of(bytes) {
                return write!(f, "{}{unit}", self.0 / bytes);
            }
        }
        write!(f, "{}B", self.0)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Size;

        impl Visitor<'_> for Size {
            type Value = ByteSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size: ")?;
                f.write_str(SIZE_FORM)
            }

            fn visit_u64<E: Error>(self, bytes: u64) -> Result<ByteSize, E> {
                Ok(ByteSize(bytes))
            }

            fn visit_i64<E: Error>(self, bytes: i64) -> Result<ByteSize, E> {
                u64::try_from(bytes).map(ByteSize).map_err(|_| E::custom(SIZE_FORM))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ByteSize, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Size)
    }
}

impl JsonSchema for ByteSize {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "format": "size",
            "pattern": "^[0-9]{1,9}(B|KB|KiB|MB|MiB|GB|GiB)$|^[0-9]{10,18}B$",
            "minimum": 0,
            "x-noun": "size",
            "x-form": SIZE_FORM,
        })
    }
}

fn parse_duration(text: &str) -> Option<Duration> {
    let mut milliseconds: u64 = 0;
    let mut rest = text;
    let mut units = DURATION_UNITS.iter();
    loop {
        let (number, behind) = split_number(rest)?;
        let name = &behind[..behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len())];
        // The iterator continues where it stopped, so a unit can neither repeat nor precede a larger one.
        let (_, factor) = units.find(|(unit, _)| *unit == name)?;
        milliseconds = milliseconds.checked_add(number.checked_mul(*factor)?)?;
        rest = &behind[name.len()..];
        if rest.is_empty() {
            return Some(Duration::from_millis(milliseconds));
        }
    }
}

fn parse_size(text: &str) -> Option<ByteSize> {
    let (number, name) = split_number(text)?;
    let (_, factor) = SIZE_UNITS.iter().find(|(unit, _)| *unit == name)?;
    number.checked_mul(*factor).map(ByteSize)
}

fn split_number(text: &str) -> Option<(u64, &str)> {
    let (digits, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let cases = [
            ("500ms", 500),
            ("2s", 2_000),
            ("1m30s", 90_000),
            ("2m", 120_000),
            ("1h1ms", 3_600_001),
            ("30d", 2_592_000_000),
            ("0s", 0),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_rejected() {
        for text in
            ["", "s", "5", "1.5s", "-1s", "+1s", "1 s", "1s1m", "1s1s", "1h1d", "1S", "99999999999999999999s", "²s"]
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
    fn what_is_no_size_is_rejected() {
        for text in ["", "MiB", "8", "8mib", "8 MiB", "1.5GB", "-1B", "99999999999GiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        for milliseconds in [0, 1, 999, 1_000, 61_001, 3_600_000, 5_025_007, 90_000_000] {
            let span = Span(Duration::from_millis(milliseconds));
            assert_eq!(span.to_string().parse(), Ok(span));
        }
        for bytes in [0, 1, 1_023, 1_024, 1_000_000, 1 << 20, 3 << 30] {
            let size = ByteSize::bytes(bytes);
            assert_eq!(size.to_string().parse(), Ok(size));
        }
    }

    #[test]
    fn json_holds_a_size_as_text_or_as_a_number() {
        let size = |json: &str| serde_json::from_str::<ByteSize>(json).ok();
        assert_eq!(size("\"1KiB\""), Some(ByteSize::kib(1)));
        assert_eq!(size("1024"), Some(ByteSize::kib(1)));
        assert_eq!((size("-1"), size("\"1\""), size("1.0")), (None, None, None));
        assert_eq!(serde_json::to_string(&ByteSize::kib(1)).unwrap(), "\"1KiB\"");
    }
}
