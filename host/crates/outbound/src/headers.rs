//! Headers that a stage may send, and those that it gets to see.

use reqwest::header::{HeaderMap, HeaderName};

/// The most headers of a request, and of an answer; more are dropped there.
const MOST: usize = 64;
/// The bytes of all of them.
const MOST_BYTES: usize = 16 << 10;

/// Those of the connection, which frame the message: the host sets them.
const OF_THE_CONNECTION: [&str; 13] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Those of answers that are nobody's business but a browser's or a connection's.
const OF_ANSWERS: [&str; 12] = [
    "alt-svc",
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "set-cookie",
    "set-cookie2",
    "strict-transport-security",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Set by the host where answers are kept.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The name of a header that a stage wants to send.
///
/// # Errors
/// Why it may not, in words.
pub(crate) fn name(text: &str) -> Result<HeaderName, String> {
    // What is shown is escaped: it may hold line breaks.
    let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| format!("{text:?} is no name of a header"))?;
    match OF_THE_CONNECTION.contains(&name.as_str()) || name.as_str().starts_with("proxy-") {
        true => Err(format!("the header {name} belongs to the connection, and the host sets it")),
        false => Ok(name),
    }
}

/// Whether so many headers of so many bytes may be sent.
///
/// # Errors
/// That there are too many.
pub(crate) fn fit(headers: &[(String, String)]) -> Result<(), String> {
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    match headers.len() > MOST || bytes > MOST_BYTES {
        true => Err(format!("it has more than {MOST} headers, or more than {} KiB of them", MOST_BYTES >> 10)),
        false => Ok(()),
    }
}

/// The headers of an answer that a stage gets.
pub(crate) fn shown(headers: &HeaderMap) -> Vec<(String, String)> {
    let (mut shown, mut bytes) = (Vec::new(), 0);
    for (name, value) in headers {
        let Ok(value) = value.to_str() else { continue };
        bytes += name.as_str().len() + value.len();
        if shown.len() == MOST || bytes > MOST_BYTES {
            break;
        }
        if !OF_ANSWERS.contains(&name.as_str()) {
            shown.push((name.as_str().to_owned(), value.to_owned()));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn nothing_that_frames_the_message_is_sent() {
        for refused in [
            "Host",
            "transfer-encoding",
            "Content-Length",
            "CONNECTION",
            "te",
            "Upgrade",
            "Proxy-Anything",
            "x\r\nhost",
            "x: y",
            "",
            "x y",
            "x\u{e9}",
        ] {
            let error = name(refused).unwrap_err();
            assert!(!error.contains(['\r', '\n']), "{error:?}");
        }
        assert_eq!(name("X-Request").unwrap().as_str(), "x-request");
        assert!(fit(&vec![("a".into(), "b".into()); 65]).is_err());
        assert!(fit(&[("a".into(), "b".repeat(MOST_BYTES))]).is_err());
    }

    #[test]
    fn cookies_and_what_belongs_to_the_connection_are_not_shown() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("set-cookie", "a=b"), ("connection", "close"), ("etag", "x"), ("content-type", "a/b")] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers.append("binary", HeaderValue::from_bytes(&[200]).unwrap());
        let names: Vec<_> = shown(&headers).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["etag", "content-type"]);
    }
}
