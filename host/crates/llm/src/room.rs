//! What a provider says is left of its limits, in the headers of an answer. Pure.

use reqwest::header::{HeaderMap, HeaderName};

use crate::rates::Dimension;

/// What is left of some limits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Room(pub(crate) Vec<(Dimension, u64)>);

impl Room {
    /// Reads `x-ratelimit-remaining-*`, `anthropic-ratelimit-*-remaining` and their like. What is not said, or said to be
    /// -1, or of a limit of 0 or -1, is not known.
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        let left = headers.keys().filter_map(|name| Some((dimension(name.as_str())?, remaining(headers, name)?)));
        Self(left.collect())
    }
}

/// The limit that a header speaks of.
fn dimension(name: &str) -> Option<Dimension> {
    let is_left = (name.contains("ratelimit") || name.contains("rate-limit")) && name.contains("remaining");
    if !is_left || ["second", "hour", "month"].iter().any(|period| name.contains(period)) {
        return None;
    }
    let a_day = name.contains("day");
    match (name.contains("token"), name.contains("req")) {
        (true, _) if name.contains("input") => Some(Dimension::InputTokensPerMinute).filter(|_| !a_day),
        (true, _) if name.contains("output") => Some(Dimension::OutputTokensPerMinute).filter(|_| !a_day),
        (true, _) if a_day => Some(Dimension::TokensPerDay),
        (true, _) => Some(Dimension::TokensPerMinute),
        (_, true) if a_day => Some(Dimension::RequestsPerDay),
        (_, true) => Some(Dimension::RequestsPerMinute),
        (false, false) => None,
    }
}

fn remaining(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let left: u64 = text(name.as_str())?.parse().ok()?;
    let limit = text(&name.as_str().replace("remaining", "limit")).map(str::parse::<i64>);
    let known = match limit {
        Some(limit) => limit.is_ok_and(|limit| limit > 0),
        // Some servers send zeros for what they do not know, and then no time either.
        None => {
            left > 0
                || text(&name.as_str().replace("remaining", "reset"))
                    .is_some_and(|reset| !matches!(reset, "" | "0" | "-1"))
        }
    };
    known.then_some(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dimension::{
        InputTokensPerMinute, OutputTokensPerMinute, RequestsPerDay, RequestsPerMinute, TokensPerDay, TokensPerMinute,
    };

    #[test]
    fn what_is_left_is_read_from_the_headers_of_every_provider() {
        for (headers, expected) in [
            (&[("x-ratelimit-remaining-requests", "12")][..], &[(RequestsPerMinute, 12)][..]),
            (
                &[("x-ratelimit-remaining-tokens", "900"), ("x-ratelimit-limit-tokens", "1000")],
                &[(TokensPerMinute, 900)],
            ),
            (&[("x-rate-limit-remaining-tokens", "9")], &[(TokensPerMinute, 9)]),
            (&[("anthropic-ratelimit-requests-remaining", "3")], &[(RequestsPerMinute, 3)]),
            (&[("anthropic-ratelimit-tokens-remaining", "5000")], &[(TokensPerMinute, 5_000)]),
            (&[("anthropic-ratelimit-input-tokens-remaining", "4")], &[(InputTokensPerMinute, 4)]),
            (&[("anthropic-ratelimit-output-tokens-remaining", "4")], &[(OutputTokensPerMinute, 4)]),
            (&[("x-ratelimit-remaining-requests-day", "7")], &[(RequestsPerDay, 7)]),
            (&[("x-ratelimit-remaining-tokens-day", "7")], &[(TokensPerDay, 7)]),
            (&[("x-ratelimit-remaining-tokens-minute", "7")], &[(TokensPerMinute, 7)]),
            (&[("x-ratelimit-remaining-requests-hour", "7")], &[]),
            (&[("x-ratelimit-remaining", "7")], &[]),
            (&[("x-ratelimit-limit-requests", "7"), ("x-ratelimit-reset-requests", "7")], &[]),
            (&[("x-ratelimit-remaining-requests", "-1")], &[]),
            (&[("x-ratelimit-remaining-requests", "soon")], &[]),
            // None left, and no word about any limit: not known.
            (&[("x-ratelimit-remaining-requests", "0")], &[]),
            (&[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "0")], &[]),
            (
                &[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "4s")],
                &[(RequestsPerMinute, 0)],
            ),
            (
                &[("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-limit-requests", "60")],
                &[(RequestsPerMinute, 0)],
            ),
            (&[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-limit-tokens", "0")], &[]),
            (&[("x-ratelimit-remaining-tokens", "5"), ("x-ratelimit-limit-tokens", "-1")], &[]),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, value.parse().unwrap());
            }
            assert_eq!(Room::read(&map).0, expected, "{headers:?}");
        }
    }
}
