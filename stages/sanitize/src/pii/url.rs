//! Credentials in URLs: `scheme://user:password@host`, and `jdbc:oracle:thin:user/password@host`.

use std::ops::Range;

use crate::kind::Kind;
use crate::sweep::Sweep;

/// Reports the part between "//" and "@" if it contains a password.
pub(super) fn scan(text: &str, report: &mut dyn FnMut(Kind, Range<usize>)) {
    for colon in Sweep::new(text.as_bytes(), |eight| eight.equal(b':')) {
        if !text[colon..].starts_with("://") {
            if let Some(range) = oracle(text, colon) {
                report(Kind::UrlCredentials, range);
            }
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

/// User and password behind the last colon of the scheme of Oracle, which may be in any letter case.
fn oracle(text: &str, colon: usize) -> Option<Range<usize>> {
    let is_scheme = ["jdbc:oracle:thin", "jdbc:oracle:oci", "jdbc:oracle:oci8"].iter().any(|scheme| {
        let start = colon.checked_sub(scheme.len()).and_then(|start| text.get(start..colon));
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    if !is_scheme {
        return None;
    }
    let start = colon + 1;
    let user = text[start..].split(|c: char| ends_authority(c) || c == '@').next().unwrap_or_default();
    let rest = text[start + user.len()..].strip_prefix('/')?;
    let (password, _) = rest.split(ends_authority).next().unwrap_or_default().rsplit_once('@')?;
    let has_both = !user.is_empty() && !password.is_empty() && !password.contains(']');
    has_both.then_some(start..start + user.len() + 1 + password.len())
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
        assert_eq!(found("url=jdbc:oracle:thin:app/p@ss@//db:1521/x"), ["app/p@ss"]);
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
            "jdbc:oracle:thin:@db:1521/x",
            "jdbc:oracle:thin:/@db",
            "jdbc:other:thin:a/b@db",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }
}
