//! Passwords and the like, and what is written after them.

use std::ops::Range;

/// How sure it is that a value follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pii) enum Evidence {
    /// In quotes, or the whole of a field.
    Quoted,
    /// Directly after "=".
    Assigned,
    /// After a colon or "is": words may follow.
    Said,
}

/// A word for a secret.
pub(super) struct Word {
    pub(super) word: &'static str,
    /// Values of words that mean other things too must look random.
    random: bool,
}

const fn word(word: &'static str) -> Word {
    Word { word, random: false }
}

const fn random(word: &'static str) -> Word {
    Word { word, random: true }
}

pub(super) const WORDS: &[Word] = &[
    word("password"),
    word("passwd"),
    word("passphrase"),
    word("passwort"),
    word("kennwort"),
    word("pwd"),
    word("passw"),
    word("contraseña"),
    word("senha"),
    word("mot de passe"),
    word("wachtwoord"),
    word("passcode"),
    word("passord"),
    word("lösenord"),
    word("losenord"),
    word("adgangskode"),
    word("salasana"),
    word("heslo"),
    word("hasło"),
    word("haslo"),
    word("jelszó"),
    word("şifre"),
    word("sifre"),
    word("parola"),
    word("lozinka"),
    word("κωδικός"),
    word("palavra-passe"),
    word("mật khẩu"),
    word("סיסמה"),
    word("كلمة المرور"),
    word("पासवर्ड"),
    word("รหัสผ่าน"),
    word("пароль"),
    word("密码"),
    word("密碼"),
    word("パスワード"),
    word("비밀번호"),
    word("client_secret"),
    word("clientsecret"),
    word("client-secret"),
    word("secret_key"),
    word("secretkey"),
    word("secret-key"),
    word("secret_access_key"),
    word("secretaccesskey"),
    word("api_key"),
    word("apikey"),
    word("api-key"),
    word("api key"),
    word("api_secret"),
    word("apisecret"),
    word("access_key"),
    word("accesskey"),
    word("account_key"),
    word("accountkey"),
    word("sharedaccesskey"),
    word("private_key"),
    word("privatekey"),
    word("signing_key"),
    word("encryption_key"),
    word("secret"),
    random("access_token"),
    random("accesstoken"),
    random("refresh_token"),
    random("auth_token"),
    random("authtoken"),
    random("id_token"),
    random("bot_token"),
    random("session_token"),
    random("token"),
    random("bearer"),
    random("basic"),
    random("x-auth"),
];

/// What is written in place of a value.
const PLACEHOLDERS: [&str; 26] = [
    "null",
    "none",
    "nil",
    "true",
    "false",
    "undefined",
    "required",
    "optional",
    "string",
    "str",
    "text",
    "password",
    "passwort",
    "secret",
    "token",
    "invalid",
    "empty",
    "hidden",
    "redacted",
    "unknown",
    "your",
    "missing",
    "expired",
    "incorrect",
    "protected",
    "forgotten",
];

/// Ends of names that say that it is something about the secret.
const ABOUT: [&str; 18] = [
    "hash", "name", "file", "path", "url", "uri", "field", "type", "policy", "length", "expir", "reset", "manager",
    "endpoint", "count", "limit", "izer", "version",
];

impl Word {
    /// The value that is assigned to the name with this word in it.
    pub(super) fn value(&self, text: &str, word: Range<usize>) -> Option<Range<usize>> {
        let rest = &text[word.end..];
        let name = rest
            .bytes()
            .take(24)
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
            .count();
        let ending = rest[..name].to_ascii_lowercase();
        if ABOUT.iter().any(|about| ending.contains(about))
            || text[..word.start].ends_with(|c: char| c.is_ascii_lowercase() && self.random)
        {
            return None;
        }
        let after = &rest[name..];
        let closed = after.trim_start_matches(['"', '\'', ']', '`']);
        let spaced = closed.trim_start_matches([' ', '\t']);
        let is_option = starts_option(text, word.start);
        let (evidence, value) = if let Some(value) = strip_any(spaced, &[":=", "=>", "==", "="]) {
            (if spaced.len() == closed.len() { Evidence::Assigned } else { Evidence::Said }, value)
        } else if let Some(value) = strip_any(spaced, &[":", "："]) {
            (Evidence::Said, value)
        } else if let Some(value) = spaced.strip_prefix('>').filter(|_| spaced.len() == after.len()) {
            (Evidence::Assigned, value)
        } else if let Some(value) =
            strip_any(spaced, &["is ", "lautet ", "ist ", "es ", "est "]).filter(|_| spaced.len() < closed.len())
        {
            (Evidence::Said, value)
        } else if is_option || matches!(self.word, "bearer" | "basic") || follows_authorization(&text[..word.start]) {
            (Evidence::Said, spaced)
        } else {
            return None;
        };
        let value = value.trim_start_matches([' ', '\t']);
        // `Authorization: Bearer …` is read at "Bearer".
        let start = text.len() - value.len();
        let (range, evidence) = match value.chars().next()? {
            quote @ ('"' | '\'' | '`') => {
                let length = value[1..value.floor_char_boundary(258)].find([quote, '\n'])?;
                (start + 1..start + 1 + length, Evidence::Quoted)
            }
            _ => (start..start + bare_length(value, evidence), evidence),
        };
        let value = &text[range.clone()];
        let fits = if self.random { is_random(value) } else { is_value(value, evidence) };
        fits.then_some(range)
    }
}

/// Whether a scheme stands here that is not one of the usual ones: `Authorization: Token …`.
fn follows_authorization(before: &str) -> bool {
    const HEADER: &str = "authorization";
    let name = before.trim_end_matches([' ', ':', '"', '\'']);
    let start = name.len().saturating_sub(HEADER.len());
    name.len() < before.len() && name.get(start..).is_some_and(|name| name.eq_ignore_ascii_case(HEADER))
}

/// Whether the name at `at` is an option of a command: `--password x`.
fn starts_option(text: &str, at: usize) -> bool {
    let name = text.as_bytes()[..at]
        .iter()
        .rev()
        .take(32)
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-')
        .count();
    text.as_bytes()[at - name..].starts_with(b"--")
}

fn strip_any<'t>(text: &'t str, prefixes: &[&str]) -> Option<&'t str> {
    prefixes.iter().find_map(|prefix| text.strip_prefix(prefix))
}

/// The length of a value without quotes.
fn bare_length(value: &str, evidence: Evidence) -> usize {
    // In a query, "&" is the end.
    let is_query = evidence == Evidence::Assigned;
    let ends = |c: char| {
        c.is_whitespace()
            || matches!(c, '"' | '\'' | '<' | '>' | ',' | ';' | ')' | '|' | '}' | '`')
            || (is_query && c == '&')
    };
    let value = &value[..value.floor_char_boundary(512)];
    let length = value.find(ends).unwrap_or(value.len());
    value[..length].trim_end_matches(['.', ':', '?']).len()
}

/// Whether it is a value and not talk about one.
pub(in crate::pii) fn is_value(value: &str, evidence: Evidence) -> bool {
    let lower = value.to_lowercase();
    let first = value.chars().next().unwrap_or(' ');
    if value.chars().count() < 4
        || PLACEHOLDERS.contains(&lower.as_str())
        || matches!(first, '$' | '{' | '<' | '[' | '%' | '*' | '•')
    {
        return false;
    }
    if value.chars().all(|c| c == first) {
        return false;
    }
    let only_letters = value.chars().all(|c| c.is_alphabetic() || matches!(c, '_' | '-' | '\'' | ' '));
    match evidence {
        Evidence::Quoted => !(only_letters && value.contains(' ')),
        Evidence::Assigned => !is_code(value),
        Evidence::Said => !only_letters && !is_code(value) && value.chars().count() >= 6,
    }
}

/// `config.secret`, `getPassword()`, `os.environ["X"]`.
fn is_code(value: &str) -> bool {
    let is_path = value.contains('.') && value.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '.' | '_'));
    is_path || value.contains(['(', '['])
}

fn is_random(value: &str) -> bool {
    let has = |class: fn(char) -> bool| value.chars().any(class);
    let plain = value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'=' | b'/' | b'+' | b'~'));
    let mixed = has(|c| c.is_ascii_digit()) || (has(|c| c.is_ascii_uppercase()) && has(|c| c.is_ascii_lowercase()));
    value.len() >= 16 && plain && mixed && has(|c| c.is_ascii_alphabetic()) && !is_code(value)
}
