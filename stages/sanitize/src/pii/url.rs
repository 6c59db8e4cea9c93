//! Credentials in URLs: `scheme://user:password@host`.

use std::ops::Range;

use crate::kind::Kind;
use crate::sweep::Sweep;

/// Reports the part between "//" and "@" if it contains a password.
pub(super) fn scan(text: &str, report: &mut dyn FnMut(Kind, Range<usize>)) {
    for colon in Sweep::new(text.as_bytes(), |eight| eight.equal(b':')) {
        if !text[colon..].starts_with("://") {
            continue;
        }
        let has_scheme = text[..colon].ends_with(|c: char| c.is_ascii_alphanumeric());
        let start = colon + "://".len();
        let authority = text[start..].split(ends_authority).next().unwrap_or_default();
        // A password may contain an "@" that was not escaped, a host cannot.
        let Some((user_info, _)) = authority.rsplit_once('@') else {
            continue;
        };
        let has_password = user_info.split_once(':').is_some_and(|(_, password)| !password.is_empty());
        // A placeholder in here may have replaced data with spaces: a match would join what was separate.
        let has_placeholder = user_info.contains(']');
        if has_scheme && has_password && !has_placeholder {
            report(Kind::UrlCredentials, start..start + user_info.len());
        }
    }
}

fn ends_authority(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>' | '`' | '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut all = Vec::new();
        scan(text, &mut |_, range| all.push(&text[range]));
        all
    }

    #[test]
    fn user_and_password_before_a_host_are_found() {
        assert_eq!(found("see https://joe:s3cret@example.com/a?b"), ["joe:s3cret"]);
        assert_eq!(found("postgres://app:p@ss@db:5432/x redis://:pw@cache"), ["app:p@ss", ":pw"]);
    }

    #[test]
    fn urls_without_a_password_are_not_found() {
        for text in [
            "https://example.com",
            "https://joe@example.com",
            "http://host:80/a@b",
            "://a:b@c",
            "http://joe:@host",
            "http://host and a:b@c",
            "http://[IBAN]:x@host",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }
}
