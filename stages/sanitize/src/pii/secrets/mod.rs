//! Secrets: keys with the prefix of a known provider, JSON Web Tokens, private keys, and what is assigned to a password.

mod assignment;
mod keys;
pub(super) mod starts;

use std::ops::Range;

use crate::kind::Kind;
use starts::{BEGINNINGS, Starts};

/// Knows what secrets begin with; the detectors look only there.
#[derive(Debug)]
pub(crate) struct Secrets {
    starts: Starts,
}

impl Secrets {
    pub(crate) fn new() -> Self {
        Self { starts: Starts::new() }
    }

    /// Reports the secrets in a text; `candidates` are the places where one can begin, ascending.
    pub(super) fn scan(
        &self,
        text: &str,
        candidates: impl Iterator<Item = usize>,
        report: &mut dyn FnMut(Kind, Range<usize>),
    ) {
        // What was found ends, and what was read as a beginning.
        let (mut from, mut read) = (0, 0);
        for start in candidates {
            if start < read {
                continue;
            }
            let Some(place) = text.as_bytes().get(start..).and_then(|rest| self.starts.find(rest)) else { continue };
            read = start + BEGINNINGS[place].len();
            if start < from {
                continue;
            }
            let range = match keys::PREFIXES.get(place) {
                Some(key) => {
                    if !key.opens(&text[..start]) {
                        continue;
                    }
                    key.end(text, start).map(|end| start..end)
                }
                None => {
                    assignment::WORDS.get(place - keys::PREFIXES.len()).and_then(|word| word.value(text, start..read))
                }
            };
            if let Some(range) = range.filter(|range| range.start >= from) {
                from = range.end;
                report(Kind::Secret, range);
            }
        }
    }
}

/// Whether the value of a member called "password" or the like is a secret: anything but an explanation.
pub(crate) fn is_secret_value(value: &str) -> bool {
    assignment::is_value(value, assignment::Evidence::Quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut all = Vec::new();
        Secrets::new().scan(text, 0..text.len(), &mut |_, range| all.push(&text[range]));
        all
    }

    #[test]
    fn keys_of_providers_are_found() {
        for key in [
            "AKIAQ3EGRTYUI7OPASDF",
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "glpat-x9Yz_8w7V6u5T4s3R2q1",
            "sk-ant-api03-aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5z",
            "AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
            "npm_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
            "hf_aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH",
            "SG.aB3dE5fG7hI9jK1lM3nO5p.aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5zA1bC3d",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        ] {
            assert_eq!(found(&format!("key {key}, x")), [key]);
        }
        let pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc=\n-----END RSA PRIVATE KEY-----";
        assert_eq!(found(&format!("a\n{pem}\nb")), [pem]);
    }

    #[test]
    fn what_is_assigned_to_a_password_is_found() {
        for (text, value) in [
            ("password=hunter2", "hunter2"),
            ("DB_PASSWORD='p@ss w0rd'", "p@ss w0rd"),
            ("\"password\": \"s3cr3t!\"", "s3cr3t!"),
            ("pwd: Tr0ub4dor&3", "Tr0ub4dor&3"),
            ("Server=db;Password=abc123;Database=x", "abc123"),
            ("--password hunter22", "hunter22"),
            ("<password>hunter2</password>", "hunter2"),
            ("Authorization: Bearer a1b2c3d4e5f6g7h8i9j0", "a1b2c3d4e5f6g7h8i9j0"),
            ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA=="),
            ("https://x.example/?access_token=a1b2c3d4e5f6g7h8i9&x=1", "a1b2c3d4e5f6g7h8i9"),
            ("api_key = \"9f8e7d6c5b4a\"", "9f8e7d6c5b4a"),
            ("Passwort lautet Gummib4er!", "Gummib4er!"),
            ("Authorization: Token a1b2c3d4e5f6g7h8i9j0", "a1b2c3d4e5f6g7h8i9j0"),
            ("authorization: ApiKey 9f8e7d6c5b4a", "9f8e7d6c5b4a"),
            ("hasło: Gummib4er", "Gummib4er"),
            ("şifre: Gummib4er", "Gummib4er"),
            ("рассылка, κωδικός: Gummib4er", "Gummib4er"),
            ("passcode: 849201", "849201"),
        ] {
            assert_eq!(found(text), [value], "{text}");
        }
    }

    #[test]
    fn talk_about_secrets_is_not_found() {
        for text in [
            "password: required",
            "Password: your password must have 8 characters",
            "password = getPassword()",
            "password=${DB_PASSWORD}",
            "password: ********",
            "\"password\": null",
            "password_hash_length: 64",
            "token: string",
            "secret=config.secret",
            "the secret is safe",
            "bearer of bad news",
            "tokenizer=abc",
            "basic knowledge",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0",
            "AKIA",
            "sk-learn",
            "hf_hub",
            "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
            "password=[SECRET]",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }
}
