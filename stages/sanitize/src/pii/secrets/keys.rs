//! Keys that begin with the prefix of their provider.

use super::super::boundary::is_word;

/// What the rest of a key consists of.
#[derive(Debug, Clone, Copy)]
enum Body {
    Alphanumeric,
    /// Letters, digits, "_" and "-".
    Word,
    Hex,
    /// Capitals and digits.
    Capitals,
    /// Also the separators between parts.
    Parts,
    JsonWebToken,
    /// A block in PEM.
    PrivateKey,
}

/// The beginning of a key, and the fewest characters after it.
pub(super) struct Key {
    pub(super) prefix: &'static str,
    body: Body,
    fewest: usize,
}

/// What a private key in PEM begins with.
pub(in crate::pii) const PRIVATE_KEY: &str = "-----BEGIN ";
/// A private key is looked for no further than this.
const LONGEST_BLOCK: usize = 16 * 1024;

const fn key(prefix: &'static str, body: Body, fewest: usize) -> Key {
    Key { prefix, body, fewest }
}

use Body::{Alphanumeric, Capitals, Hex, JsonWebToken, Parts, PrivateKey, Word};

pub(super) const PREFIXES: &[Key] = &[
    key("AKIA", Capitals, 16),
    key("ASIA", Capitals, 16),
    key("ABIA", Capitals, 16),
    key("ACCA", Capitals, 16),
    key("ghp_", Alphanumeric, 36),
    key("gho_", Alphanumeric, 36),
    key("ghu_", Alphanumeric, 36),
    key("ghs_", Alphanumeric, 36),
    key("ghr_", Alphanumeric, 36),
    key("github_pat_", Word, 40),
    key("glpat-", Word, 20),
    key("gldt-", Word, 20),
    key("glrt-", Word, 20),
    key("glptt-", Word, 20),
    key("glcbt-", Word, 20),
    key("xoxb-", Word, 20),
    key("xoxp-", Word, 20),
    key("xoxa-", Word, 20),
    key("xoxr-", Word, 20),
    key("xoxs-", Word, 20),
    key("xapp-", Word, 20),
    key("hooks.slack.com/services/", Parts, 30),
    key("sk_live_", Alphanumeric, 16),
    key("sk_test_", Alphanumeric, 16),
    key("rk_live_", Alphanumeric, 16),
    key("rk_test_", Alphanumeric, 16),
    key("whsec_", Alphanumeric, 24),
    key("AIza", Word, 35),
    key("ya29.", Word, 20),
    key("GOCSPX-", Word, 20),
    key("sk-proj-", Word, 20),
    key("sk-svcacct-", Word, 20),
    key("sk-ant-", Word, 20),
    key("sk-or-", Word, 20),
    key("sk-", Alphanumeric, 32),
    key("hf_", Alphanumeric, 30),
    key("npm_", Alphanumeric, 36),
    key("pypi-", Word, 50),
    key("SG.", Parts, 50),
    key("shpat_", Hex, 32),
    key("shpss_", Hex, 32),
    key("shpca_", Hex, 32),
    key("shppa_", Hex, 32),
    key("dop_v1_", Hex, 64),
    key("doo_v1_", Hex, 64),
    key("dor_v1_", Hex, 64),
    key("sq0atp-", Word, 20),
    key("sq0csp-", Word, 20),
    key("dapi", Hex, 32),
    key("lin_api_", Alphanumeric, 32),
    key("ntn_", Alphanumeric, 40),
    key("glsa_", Word, 32),
    key("glc_", Alphanumeric, 32),
    key("hvs.", Word, 24),
    key("hvb.", Word, 24),
    key("dckr_pat_", Word, 20),
    key("dp.pt.", Alphanumeric, 32),
    key("pscale_tkn_", Word, 32),
    key("AGE-SECRET-KEY-1", Capitals, 50),
    key("PMAK-", Word, 40),
    key("NRAK-", Alphanumeric, 20),
    key("sntrys_", Word, 40),
    key("sntryu_", Hex, 40),
    key("fo1_", Word, 30),
    key("sbp_", Hex, 40),
    key("figd_", Word, 30),
    key("ATATT3x", Word, 40),
    key("pplx-", Alphanumeric, 32),
    key("gsk_", Alphanumeric, 40),
    key("xai-", Alphanumeric, 40),
    key("r8_", Alphanumeric, 35),
    key("rubygems_", Hex, 40),
    key("EAAA", Word, 60),
    key("key-", Hex, 32),
    key("SK", Hex, 32),
    key("eyJ", JsonWebToken, 8),
    key(PRIVATE_KEY, PrivateKey, 0),
];

impl Key {
    /// Whether a key can begin behind this text.
    pub(super) fn opens(&self, before: &str) -> bool {
        let within = |c: char| match self.body {
            JsonWebToken => c.is_ascii_alphanumeric() || matches!(c, '_' | '-'),
            _ => is_word(c) && c != '_',
        };
        !before.ends_with(within)
    }

    /// The end of the key that begins at `start`.
    pub(super) fn end(&self, text: &str, start: usize) -> Option<usize> {
        if !text[start..].starts_with(self.prefix) {
            return None;
        }
        let from = start + self.prefix.len();
        let rest = &text.as_bytes()[from..];
        let run = |belongs: fn(&u8) -> bool| rest.iter().take(512).take_while(|byte| belongs(byte)).count();
        let length = match self.body {
            Alphanumeric => run(u8::is_ascii_alphanumeric),
            Word => run(is_base64_url),
            Hex => run(u8::is_ascii_hexdigit),
            Capitals => run(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()),
            Parts => run(|byte| is_base64_url(byte) || matches!(byte, b'.' | b'/')),
            JsonWebToken => return json_web_token(text, start),
            PrivateKey => return private_key(text, start),
        };
        let key = &rest[..length];
        let is_random = key.iter().any(u8::is_ascii_digit) || key.iter().any(u8::is_ascii_uppercase);
        let closed = !rest.get(length).is_some_and(u8::is_ascii_alphanumeric);
        (length >= self.fewest && is_random && closed).then_some(from + length)
    }
}

fn is_base64_url(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// Three parts: header, claims and signature; five if it is encrypted.
fn json_web_token(text: &str, start: usize) -> Option<usize> {
    let mut at = start;
    let mut parts = 0;
    while parts < 5 {
        let length = text.as_bytes()[at..].iter().take_while(|byte| is_base64_url(byte)).count();
        if length < 8 && parts != 1 {
            break;
        }
        parts += 1;
        at += length;
        if text.as_bytes().get(at) != Some(&b'.') {
            break;
        }
        at += 1;
    }
    let end = at - usize::from(text[..at].ends_with('.'));
    (parts >= 3).then_some(end)
}

/// The block up to its last line; if that is missing, what looks like its content.
fn private_key(text: &str, start: usize) -> Option<usize> {
    let head = &text[start..text.floor_char_boundary(start + 64)];
    let line = head.split(['\n', '\r', '\\']).next().unwrap_or_default();
    if !line.contains("PRIVATE KEY") {
        return None;
    }
    let limit = text.ceil_char_boundary((start + LONGEST_BLOCK).min(text.len()));
    let block = &text[start..limit];
    if let Some(end) = block.find("-----END ") {
        let close = block[end + 9..].find("-----").filter(|length| *length <= 48);
        return Some(start + close.map_or(end, |length| end + 9 + length + 5));
    }
    let content = block[line.len()..].find(|c: char| {
        !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '\n' | '\r' | '\\' | ':' | ',' | '-' | ' '))
    });
    Some(start + content.map_or(block.len(), |length| line.len() + length))
}
