//! What mending comes to.

use gristmill_sdk::StageError;
use gristmill_sdk::llm::{Error, Response};

/// A mended text.
#[derive(Debug)]
pub(crate) struct Mended {
    /// The text.
    pub text: String,
    /// The places in it that were mended; none if it was mended as a whole.
    pub places: Vec<String>,
    /// The answer of a model that was asked.
    pub response: Option<Response>,
}

impl Mended {
    /// A text that was mended as a whole, by rules.
    pub(crate) fn by_rules(text: impl Into<String>) -> Self {
        Self { text: text.into(), places: Vec::new(), response: None }
    }

    /// A text that was mended as a whole, by a model.
    pub(crate) fn by_model(text: impl Into<String>, response: Response) -> Self {
        Self { response: Some(response), ..Self::by_rules(text) }
    }
}

/// Why nothing is mended.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It cannot be done, for a reason without text of the item.
    Cannot(String),
    /// The model gave no answer.
    NoAnswer(StageError),
}

impl Stop {
    /// It cannot be done.
    pub(crate) fn cannot(reason: impl Into<String>) -> Self {
        Self::Cannot(reason.into())
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::NoAnswer(error.into())
    }
}
