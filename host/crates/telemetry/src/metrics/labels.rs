//! The labels of series. Each set is bounded: names come from the operator's files, and of what guests make up only the
//! first few become labels.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::encoding::EncodeLabelSet;

/// How many reasons that are not known to the host become labels, for each pipeline.
const MOST_REASONS: usize = 50;
/// The label of all further ones.
pub(super) const OTHER: &str = "other";

/// The reasons that the host and the SDK give: always labels.
const KNOWN: [&str; 29] = [
    "bad-batch",
    "bad-call",
    "cpu-limit",
    "header-name-not-utf8",
    "job-too-large",
    "llm-budget-exhausted",
    "llm-content-filtered",
    "llm-context-length-exceeded",
    "llm-denied",
    "llm-invalid-output",
    "llm-invalid-request",
    "llm-misconfigured",
    "llm-rate-limited",
    "llm-timeout",
    "llm-unavailable",
    "memory-limit",
    "no-document-id",
    "null-value",
    "output-refused",
    "output-too-large",
    "timeout",
    "too-many-attributes",
    "too-many-headers",
    "too-many-outputs",
    "trap",
    "undeclared-branch",
    "unmapped-branch",
    "unsupported-media-type",
    "unusable-attribute",
];

/// A label set whose members are the fields.
macro_rules! label_set {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
        pub(super) struct $name {
            $(pub(super) $field: $type,)+
        }
    )+};
}

label_set! {
    OfPipeline { pipeline: Arc<str> }
    /// How something ended.
    Ended { pipeline: Arc<str>, end: &'static str }
    WithResult { pipeline: Arc<str>, result: &'static str }
    WithFate { pipeline: Arc<str>, fate: &'static str }
    WithKind { pipeline: Arc<str>, kind: &'static str }
    WithReason { pipeline: Arc<str>, reason: Arc<str> }
    Paused { pipeline: Arc<str>, reason: &'static str }
    OfStage { pipeline: Arc<str>, stage: Arc<str> }
    Attempted { pipeline: Arc<str>, stage: Arc<str>, outcome: &'static str }
    Trapped { pipeline: Arc<str>, stage: Arc<str>, code: &'static str }
    Changed { pipeline: Arc<str>, stage: Arc<str>, change: &'static str }
    OfPartition { pipeline: Arc<str>, topic: Arc<str>, partition: u32 }
    Asked { pipeline: Arc<str>, alias: Arc<str>, target: Arc<str> }
    AskedWith { pipeline: Arc<str>, alias: Arc<str>, target: Arc<str>, operation: &'static str, result: &'static str }
    Saved { pipeline: Arc<str>, alias: Arc<str>, by: &'static str }
    Tokens { pipeline: Arc<str>, alias: Arc<str>, target: Arc<str>, kind: &'static str }
    Stored { pipeline: Arc<str>, operation: &'static str, outcome: &'static str }
    Instances { state: &'static str }
    OfTarget { address: String, model: String, state: &'static str }
    OfLimit { address: String, model: String, limit: &'static str }
    Build { version: &'static str }
}

/// Things by a reason that guests may make up: those the host knows, the first others, and one for all further ones.
#[derive(Debug)]
pub(super) struct ByReason<T> {
    /// A lock, because jobs end side by side. Written only when a reason is seen for the first time.
    seen: RwLock<HashMap<Arc<str>, T>>,
}

impl<T> Default for ByReason<T> {
    fn default() -> Self {
        Self { seen: RwLock::default() }
    }
}

impl<T: Clone> ByReason<T> {
    /// What belongs to a reason; `make` gets its label.
    pub(super) fn of(&self, reason: &str, make: impl FnOnce(&Arc<str>) -> T) -> T {
        // Nothing panics under the lock but an allocation that fails.
        if let Some(known) = self.seen.read().unwrap_or_else(PoisonError::into_inner).get(reason) {
            return known.clone();
        }
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        let own = seen.keys().filter(|label| !is_known(label)).count();
        let label = if is_known(reason) || own < MOST_REASONS { reason } else { OTHER };
        if let Some(known) = seen.get(label) {
            return known.clone();
        }
        let label: Arc<str> = label.into();
        let new = make(&label);
        seen.insert(label, new.clone());
        new
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<(Arc<str>, T)> {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        seen.iter().map(|(label, thing)| (Arc::clone(label), thing.clone())).collect()
    }
}

fn is_known(reason: &str) -> bool {
    reason == OTHER || KNOWN.contains(&reason)
}

/// The code of a trap as a label.
pub(super) fn trap(code: &str) -> &'static str {
    match code {
        "trap" => "trap",
        "memory-limit" => "memory-limit",
        "cpu-limit" => "cpu-limit",
        "bad-call" => "bad-call",
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_reasons_some_become_labels() {
        let by_reason = ByReason::<Arc<str>>::default();
        for number in 0..10_000 {
            by_reason.of(&format!("made-up-{number}"), Arc::clone);
        }
        assert_eq!(&*by_reason.of("made-up-9999", Arc::clone), OTHER);
        assert_eq!(&*by_reason.of("made-up-3", Arc::clone), "made-up-3");
        assert_eq!(&*by_reason.of("trap", Arc::clone), "trap", "what the host says is always told");
        assert_eq!(by_reason.all().len(), MOST_REASONS + 2);
    }
}
