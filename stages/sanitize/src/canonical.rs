//! One spelling for all notations of a value, so that they share a token.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::kind::Kind;

/// What is written for "@" and "." in addresses.
const SIGNS: [(&str, &str); 25] = [
    ("\\u0040", "@"),
    ("%2540", "@"),
    ("%40", "@"),
    ("=40", "@"),
    ("&commat;", "@"),
    ("&#64;", "@"),
    ("&#x40;", "@"),
    ("[at]", "@"),
    ("(at)", "@"),
    ("{at}", "@"),
    ("<at>", "@"),
    ("[@]", "@"),
    ("(@)", "@"),
    ("&period;", "."),
    ("&#46;", "."),
    ("%2e", "."),
    ("[.]", "."),
    ("(.)", "."),
    ("[dot]", "."),
    ("(dot)", "."),
    ("{dot}", "."),
    ("<dot>", "."),
    (" at ", "@"),
    (" dot ", "."),
    ("=\n", ""),
];

/// The spelling that all notations of a value share. The value is folded to ASCII digits and signs already.
pub(crate) fn canonical(kind: Kind, value: &str) -> Cow<'_, str> {
    match kind {
        Kind::UrlCredentials | Kind::Secret | Kind::Field | Kind::Own(_) => Cow::Borrowed(value),
        Kind::Denied | Kind::Person | Kind::Address => Cow::Owned(value.to_lowercase()),
        Kind::Email => Cow::Owned(email(value)),
        Kind::Ip => Cow::Owned(ip(value)),
        Kind::Phone => Cow::Owned(phone(value)),
        Kind::Mac => Cow::Owned(mac(value)),
        Kind::Iban | Kind::Card | Kind::Ssn | Kind::NationalId | Kind::TaxId => {
            let kept = value.chars().filter(char::is_ascii_alphanumeric);
            Cow::Owned(kept.map(|c| c.to_ascii_lowercase()).collect())
        }
    }
}

fn email(value: &str) -> String {
    let mut address = value.to_lowercase();
    for (sign, plain) in SIGNS {
        if address.contains(sign) {
            address = address.replace(sign, plain);
        }
    }
    // Quotes may protect spaces, all others are of the layout.
    if !address.starts_with('"') {
        address.retain(|c| !c.is_whitespace());
    }
    address
}

fn ip(value: &str) -> String {
    if let Ok(address) = value.parse::<Ipv4Addr>() {
        return address.to_string();
    }
    let (address, zone) = value.split_once('%').map_or((value, None), |(address, zone)| (address, Some(zone)));
    match (address.parse::<Ipv6Addr>(), zone) {
        (Ok(address), None) => address.to_string(),
        (Ok(address), Some(zone)) => format!("{address}%{}", zone.to_lowercase()),
        (Err(_), _) => value.to_lowercase(),
    }
}

/// "00", "011" and "%2B" are "+", and a "(0)" after the country is for others.
fn phone(value: &str) -> String {
    let value = value.replace("%2B", "+").replace("%2b", "+");
    let is_international = value.starts_with(['+', '(', '[']) && value.contains('+');
    let value = if is_international { value.replace("(0)", "") } else { value };
    let kept: String = value.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    if is_international {
        return format!("+{kept}");
    }
    match kept.strip_prefix("00") {
        Some(_) => {
            let digits: String = value.replace("(0)", "").chars().filter(char::is_ascii_digit).collect();
            format!("+{}", digits.strip_prefix("00").unwrap_or(&digits))
        }
        None => kept,
    }
}

/// Groups of one digit lack a zero.
fn mac(value: &str) -> String {
    let groups: Vec<&str> = value.split([':', '-', '.', ' ']).collect();
    let mut address = String::with_capacity(12);
    for group in &groups {
        if groups.len() == 6 && group.len() == 1 {
            address.push('0');
        }
        address.push_str(&group.to_ascii_lowercase());
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notations_of_one_value_are_spelled_alike() {
        for (kind, one, other) in [
            (Kind::Iban, "DE89 3704 0044 0532 0130 00", "de89370400440532013000"),
            (Kind::Email, "A.B@Example.com", "a.b%40example.com"),
            (Kind::Email, "a.b [at] example [dot] com", "a.b@example.com"),
            (Kind::Email, "a.b@\nexample.com", "a.b&commat;example&period;com"),
            (Kind::Mac, "AA-BB-CC-DD-EE-FF", "aabb.ccdd.eeff"),
            (Kind::Mac, "0:0:5e:0:53:af", "00:00:5E:00:53:AF"),
            (Kind::Phone, "+49 (0)30 123456", "0049 30 123456"),
            (Kind::Phone, "(+49) 30 123456", "%2B4930123456"),
            (Kind::Phone, "+ 49 30 123456", "00 49 (0)30 123456"),
            (Kind::Ip, "2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
            (Kind::Ip, "2001:0db8::0001", "2001:db8::1"),
        ] {
            assert_eq!(canonical(kind, one), canonical(kind, other));
        }
        assert_ne!(canonical(Kind::Phone, "+49 30 123456"), canonical(Kind::Phone, "49 30 123456"));
        assert_eq!(canonical(Kind::Secret, "AbC"), "AbC");
    }
}
