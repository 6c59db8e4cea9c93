//! What the status of an answer means where its body says nothing more precise.

use std::time::Duration;

use gristmill_core::model::{BudgetScope, ChatFailure};

/// The failure of a status that is no success. `message` says who answered what.
pub(crate) fn failure(status: u16, message: String, after: Option<Duration>) -> ChatFailure {
    match status {
        402 => no_money(message),
        429 => ChatFailure::RateLimited { message, after },
        // 499: a proxy gave up on its client, which is us only by mistake.
        408 | 409 | 425 | 499 | 500.. => ChatFailure::Unavailable { message, after },
        401 | 403 => no_access(message),
        404 | 405 | 410 => no_such_model(message),
        413 => ChatFailure::ContextLengthExceeded { message, limit: None, actual: None },
        300..=399 => ChatFailure::Misconfigured(format!(
            "{message}, a redirect, which is not followed because it could take the key elsewhere; set the target's \
             `base_url` to the final address"
        )),
        _ => ChatFailure::InvalidRequest(message),
    }
}

/// The failure of an account without money or quota. Budgets of the host are another matter: `budget`.
pub(crate) fn no_money(message: String) -> ChatFailure {
    ChatFailure::BudgetExhausted { scope: BudgetScope::Account, message }
}

/// The failure of a key that is not accepted.
pub(crate) fn no_access(message: String) -> ChatFailure {
    ChatFailure::Misconfigured(format!("{message}; check the target's `key` and its access"))
}

/// The failure of an address or a model that is not there.
pub(crate) fn no_such_model(message: String) -> ChatFailure {
    ChatFailure::Misconfigured(format!("{message}; check the target's `base_url` and `model`"))
}

/// A field of requests that the operator asked for.
pub(crate) struct Asked {
    /// What a server that refuses it says of it.
    pub(crate) word: &'static str,
    /// What to do about it.
    pub(crate) advice: &'static str,
}

/// The failure of a request that was refused for a field that the operator asked for: not the request's fault, but the
/// target's. `said` is the body of the refusal. Any other failure as it is.
pub(crate) fn of_settings(failure: ChatFailure, said: &str, asked: &[Asked]) -> ChatFailure {
    let ChatFailure::InvalidRequest(message) = failure else { return failure };
    match asked.iter().find(|asked| said.contains(asked.word)) {
        Some(Asked { word, advice }) => ChatFailure::Misconfigured(format!("{message}; it refuses `{word}`: {advice}")),
        None => ChatFailure::InvalidRequest(message),
    }
}

/// The whole numbers of a message in their order, as in "210000 tokens > 200000 maximum".
pub(crate) fn numbers(message: &str) -> Vec<u64> {
    let mut numbers = Vec::new();
    for word in message.split(|c: char| !c.is_ascii_digit() && c != ',' && c != '.') {
        let digits = word.trim_matches([',', '.']).replace(',', "");
        numbers.extend(digits.parse::<u64>());
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_meaning() {
        for (status, expected) in [
            (302, "misconfigured"),
            (400, "invalid-request"),
            (401, "misconfigured"),
            (402, "budget-exhausted"),
            (403, "misconfigured"),
            (404, "misconfigured"),
            (408, "unavailable"),
            (409, "unavailable"),
            (413, "context-length-exceeded"),
            (422, "invalid-request"),
            (425, "unavailable"),
            (429, "rate-limited"),
            (499, "unavailable"),
            (500, "unavailable"),
            (503, "unavailable"),
            (529, "unavailable"),
        ] {
            assert_eq!(failure(status, "x".into(), None).kind(), expected, "{status}");
        }
    }

    #[test]
    fn a_refusal_of_what_the_operator_asked_for_is_the_targets_fault() {
        let asked = [Asked { word: "reasoning_effort", advice: "change `thinking`" }];
        let failure = |said| of_settings(ChatFailure::InvalidRequest("m answered 400".into()), said, &asked);
        let expected = "m answered 400; it refuses `reasoning_effort`: change `thinking`";
        assert_eq!(failure("{\"param\": \"reasoning_effort\"}"), ChatFailure::Misconfigured(expected.into()));
        assert_eq!(failure("{}").kind(), "invalid-request");
        let busy = ChatFailure::RateLimited { message: String::new(), after: None };
        assert_eq!(of_settings(busy.clone(), "reasoning_effort", &asked), busy);
    }

    #[test]
    fn numbers_are_read_with_separators_and_stops() {
        assert_eq!(numbers("prompt is too long: 210000 tokens > 200,000 maximum."), [210_000, 200_000]);
        assert_eq!(numbers("count (1200000) exceeds (1048576)."), [1_200_000, 1_048_576]);
        assert!(numbers("claude-3.5 and v, .").is_empty());
    }
}
