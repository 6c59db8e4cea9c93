//! Delays as servers write them: "6m0s", "20.5s", "250ms", "4 seconds". Pure.

use std::time::Duration;

/// Longer waits are cut to this: asking too early costs one refused call, but believing a wrong date stops the
/// pipeline.
pub(crate) const LONGEST: Duration = Duration::from_secs(300);

/// A delay and nothing else. A bare number has this many seconds to its unit.
pub(crate) fn read(text: &str, unit: f64) -> Option<Duration> {
    let text = text.trim();
    if let Ok(number) = text.parse() {
        return bounded(number, unit);
    }
    let (delay, rest) = leading(text)?;
    rest.is_empty().then_some(delay)
}

/// The delay that a text begins with, in numbers with units, and what follows it.
pub(crate) fn leading(text: &str) -> Option<(Duration, &str)> {
    let mut sum: Option<Duration> = None;
    let mut rest = text;
    loop {
        let behind = rest.trim_start();
        let digits = behind.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(behind.len());
        let word = behind[digits..].trim_start();
        let letters = word.find(|c: char| !c.is_alphabetic()).unwrap_or(word.len());
        let part = behind[..digits].parse().ok().zip(unit(&word[..letters]));
        let Some((number, unit)) = part else { return Some((sum?, rest)) };
        sum = Some(sum.unwrap_or_default().saturating_add(bounded(number, unit)?).min(LONGEST));
        rest = &word[letters..];
    }
}

/// The seconds of a unit.
fn unit(word: &str) -> Option<f64> {
    Some(match word {
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" | "millisecond" | "milliseconds" => 1e-3,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    })
}

/// At most [`LONGEST`]. Less than zero is what some servers send for "not known".
pub(crate) fn bounded(number: f64, unit: f64) -> Option<Duration> {
    let seconds = number * unit;
    (seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(LONGEST.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_delay_is_read() {
        for (text, milliseconds) in [
            ("7", Some(7_000)),
            (" 0.25 ", Some(250)),
            ("-5", None),
            ("1s", Some(1_000)),
            ("36s", Some(36_000)),
            ("20.5s", Some(20_500)),
            ("17ms", Some(17)),
            ("6m0s", Some(300_000)),
            ("1m30.951s", Some(90_951)),
            ("2m", Some(120_000)),
            ("4 seconds", Some(4_000)),
            ("1 minute 5 s", Some(65_000)),
            ("1h", Some(300_000)),
            ("2d3h", Some(300_000)),
            ("1e300", Some(300_000)),
            ("NaN", None),
            ("soon", None),
            ("4 apples", None),
            ("4s or so", None),
            ("1.2.3s", None),
            ("s", None),
            ("", None),
        ] {
            assert_eq!(read(text, 1.0), milliseconds.map(Duration::from_millis), "{text}");
        }
        assert_eq!(read("1500", 1e-3), Some(Duration::from_millis(1_500)));
    }

    #[test]
    fn a_delay_ends_where_other_words_begin() {
        assert_eq!(leading("4s. Visit us"), Some((Duration::from_secs(4), ". Visit us")));
        assert_eq!(leading("1m3s for 2 tokens"), Some((Duration::from_secs(63), " for 2 tokens")));
        assert_eq!(leading("a moment"), None);
    }
}
