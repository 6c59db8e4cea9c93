//! What a model was asked and what it answered, as observers see it.

use std::borrow::Cow;

use secrecy::{ExposeSecret, SecretString};

use crate::model::{ChatRequest, ChatResponse, EmbedRequest};

/// What a model was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModelOperation {
    /// An answer.
    Chat,
    /// Vectors.
    Embed,
}

/// What a target was asked, and what it answered. All of it is borrowed: it costs nothing where nobody looks.
///
/// Prompts and answers are in it. An observer passes them on only where its operator has asked for that, and hides the keys in
/// them first.
#[derive(Debug, Clone, Copy)]
pub enum Exchange<'a> {
    /// For an answer.
    Chat {
        /// The request.
        request: &'a ChatRequest,
        /// The answer, if there is one.
        response: Option<&'a ChatResponse>,
        /// What the server was sent beside the request, and may have repeated.
        keys: Keys<'a>,
    },
    /// For vectors.
    Embed {
        /// The request.
        request: &'a EmbedRequest,
    },
}

impl Exchange<'_> {
    /// What the target was asked for.
    #[must_use]
    pub fn operation(&self) -> ModelOperation {
        match self {
            Self::Chat { .. } => ModelOperation::Chat,
            Self::Embed { .. } => ModelOperation::Embed,
        }
    }
}

/// The shortest key that is searched for, in bytes. A shorter one is in a text by chance.
const SHORTEST_KEY: usize = 8;

/// Keys and other secrets of a model's server. They cannot be seen, only hidden in a text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keys<'a>(Option<&'a SecretString>);

impl<'a> Keys<'a> {
    /// These, one in each line.
    #[must_use]
    pub fn new(lines: Option<&'a SecretString>) -> Self {
        Self(lines)
    }

    /// A text with `[redacted]` in place of each key. Keys of less than 8 bytes are not searched for.
    #[must_use]
    pub fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        let lines = self.0.map_or("", ExposeSecret::expose_secret).lines();
        for key in lines.map(str::trim).filter(|key| key.len() >= SHORTEST_KEY) {
            if text.contains(key) {
                text = text.replace(key, "[redacted]").into();
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_hidden_in_a_text_and_nothing_else_is() {
        let lines = SecretString::from("sk-canary-1\nshort\n tenant-canary \n");
        let keys = Keys::new(Some(&lines));
        let text = "a short text with sk-canary-1, (tenant-canary) and sk-canary-1.";
        assert_eq!(keys.hide(text), "a short text with [redacted], ([redacted]) and [redacted].");
        assert!(matches!(keys.hide("nothing of theirs"), Cow::Borrowed("nothing of theirs")));
        assert_eq!(Keys::default().hide(text), text);
        assert!(!format!("{keys:?}").contains("canary"));
    }
}
