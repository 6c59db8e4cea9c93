//! Which of a provider's words may be quoted: short, printable text that contains nothing of the key or the prompt.
//!
//! Providers like to echo what they reject. Their words go to logs, dead letters and guests, where keys must never
//! appear, and documents only if the operator chooses.

use gristmill_core::model::{ChatRequest, Content};

use secrecy::{ExposeSecret, SecretString};

/// Maximum length of a message, in characters.
const LONGEST_MESSAGE: usize = 300;
/// Maximum length of a code, id or reason, in characters.
const LONGEST_WORD: usize = 64;
/// A run of this many letters and digits shared with the prompt counts as an echo of it.
const ECHO_OF_PROMPT: usize = 12;
/// The same for the key.
const ECHO_OF_KEY: usize = 8;
/// Shorter secrets are not searched for: a match could be chance.
const SHORTEST: usize = 4;
/// Prompts larger than this, in bytes, are not searched: then no message is quoted.
const LONGEST_PROMPT: usize = 1 << 20;

/// Quotes text without repeating the key or the prompt.
#[derive(Clone, Copy)]
pub(super) struct Quote<'a> {
    pub(super) key: Option<&'a SecretString>,
    pub(super) request: &'a ChatRequest,
}

impl Quote<'_> {
    /// A message on one line of at most 300 characters. `None` if it is empty or shares text with the prompt or key.
    pub(super) fn message(&self, text: &str) -> Option<String> {
        let text = clean(text);
        if text.is_empty() || self.key.is_some_and(|key| echoes(&text, key.expose_secret(), ECHO_OF_KEY)) {
            return None;
        }
        let mut size = 0;
        for part in self.request.messages.iter().flat_map(|message| &message.content) {
            let Content::Text(part) = part else { continue };
            size += part.len();
            if size > LONGEST_PROMPT || echoes(&text, part, ECHO_OF_PROMPT) {
                return None;
            }
        }
        // Media are sent as base64, which the comparison above does not cover.
        (!text.contains(";base64,")).then_some(text)
    }

    /// A code, id or reason: at most 64 letters, digits and `_-.:/`. `None` if it is anything else.
    pub(super) fn word(&self, text: &str) -> Option<String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte);
        if text.len() > LONGEST_WORD || !text.bytes().all(plain) {
            return None;
        }
        self.message(text)
    }
}

/// One line of at most 300 printable characters.
pub(super) fn clean(text: &str) -> String {
    let visible = |c: char| if c.is_control() || reorders(c) { ' ' } else { c };
    let mut line = String::new();
    // Looks at twice the length, so that runs of whitespace do not use up the message.
    let start: String = text.chars().take(2 * LONGEST_MESSAGE).map(visible).collect();
    for word in start.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    match line.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => {
            line.truncate(end);
            line + "…"
        }
        None => line,
    }
}

/// Whether a character is invisible or changes the direction of the text after it.
fn reorders(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Whether `text` and `secret` share `run` consecutive letters and digits, ignoring any other characters between them.
fn echoes(text: &str, secret: &str, run: usize) -> bool {
    let (text, secret) = (squeeze(text), squeeze(secret));
    let run = run.min(secret.len());
    if run < SHORTEST || text.len() < run {
        return false;
    }
    // Every answer has an id that is compared with the whole prompt. Wherever a shared run begins, one of the pieces that
    // are this far from each other lies in it: so only those are looked up.
    let piece = run / 2;
    let apart = run - piece + 1;
    let in_text = |part: &[char]| text.windows(part.len()).any(|window| window == part);
    for at in (0..secret.len()).step_by(apart) {
        let around = (at + piece).saturating_sub(run)..(at + run).min(secret.len());
        if secret.get(at..at + piece).is_some_and(in_text)
            && secret.get(around).unwrap_or_default().windows(run).any(in_text)
        {
            return true;
        }
    }
    false
}

/// The letters and digits of a text in lower case. An escaped character is skipped, because servers quote as JSON.
fn squeeze(text: &str) -> Vec<char> {
    let mut squeezed = Vec::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character.is_ascii() {
            squeezed.extend(Some(character.to_ascii_lowercase()).filter(char::is_ascii_alphanumeric));
        } else if character.is_alphanumeric() {
            squeezed.extend(character.to_lowercase());
        }
    }
    squeezed
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::request;
    use super::*;

    #[test]
    fn a_message_is_one_short_line() {
        let request = request("a prompt of no interest");
        let quote = Quote { key: None, request: &request };
        assert_eq!(quote.message("no\u{1b}[31m\r\n such\u{202e}\tfield").unwrap(), "no [31m such field");
        assert_eq!(quote.message(&"é".repeat(5_000)).unwrap().chars().count(), 301);
        assert_eq!(quote.message(" \n "), None);
    }

    #[test]
    fn an_echo_of_the_prompt_is_left_out() {
        let request = request("Dear Sirs,\nwrite to Jane.Roe@example.com about my knee.");
        let quote = Quote { key: None, request: &request };
        assert_eq!(quote.message("invalid content: 'jane.roe@example.com'"), None);
        assert_eq!(quote.message(r"cannot parse Dear Sirs,\nwrite to"), None, "escapes do not hide it");
        assert_eq!(quote.message("bad url data:image/png;base64,AAAA"), None);
        let useful = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.";
        assert_eq!(quote.message(useful).as_deref(), Some(useful));
    }

    #[test]
    fn an_echo_is_found_wherever_it_begins_and_ends() {
        let secret: String = ('a'..='z').chain('0'..='9').chain('a'..='z').collect();
        for run in [4, 5, 8, 11, 12, 13] {
            for begin in 0..=secret.len() - run {
                let shared = &secret[begin..begin + run];
                assert!(echoes(&format!("-- {shared} --"), &secret, run), "{run} from {begin}");
                assert!(!echoes(&format!("é{}é", &shared[1..]), &secret, run), "one letter less: {run} from {begin}");
            }
        }
        assert!(echoes("the code is abcd", "abcd", 12), "all of a short one");
        assert!(!echoes("abc", "abcdefghijkl", 12) && !echoes("abc", "abc", 12));
    }

    #[test]
    fn an_echo_of_the_key_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "sk-canary-1234567890").unwrap();
        let key = super::super::keys::read(&super::super::settings::SecretRef::File(path)).unwrap();
        let request = request("hello");
        let quote = Quote { key: Some(&key), request: &request };
        assert_eq!(quote.message("Incorrect API key provided: sk-canary-1234567890."), None);
        assert_eq!(quote.message("Incorrect API key provided: sk-canary******"), None, "a part of it is too much");
        assert_eq!(quote.word("sk-canary-1234567890"), None);
        assert_eq!(quote.word("rate_limit_exceeded").as_deref(), Some("rate_limit_exceeded"));
        assert_eq!(quote.word("two words"), None);
    }
}
