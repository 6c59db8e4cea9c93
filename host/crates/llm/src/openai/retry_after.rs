//! How long a provider asks callers to wait, from the headers of its answer.

use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;

/// Longer waits are cut to this: asking too early costs one refused call, but believing a wrong date stops the
/// pipeline.
pub(super) const LONGEST: Duration = Duration::from_secs(300);

/// Reads `retry-after-ms`, or else `Retry-After` as seconds (possibly fractional) or as an HTTP date relative to `now`.
/// A time in the past is zero; an unreadable value is `None`.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let exact = text("retry-after-ms").and_then(|value| seconds(value, 1e-3));
    let wait = match (exact, text("retry-after")) {
        (Some(exact), _) => exact,
        (None, None) => return None,
        (None, Some(value)) => match seconds(value, 1.0) {
            Some(wait) => wait,
            None => httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or(Duration::ZERO),
        },
    };
    Some(wait.min(LONGEST))
}

fn seconds(value: &str, unit: f64) -> Option<Duration> {
    let number: f64 = value.parse().ok()?;
    if number.is_nan() {
        return None;
    }
    Some(Duration::from_secs_f64((number * unit).clamp(0.0, LONGEST.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let now = httpdate::parse_http_date("Wed, 21 Oct 2026 07:28:00 GMT").unwrap();
        retry_after(&map, now)
    }

    #[test]
    fn every_form_is_understood() {
        let ms = |n| Some(Duration::from_millis(n));
        for (headers, expected) in [
            (&[("retry-after-ms", "1500")][..], ms(1_500)),
            (&[("retry-after-ms", "250"), ("retry-after", "9")], ms(250)),
            (&[("retry-after-ms", "soon"), ("retry-after", "9")], ms(9_000)),
            (&[("retry-after", "7")], ms(7_000)),
            (&[("retry-after", " 0.25 ")], ms(250)),
            (&[("retry-after", "0")], ms(0)),
            (&[("retry-after", "-5")], ms(0)),
            (&[("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT")], ms(30_000)),
            (&[("retry-after", "Wed, 21 Oct 2026 07:27:00 GMT")], ms(0)),
            (&[("retry-after", "Wed, 21 Oct 2099 07:28:00 GMT")], Some(LONGEST)),
            (&[("retry-after", "1e300")], Some(LONGEST)),
            (&[("retry-after", "inf")], Some(LONGEST)),
            (&[("retry-after", "NaN")], None),
            (&[("retry-after", "later")], None),
            (&[], None),
        ] {
            assert_eq!(wait(headers), expected, "{headers:?}");
        }
    }
}
