//! How long a server asks callers to wait: in headers, in fields of an error, in its words. Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::delay::{self, LONGEST};

/// Words before a delay.
const WORDS: [&str; 7] = [
    "try again in",
    "try again after",
    "retry in",
    "retry after",
    "please wait",
    "available again in",
    "retry your request after",
];
/// How much of what a server says is searched for a delay, in bytes.
const MOST_WORDS: usize = 4 << 10;

/// What a server says about a refusal.
pub(crate) struct Refusal<'a> {
    pub(crate) headers: &'a HeaderMap,
    /// The error, if it is JSON.
    pub(crate) error: &'a Value,
    /// Its words for people.
    pub(crate) words: &'a str,
    /// When it was received.
    pub(crate) at: SystemTime,
}

impl Refusal<'_> {
    /// How long to wait: what the headers for it, fields of the error and its words say, in that order. The first one
    /// above zero counts.
    pub(crate) fn wait(&self) -> Option<Duration> {
        first([retry_after(self.headers, self.at), in_error(self.error), in_words(self.words)])
    }

    /// The same where a limit was met: then also the reset times of limits, which some servers send with every answer.
    pub(crate) fn wait_for_limit(&self) -> Option<Duration> {
        first([self.wait(), reset(self.headers, self.at)])
    }
}

/// Reads `retry-after-ms`, `x-ms-retry-after-ms`, or else `Retry-After` as seconds (possibly fractional, or with a unit)
/// or as an HTTP date relative to `now`. The first one above zero counts. A time in the past is zero; an unreadable value
/// is `None`.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let exact = |name| delay::bounded(text(headers, name)?.parse().ok()?, 1e-3);
    let usual = text(headers, "retry-after")
        .and_then(|value| delay::read(value, 1.0).or_else(|| Some(until(httpdate::parse_http_date(value).ok()?, now))));
    first([exact("retry-after-ms"), exact("x-ms-retry-after-ms"), usual])
}

/// The first wait above zero, or else zero if any is known.
fn first<const N: usize>(said: [Option<Duration>; N]) -> Option<Duration> {
    let known = said.into_iter().flatten();
    known.clone().find(|wait| !wait.is_zero()).or(known.min())
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn until(then: SystemTime, now: SystemTime) -> Duration {
    then.duration_since(now).unwrap_or_default().min(LONGEST)
}

/// `RetryInfo` of Google's APIs, or a field called like the header.
fn in_error(error: &Value) -> Option<Duration> {
    let details = error["details"].as_array().map(Vec::as_slice).unwrap_or_default();
    let google = details.iter().find_map(|detail| delay::read(detail["retryDelay"].as_str()?, 1.0));
    let field = |name: &str, unit| match &error[name] {
        Value::Number(number) => delay::bounded(number.as_f64()?, unit),
        Value::String(text) => delay::read(text, unit),
        _ => None,
    };
    google.or_else(|| field("retry_after_ms", 1e-3)).or_else(|| field("retry_after", 1.0))
}

/// "Please try again in 6m0s", "retry after 10 seconds".
fn in_words(said: &str) -> Option<Duration> {
    let mut end = said.len().min(MOST_WORDS);
    while !said.is_char_boundary(end) {
        end -= 1;
    }
    let said = said[..end].to_lowercase();
    for words in WORDS {
        for (at, _) in said.match_indices(words) {
            let behind = said[at + words.len()..].trim_start_matches([':', '~', ' ']);
            if let Some((wait, _)) = delay::leading(behind) {
                return Some(wait);
            }
        }
    }
    None
}

/// What is left of a limit, as far as a server says. In the order of how likely it is the one that was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Remaining {
    Some,
    Unknown,
    Nothing,
}

/// The reset time of the limit that was most likely met; of several like it, the longest. 0 and -1 are what some servers
/// send for "not known".
fn reset(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let mut most: Option<(Remaining, Duration)> = None;
    for (name, value) in headers {
        let name = name.as_str();
        if !name.contains("ratelimit") && !name.contains("rate-limit") || !name.contains("reset") {
            continue;
        }
        let Some(wait) = value.to_str().ok().and_then(|value| moment(value.trim(), now)) else { continue };
        let remaining = match text(headers, &name.replace("reset", "remaining")) {
            Some("0") => Remaining::Nothing,
            None | Some("-1") => Remaining::Unknown,
            Some(_) => Remaining::Some,
        };
        if !wait.is_zero() {
            most = most.max(Some((remaining, wait)));
        }
    }
    Some(most?.1)
}

/// A delay, or a moment: seconds or milliseconds since 1970, or RFC 3339.
fn moment(value: &str, now: SystemTime) -> Option<Duration> {
    match value.parse::<f64>() {
        Ok(number) if number >= 1e11 => Some(until(UNIX_EPOCH + whole(number * 1e-3)?, now)),
        Ok(number) if number >= 1e9 => Some(until(UNIX_EPOCH + whole(number)?, now)),
        Ok(number) => delay::bounded(number, 1.0),
        Err(_) => match humantime::parse_rfc3339_weak(value) {
            Ok(then) => Some(until(then, now)),
            Err(_) => delay::read(value, 1.0),
        },
    }
}

/// Seconds of a date that a clock can show.
fn whole(seconds: f64) -> Option<Duration> {
    (seconds < 1e11).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wait(headers: &[(&'static str, &'static str)], error: &Value, words: &str) -> Option<Duration> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let at = httpdate::parse_http_date("Wed, 21 Oct 2026 07:28:00 GMT").unwrap();
        Refusal { headers: &map, error, words, at }.wait_for_limit()
    }

    const fn ms(milliseconds: u64) -> Option<Duration> {
        Some(Duration::from_millis(milliseconds))
    }

    #[test]
    fn every_form_of_the_header_is_understood() {
        for (headers, expected) in [
            (&[("retry-after-ms", "1500")][..], ms(1_500)),
            (&[("retry-after-ms", "250"), ("retry-after", "9")], ms(250)),
            (&[("x-ms-retry-after-ms", "2500"), ("retry-after", "9")], ms(2_500)),
            (&[("retry-after-ms", "soon"), ("retry-after", "9")], ms(9_000)),
            (&[("retry-after-ms", "0"), ("retry-after", "9")], ms(9_000)),
            (&[("retry-after", "7")], ms(7_000)),
            (&[("retry-after", "7s")], ms(7_000)),
            (&[("retry-after", " 0.25 ")], ms(250)),
            (&[("retry-after", "0")], ms(0)),
            (&[("retry-after", "-5")], None),
            (&[("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT")], ms(30_000)),
            (&[("retry-after", "Wed, 21 Oct 2026 07:27:00 GMT")], ms(0)),
            (&[("retry-after", "Wed, 21 Oct 2099 07:28:00 GMT")], Some(LONGEST)),
            (&[("retry-after", "1e300")], Some(LONGEST)),
            (&[("retry-after", "inf")], Some(LONGEST)),
            (&[("retry-after", "NaN")], None),
            (&[("retry-after", "later")], None),
            (&[], None),
        ] {
            assert_eq!(wait(headers, &Value::Null, ""), expected, "{headers:?}");
        }
    }

    #[test]
    fn the_reset_of_what_is_used_up_counts_else_the_longest() {
        const REQUESTS: &str = "x-ratelimit-reset-requests";
        const TOKENS: &str = "x-ratelimit-reset-tokens";
        for (headers, expected) in [
            (&[(TOKENS, "4s")][..], ms(4_000)),
            (&[(TOKENS, "59.70s")], ms(59_700)),
            (&[(TOKENS, "17ms")], ms(17)),
            (&[(TOKENS, "1m2s"), (REQUESTS, "20ms")], ms(62_000)),
            (&[(TOKENS, "1m2s"), (REQUESTS, "20ms"), ("x-ratelimit-remaining-requests", "0")], ms(20)),
            (&[(TOKENS, "1m2s"), (REQUESTS, "20ms"), ("x-ratelimit-remaining-tokens", "5")], ms(20)),
            (&[(TOKENS, "1m2s"), ("x-ratelimit-remaining-tokens", "5")], ms(62_000)),
            (&[(TOKENS, "6m0s"), ("x-ratelimit-remaining-tokens", "0")], Some(LONGEST)),
            (&[(TOKENS, "0"), (REQUESTS, "-1")], None),
            (&[("x-rate-limit-reset-tokens", "9")], ms(9_000)),
            (&[("x-ratelimit-reset", "1792567690")], ms(10_000)),
            (&[("x-ratelimit-reset", "1792567690500")], ms(10_500)),
            (&[("anthropic-ratelimit-tokens-reset", "2026-10-21T07:28:12Z")], ms(12_000)),
            (&[("x-ratelimit-reset", "1e30")], None),
            (&[(TOKENS, "4s"), ("retry-after", "2")], ms(2_000)),
            (&[(TOKENS, "4s"), ("retry-after", "0")], ms(4_000)),
            (&[("x-ratelimit-limit-tokens", "100")], None),
        ] {
            assert_eq!(wait(headers, &Value::Null, ""), expected, "{headers:?}");
        }
    }

    #[test]
    fn the_words_of_a_server_say_how_long() {
        for (words, expected) in [
            ("Rate limit reached: Limit 30000. Please try again in 4s. Visit …", ms(4_000)),
            ("Please try again in 1m30.5s.", ms(90_500)),
            ("Please try again in 250ms.", ms(250)),
            ("Please retry in 20.5s.", ms(20_500)),
            ("Please retry after 27 seconds.", ms(27_000)),
            ("Retry after 1 second", ms(1_000)),
            ("TRY AGAIN IN: 6 minutes", Some(LONGEST)),
            ("try again in 3 days", Some(LONGEST)),
            ("Please try again later, or try again in 5 s", ms(5_000)),
            ("try again in a moment", None),
            ("the limit is 4s", None),
        ] {
            assert_eq!(wait(&[], &Value::Null, words), expected, "{words}");
        }
        assert_eq!(wait(&[], &Value::Null, &("é".repeat(MOST_WORDS) + "try again in 4s")), None);
        assert_eq!(wait(&[("retry-after", "2")], &Value::Null, "try again in 4s"), ms(2_000));
    }

    #[test]
    fn a_field_of_the_error_says_how_long() {
        let google = json!({"details": [{"@type": "x/QuotaFailure"}, {"@type": "x/RetryInfo", "retryDelay": "36s"}]});
        assert_eq!(wait(&[], &google, "retry in 5s"), ms(36_000));
        assert_eq!(wait(&[("retry-after", "7")], &google, ""), ms(7_000));
        assert_eq!(wait(&[], &json!({"retry_after": 1.5}), ""), ms(1_500));
        assert_eq!(wait(&[], &json!({"retry_after_ms": "800"}), ""), ms(800));
        assert_eq!(wait(&[], &json!({"retry_after": null, "details": {}}), ""), None);
    }
}
