//! What clients write, checked, and what they read: attributes, keys, moments.

use std::time::Duration;

use axum::http::HeaderMap;
use gristmill_core::model::{Attribute, Day, IdempotencyKey, JobId, Timestamp};
use gristmill_core::settings::Span;

use super::problem::{Kind, Problem};

/// The most attributes of a job that a client may give.
pub(crate) const MOST_ATTRIBUTES: usize = 100;
/// The longest name of one, in bytes.
const LONGEST_NAME: usize = 100;
/// The longest value of one, in bytes.
pub(crate) const LONGEST_VALUE: usize = 4 << 10;
/// The most that all of them hold together, in bytes. They travel with every item of the job.
const MOST_BYTES: usize = 16 << 10;
/// The longest idempotency key, and the longest key of an event, in bytes.
const LONGEST_KEY: usize = 255;
/// The longest time that a request waits for the end of its job.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// What the header of an attribute begins with.
const ATTRIBUTE: &str = "gristmill-attribute-";
/// What the names of the host's own attributes begin with.
const OURS: &str = "sys.";

/// The attributes in the headers of a request.
pub(crate) fn attributes(headers: &HeaderMap) -> Result<Vec<Attribute>, Problem> {
    let mut found = Vec::new();
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix(ATTRIBUTE) else { continue };
        let value = std::str::from_utf8(value.as_bytes())
            .map_err(|_| bad(format!("the attribute {name} is not text in UTF-8")))?;
        found.push(Attribute { name: name.to_owned(), value: value.to_owned() });
    }
    checked(found)
}

/// The same attributes, if they are good: names are in lower case, each there once.
pub(crate) fn checked(mut attributes: Vec<Attribute>) -> Result<Vec<Attribute>, Problem> {
    if attributes.len() > MOST_ATTRIBUTES {
        return Err(bad(format!("there are {} attributes; at most {MOST_ATTRIBUTES} are allowed", attributes.len())));
    }
    for Attribute { name, value } in &attributes {
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(legal) {
            return Err(bad(format!(
                "{name:?} is no name of an attribute: up to {LONGEST_NAME} of a-z, 0-9, \"-\", \"_\" and \".\""
            )));
        }
        if name.starts_with(OURS) {
            return Err(bad(format!("the attribute {name} is the host's own; choose a name without \"{OURS}\"")));
        }
        if value.len() > LONGEST_VALUE || value.chars().any(char::is_control) {
            return Err(bad(format!(
                "the value of the attribute {name} has to be one line of at most {LONGEST_VALUE} bytes"
            )));
        }
    }
    if attributes.iter().map(|attribute| attribute.name.len() + attribute.value.len()).sum::<usize>() > MOST_BYTES {
        return Err(bad(format!("the attributes hold more than {MOST_BYTES} bytes together")));
    }
    attributes.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    match attributes.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some(pair) => Err(bad(format!("the attribute {} is there twice", pair[0].name))),
        None => Ok(attributes),
    }
}

/// The idempotency key of a request: as it is, or quoted as the draft of the IETF has it.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let legal = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if values.next().is_some() || text.is_empty() || text.len() > LONGEST_KEY || !text.bytes().all(legal) {
        return Err(bad(format!(
            "Idempotency-Key has to be there once, with 1 to {LONGEST_KEY} printable characters without spaces, quotes \
             and backslashes, for example a UUID"
        )));
    }
    Ok(Some(IdempotencyKey(text.to_owned())))
}

/// A key of an event.
pub(crate) fn event_key(key: Option<String>) -> Result<Option<bytes::Bytes>, Problem> {
    match key {
        Some(key) if key.is_empty() || key.len() > LONGEST_KEY || key.chars().any(char::is_control) => {
            Err(bad(format!("key has to be one line of 1 to {LONGEST_KEY} bytes")))
        }
        key => Ok(key.map(bytes::Bytes::from)),
    }
}

/// A media type, as headers have it.
pub(crate) fn media_type(text: &str) -> Result<String, Problem> {
    let (name, _) = text.split_once(';').unwrap_or((text, ""));
    let is_token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    let is_type = name.trim().split_once('/').is_some_and(|(kind, sub)| is_token(kind) && is_token(sub));
    let is_printable = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    match is_type && is_printable && text.len() <= LONGEST_KEY {
        true => Ok(text.to_owned()),
        false => Err(bad(format!("{text:?} is no media type, such as application/pdf"))),
    }
}

/// How long a request waits for the end of its job.
pub(crate) fn wait(text: Option<String>) -> Result<Option<Duration>, Problem> {
    let Some(text) = text else { return Ok(None) };
    match text.parse::<Span>() {
        Ok(Span(wait)) if wait <= LONGEST_WAIT => Ok(Some(wait)),
        Ok(_) => Err(bad("wait is at most 60s; follow the job afterwards".to_owned())),
        Err(error) => Err(bad(format!("wait={text:?}: {error}"))),
    }
}

/// The id of a job in a path.
pub(crate) fn job(id: &str) -> Result<JobId, Problem> {
    JobId::read(id).ok_or_else(|| no_job(id))
}

/// The answer to somebody who asks for a job that does not exist, or of which they may not know.
pub(crate) fn no_job(id: &str) -> Problem {
    let shown: String = id.chars().filter(|c| !c.is_control()).take(200).collect();
    Problem::new(Kind::NotFound, format!("there is no job {shown:?}"))
}

/// A moment as RFC 3339 has it, to the millisecond.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let passed = Day::passed(at);
    let seconds = passed.as_secs();
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{}T{hours:02}:{minutes:02}:{:02}.{:03}Z", Day::of(at), seconds % 60, passed.subsec_millis())
}

/// An id within a path: what no segment may have is percent-encoded.
pub(crate) fn segment(id: &str) -> String {
    let mut encoded = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

fn bad(detail: String) -> Problem {
    Problem::new(Kind::BadRequest, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn attributes_are_named_once_in_lower_case_and_never_as_ours() {
        let good = attributes(&headers(&[("gristmill-attribute-b.c", "2"), ("Gristmill-Attribute-A", "ä")])).unwrap();
        let shown: Vec<_> = good.iter().map(|found| (found.name.as_str(), found.value.as_str())).collect();
        assert_eq!(shown, [("a", "ä"), ("b.c", "2")]);
        for (name, value, expected) in [
            ("sys.tenant", "evil", "host's own"),
            ("", "x", "no name"),
            ("A", "x", "no name"),
            ("a", "x\r\nsys.tenant: evil", "one line"),
            ("a", &"x".repeat(4097), "one line"),
        ] {
            let found = checked(vec![Attribute { name: name.into(), value: value.into() }]).unwrap_err();
            assert!(found.detail.contains(expected), "{name}: {found}");
        }
        let twice = Attribute { name: "a".into(), value: String::new() };
        assert!(checked(vec![twice.clone(), twice.clone()]).unwrap_err().detail.contains("twice"));
        assert!(checked(vec![twice; 101]).unwrap_err().detail.contains("101"));
    }

    #[test]
    fn a_key_is_the_same_with_and_without_quotes() {
        let key = |value| idempotency_key(&headers(&[("idempotency-key", value)]));
        assert_eq!(key("\"abc\"").unwrap(), key("abc").unwrap());
        for wrong in ["", "\"\"", "a b", "a\"b", &"k".repeat(256)] {
            assert!(key(wrong).is_err(), "{wrong:?}");
        }
        assert!(idempotency_key(&headers(&[("idempotency-key", "a"), ("idempotency-key", "a")])).is_err());
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn a_media_type_cannot_carry_another_header() {
        assert!(media_type("text/plain; charset=utf-8").is_ok());
        for wrong in ["", "text", "text/", "/plain", "text/plain\r\nx: y", "a b/c"] {
            assert!(media_type(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn moments_and_ids_are_written_for_the_web() {
        assert_eq!(rfc3339(Timestamp(1_795_737_601_042)), "2026-11-27T00:00:01.042Z");
        assert_eq!(segment("p/in/3/42"), "p%2Fin%2F3%2F42");
    }

    #[test]
    fn nobody_waits_for_longer_than_a_minute() {
        assert_eq!(wait(Some("10s".into())).unwrap(), Some(Duration::from_secs(10)));
        assert!(wait(Some("2m".into())).is_err() && wait(Some("soon".into())).is_err());
    }
}
