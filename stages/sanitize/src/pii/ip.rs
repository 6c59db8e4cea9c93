//! IP addresses of version 4 and 6, distinguished from versions, times and code paths.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::boundary::is_word;
use super::label::Found;
use super::words::Label;

/// Words before a "/" that are the owner of an address, not the name of a program.
const OWNERS: [&str; 22] = [
    "host", "ip", "client", "peer", "addr", "address", "src", "dst", "source", "dest", "from", "to", "inet", "server",
    "node", "remote", "gateway", "proxy", "http", "https", "tcp", "udp",
];

/// Words after four numbers that are a version.
const VERSION_ENDS: [&str; 7] = ["release", "version", "build", "beta", "alpha", "update", "patch"];

/// What a version may have behind it, and the endings of files.
const VERSION_MARKS: [&str; 24] = [
    "beta", "alpha", "rc", "snapshot", "release", "final", "ga", "dev", "preview", "hotfix", "tar", "tgz", "zip", "gz",
    "jar", "war", "exe", "msi", "dll", "so", "deb", "rpm", "whl", "apk",
];

/// One character more than the longest address.
const TOO_LONG: usize = 46;

/// The end of the address that begins at `at`.
pub(super) fn end(text: &str, at: usize, label: impl Fn() -> Option<Found>) -> Option<usize> {
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
    if (colons, dots) == (0, 0) && matches!(rest.get(length), Some(b'[' | b'(')) {
        return defanged_end(text, at);
    }
    if length == TOO_LONG || (colons < 2 && dots < 3) {
        return None;
    }
    let run = &text[at..at + length];
    if colons < 2 { v4_end(text, at, run, label) } else { v6_end(text, at, run) }
}

/// The end of an address that nobody shall follow: `192[.]0[.]2[.]7`.
fn defanged_end(text: &str, at: usize) -> Option<usize> {
    let mut plain = String::new();
    let mut rest = &text[at..];
    loop {
        let digits = rest.bytes().take(3).take_while(u8::is_ascii_digit).count();
        plain.push_str(&rest[..digits]);
        rest = &rest[digits..];
        if plain.bytes().filter(|byte| *byte == b'.').count() == 3 {
            break;
        }
        rest = ["[.]", "(.)", "[dot]", "."].iter().find_map(|dot| rest.strip_prefix(dot))?;
        plain.push('.');
    }
    let octets = plain.parse::<Ipv4Addr>().ok()?.octets();
    let bounded = !text[..at].ends_with(is_word) && !rest.starts_with(is_word);
    (bounded && !identifies_nobody(octets)).then_some(text.len() - rest.len())
}

fn v4_end(text: &str, at: usize, run: &str, label: impl Fn() -> Option<Found>) -> Option<usize> {
    // A port or a full stop may follow.
    let run = run.split(':').next().unwrap_or(run).trim_end_matches('.');
    let octets = run.parse::<Ipv4Addr>().ok()?.octets();
    let end = at + run.len();
    if identifies_nobody(octets) || text[end..].starts_with(is_word) {
        return None;
    }
    let before = &text[..at];
    let mut chars = before.chars().rev();
    let opens = match chars.next() {
        // The end of a range of addresses, not `name-1.2.3.4` or the path of a USB device.
        Some('-') => {
            let first = before
                .trim_end_matches('-')
                .rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '.')
                .next()
                .unwrap_or_default();
            first.is_empty() || first.parse::<Ipv4Addr>().is_ok()
        }
        Some('.') => !chars.next().is_some_and(is_word),
        // `peer_10.0.0.5`, but not `lib_1.2.3.4.so`.
        Some('_') => !text[end..].starts_with('.') || !text[end + 1..].starts_with(char::is_alphanumeric),
        // `^1.2.3.4`, `~> 1.2.3.4`.
        Some('^' | '~' | '§') => false,
        Some(c) => !is_word(c),
        None => true,
    };
    (opens && !is_version(before, &text[end..], octets, label)).then_some(end)
}

/// Loopback addresses, whole networks and masks; `120.0.0.0` is mostly a browser version.
fn identifies_nobody(octets: [u8; 4]) -> bool {
    let [first, rest @ ..] = octets;
    let bits = u32::from_be_bytes(octets);
    let is_mask = first == 255 && bits.leading_ones() + bits.trailing_zeros() == 32 && bits != u32::MAX;
    // The root of most object identifiers.
    first == 127 || rest == [0, 0, 0] || is_mask || octets == [1, 3, 6, 1]
}

/// Whether the text around it says that it is a version or a section.
fn is_version(before: &str, after: &str, octets: [u8; 4], label: impl Fn() -> Option<Found>) -> bool {
    let next = after.trim_start_matches([' ', '(']);
    if next.len() < after.len()
        && VERSION_ENDS.iter().any(|word| next.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))
    {
        return true;
    }
    // `1.2.3.4-beta`, `1.2.3.4.tar.gz`.
    let mark = after.strip_prefix(['-', '.', '_']).unwrap_or_default();
    let mark = &mark[..mark.bytes().take_while(u8::is_ascii_alphabetic).count()];
    if VERSION_MARKS.iter().any(|known| mark.eq_ignore_ascii_case(known)) {
        return true;
    }
    let is_private = matches!(
        octets,
        [10, ..] | [192, 168, ..] | [172, 16..=31, ..] | [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _]
    );
    let closest = before.trim_end_matches(' ');
    // A requirement on a version, as `>= 1.2.3.4`.
    if ["==", ">=", "<=", "~>", "!=", "=>", "~=", "^"].iter().any(|sign| closest.ends_with(sign)) && !is_private {
        return true;
    }
    if let Some(program) = before.strip_suffix('/') {
        let name = program
            .rsplit(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+')))
            .next()
            .unwrap_or_default();
        let in_path = program[..program.len() - name.len()].ends_with(['/', '.']);
        let is_owner = OWNERS.iter().any(|owner| name.eq_ignore_ascii_case(owner));
        return name.starts_with(|c: char| c.is_ascii_alphabetic()) && !in_path && !is_owner;
    }
    if !is_private && is_heading(before, after, octets) {
        return true;
    }
    // The tag of an image: `registry.example/app:1.2.3.4`.
    if let Some(name) = before.strip_suffix(':').filter(|_| !is_private) {
        let name = &name[name.floor_char_boundary(name.len().saturating_sub(LONGEST_LINE))..];
        let name = name.rsplit(|c: char| c.is_whitespace() || c == '"').next().unwrap_or_default();
        if name.contains('/') && !name.contains("//") && !name.ends_with('/') {
            return true;
        }
    }
    match label() {
        Some(Found { label: Label::Version, .. }) => true,
        Some(Found { label: Label::Product, direct }) => direct && !is_private && octets[0] < 160,
        Some(Found { label: Label::Section, .. }) => octets.iter().all(|octet| *octet < 100),
        Some(Found { label: Label::MayBeSection | Label::Order, direct }) => {
            direct && octets.iter().all(|octet| *octet < 60)
        }
        _ => false,
    }
}

/// Whether it numbers a heading: at the start of a line, before a word with a capital, and so does a line next to it.
fn is_heading(before: &str, after: &str, octets: [u8; 4]) -> bool {
    let titled = after.trim_start_matches([' ', '\t']);
    let starts_line = before.is_empty() || before.ends_with('\n');
    if !starts_line || titled.len() == after.len() || !titled.starts_with(char::is_uppercase) {
        return false;
    }
    let part = format!("{}.{}.", octets[0], octets[1]);
    let next = &after[..after.floor_char_boundary(LONGEST_LINE)];
    let last = &before[before.floor_char_boundary(before.len().saturating_sub(LONGEST_LINE))..];
    let next = next.split_once('\n').is_some_and(|(_, line)| line.starts_with(&part));
    let last = last.trim_end_matches('\n').rsplit('\n').next().is_some_and(|line| line.starts_with(&part));
    octets.iter().all(|octet| *octet < 30) && (next || last)
}

/// How far to look for the start of the next or the last line, in bytes.
const LONGEST_LINE: usize = 200;

fn v6_end(text: &str, at: usize, run: &str) -> Option<usize> {
    let mut before = text[..at].chars().rev();
    let opens = match before.next() {
        Some('-' | '.') => !before.next().is_some_and(is_word),
        // `ip:2001:db8::1`: a label, not a group before the first.
        Some(':') => {
            let word = text[..at - 1].rsplit(|c: char| !is_word(c)).next().unwrap_or_default();
            !text[..at - 1].ends_with(':')
                && (word.is_empty() || word.len() > 4 || !word.bytes().all(|byte| byte.is_ascii_hexdigit()))
        }
        Some('_') => true,
        Some(c) => !is_word(c),
        None => true,
    };
    if !opens {
        return None;
    }
    let run = run.trim_end_matches('.');
    let run = if run.ends_with("::") { run } else { run.strip_suffix(':').unwrap_or(run) };
    let address: Ipv6Addr = run.parse().ok()?;
    if address.is_loopback() || address.is_unspecified() || !is_distinctive(run) || !is_assigned(&address, run) {
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

/// Whether a short form is in a range that is in use: `face::b00c` is a path in a program.
fn is_assigned(address: &Ipv6Addr, run: &str) -> bool {
    let first = address.segments()[0];
    !run.contains("::") || first == 0 || first == 0x64 || (0x2000..=0x3fff).contains(&first) || first >= 0xfc00
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
    use super::super::label;
    use super::*;

    fn found(text: &str) -> Option<&str> {
        let at = text.find('>').map_or(0, |mark| mark + 1);
        end(text, at, || label::before(text, at)).map(|end| &text[at..end])
    }

    #[test]
    fn an_address_that_nobody_shall_follow_is_found() {
        for text in ["192[.]0[.]2[.]7", "192(.)0(.)2(.)7", "192[.]0.2.7"] {
            assert_eq!(found(text), Some(text));
        }
        for text in ["192[.]0[.]2", "300[.]0[.]2[.]7", "127[.]0[.]0[.]1", "192[.]0[.]2[.]7x"] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_behind_a_version_or_a_heading_tells_it() {
        for text in ["4.1.2.3-beta", "4.1.2.3.tar.gz", "4.1.2.3 (released today)", "4.1.2.3 Aims\n4.1.2.4 Means\n"] {
            assert_eq!(found(text), None, "{text}");
        }
        for text in ["4.1.2.3 Aims", "4.1.2.3 Aims\n9.8.7.6 Means\n"] {
            assert_eq!(found(text), Some("4.1.2.3"), "{text}");
        }
        assert_eq!(found("image: shop.example/app:>4.1.2.3"), Some("4.1.2.3"));
        let text = "shop.example/app:4.1.2.3";
        assert_eq!(end(text, 17, || None), None);
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
        for text in
            ["127.0.0.1", "0.0.0.0", "10.0.0.0/8", "120.0.0.0", "::1", "::", "2001:db8::", "255.255.255.0", "1.3.6.1"]
        {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn the_text_before_distinguishes_versions_from_addresses() {
        for before in [
            "Version ",
            "v. ",
            "see section ",
            "lib-",
            "1.",
            "AssemblyVersion(\"",
            "Firefox/",
            "openssl==",
            ">= ",
            "~> ",
            "^",
            "§ ",
            "usb 1-",
            "Fig. ",
            "step ",
            "item ",
            "android ",
            "Appendix ",
            "Punkt ",
        ] {
            let text = format!("{before}3.1.2.4");
            assert_eq!(end(&text, before.len(), || label::before(&text, before.len())), None, "{text}");
        }
        for before in ["10.0.0.1-", "host/", "ip=", "from ", "://", "(", "peer_", "table: ", "a/b/"] {
            let text = format!("{before}3.1.2.4");
            assert_eq!(end(&text, before.len(), || label::before(&text, before.len())), Some(text.len()), "{text}");
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
        assert_eq!(found("ip:>2001:db8::1"), Some("2001:db8::1"));
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
            "face::b00c",
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
