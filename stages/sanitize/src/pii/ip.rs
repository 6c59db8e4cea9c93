//! IP addresses of version 4 and 6, distinguished from versions, times and code paths.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::boundary::{announced, is_word};

/// Words that announce four numbers that are not an address.
const OTHER_PHRASES: [&str; 16] = [
    "version",
    "versions",
    "ver",
    "v",
    "release",
    "build",
    "firmware",
    "section",
    "sections",
    "clause",
    "chapter",
    "figure",
    "table",
    "kapitel",
    "abschnitt",
    "oid",
];

/// One character more than the longest address.
const TOO_LONG: usize = 46;

/// The end of the address that begins at `at`.
pub(super) fn end(text: &str, at: usize) -> Option<usize> {
    let rest = &text.as_bytes()[at..];
    let mut length = 0;
    let mut colons = 0;
    let mut dots = 0;
    for byte in rest.iter().take(TOO_LONG) {
        match byte {
            b':' => colons += 1,
            b'.' => dots += 1,
            _ if byte.is_ascii_hexdigit() => {}
            _ => break,
        }
        length += 1;
    }
    if length == TOO_LONG || (colons < 2 && dots < 3) {
        return None;
    }
    let run = &text[at..at + length];
    if colons < 2 { v4_end(text, at, run) } else { v6_end(text, at, run) }
}

fn v4_end(text: &str, at: usize, run: &str) -> Option<usize> {
    // A port or a full stop may follow.
    let run = run.split(':').next().unwrap_or(run).trim_end_matches('.');
    let [first, rest @ ..] = run.parse::<Ipv4Addr>().ok()?.octets();
    let end = at + run.len();
    // Loopback addresses and whole networks identify nobody; `120.0.0.0` is mostly a browser version.
    if first == 127 || rest == [0, 0, 0] || text[end..].starts_with(is_word) {
        return None;
    }
    let mut before = text[..at].chars().rev();
    let opens = match before.next() {
        // The end of a range of addresses, not `name-1.2.3.4`.
        Some('-') => !before.next().is_some_and(char::is_alphabetic),
        Some('.') => !before.next().is_some_and(is_word),
        Some(c) => !is_word(c),
        None => true,
    };
    (opens && !announced(text, at, &OTHER_PHRASES)).then_some(end)
}

fn v6_end(text: &str, at: usize, run: &str) -> Option<usize> {
    let mut before = text[..at].chars().rev();
    let opens = match before.next() {
        Some('-' | ':' | '.') => !before.next().is_some_and(is_word),
        Some(c) => !is_word(c),
        None => true,
    };
    if !opens {
        return None;
    }
    let run = run.trim_end_matches('.');
    let run = if run.ends_with("::") { run } else { run.strip_suffix(':').unwrap_or(run) };
    let address: Ipv6Addr = run.parse().ok()?;
    if address.is_loopback() || address.is_unspecified() || !is_distinctive(run) {
        return None;
    }
    let end = at + run.len() + zone_length(&text[at + run.len()..]);
    (!text[end..].starts_with(is_word)).then_some(end)
}

/// Code paths (`a::b1`), slices (`[::2]`) and ratios parse as addresses too: requires a digit, and either several
/// groups or a complete first one.
fn is_distinctive(run: &str) -> bool {
    let groups = run.split(':').filter(|group| !group.is_empty()).count();
    let enough = match run.find("::") {
        Some(place) => groups >= 3 || place == 4 || run.contains('.'),
        None => run.len() >= "fe80:0:0:0:0:0:0:1".len(),
    };
    enough && run.bytes().any(|byte| byte.is_ascii_digit())
}

/// The length of a zone such as "%eth0".
fn zone_length(rest: &str) -> usize {
    let Some(zone) = rest.strip_prefix('%') else { return 0 };
    match zone.bytes().take_while(u8::is_ascii_alphanumeric).count() {
        0 => 0,
        length => 1 + length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        let at = text.find('>').map_or(0, |mark| mark + 1);
        end(text, at).map(|end| &text[at..end])
    }

    #[test]
    fn addresses_of_version_4_are_found() {
        for text in ["192.168.0.1", "255.255.255.255", "8.8.8.8", "1.2.3.4"] {
            assert_eq!(found(text), Some(text));
            for after in [".", ", ", ":8080", "/24", "-10", "]", ".\n"] {
                assert_eq!(found(&format!("{text}{after}")), Some(text), "{after}");
            }
        }
    }

    #[test]
    fn numbers_that_are_not_addresses_of_version_4_are_not_found() {
        for text in ["192.168.0", "256.1.1.1", "192.168.1.256", "1.2.3.4.5", "01.2.3.4", "192.168.1.1x", "1.2.3.4_5"] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn addresses_that_identify_nobody_are_not_found() {
        for text in ["127.0.0.1", "0.0.0.0", "10.0.0.0/8", "120.0.0.0", "::1", "::", "2001:db8::"] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn the_text_before_distinguishes_versions_from_addresses() {
        for before in ["Version ", "v. ", "see section ", "lib-", "1."] {
            let text = format!("{before}3.1.2.4");
            assert_eq!(end(&text, before.len()), None, "{text}");
        }
        for before in ["10.0.0.1-", "host/", "ip=", "from ", "://", "("] {
            let text = format!("{before}3.1.2.4");
            assert_eq!(end(&text, before.len()), Some(text.len()), "{text}");
        }
    }

    #[test]
    fn addresses_of_version_6_are_found() {
        for text in [
            "684D:1111:222:3333:4444:5555:6:77",
            "2400:c401::5054:ff:fe1b:b031",
            "fe80::1",
            "2001:db8::1",
            "2001:db8:1:2::",
            "::ffff:192.0.2.1",
            "64:ff9b::192.0.2.1",
            "0:0:0:0:0:FFFF:129.144.52.38",
            "fe80::1%eth0",
        ] {
            assert_eq!(found(text), Some(text));
            for after in [".", ", ", "]:80", "/64", " "] {
                assert_eq!(found(&format!("{text}{after}")), Some(text), "{after}");
            }
        }
        assert_eq!(found("2001:db8::1: up"), Some("2001:db8::1"));
    }

    #[test]
    fn times_ratios_and_code_paths_are_not_found() {
        for text in [
            "12:34:56",
            "1:2:3:4",
            "1:2:3:4:5:6:7:8",
            "aa:bb:cc:dd:ee:ff",
            "a::b1",
            "::2",
            "dead::beef",
            "fe80::1text",
            "12345:db8::1",
            "2001::db8::1",
            "684D:1111:222:3333:4444:5555:77",
            ":::",
            "2024:01:02",
            "abc:def:ab",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
        assert_eq!(found("std>::1"), None);
    }
}
