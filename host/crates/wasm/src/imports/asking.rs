//! Who asks, for which items, and how long it may take: the same for `llm`, `embeddings` and `http`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::bindings::gristmill::stage::llm_types::Error;
use crate::state::CallState;
use gristmill_core::ports::{Caller, Model};

/// Time reserved at the end of a call, for the stage to react to the last answer.
const TO_REACT: Duration = Duration::from_millis(200);

/// A stage that may ask.
pub(super) struct Asking {
    pub(super) model: Arc<dyn Model>,
    /// For the first of the items.
    pub(super) caller: Caller,
    /// What the request is for: the item that it names, or all of the call. Never empty.
    pub(super) items: Vec<Arc<str>>,
}

/// Why nobody asks.
pub(super) enum NobodyAsks {
    /// No item is processed.
    NoItem,
    /// The request names an item that is none of the call's.
    OtherItem,
}

/// What is wrong with a request for an item that is none of the call's.
pub(super) const OTHER_ITEM: &str = "`for-item` names no item of this call; give the id of one";
/// What is wrong with a request for one item in a call with several.
pub(super) const WHICH_ITEM: &str =
    "the call has several items, and the request does not say which it is for; set `for-item`";

impl CallState {
    /// Who asks a model with a request that names this item.
    ///
    /// # Errors
    /// What the guest gets instead of an answer.
    pub(super) fn asking(&mut self, for_item: Option<&str>) -> Result<Asking, Error> {
        self.ask("a model");
        let Some(model) = self.surroundings.model.clone() else {
            return Err(Error::Denied("no model is configured for this pipeline".into()));
        };
        let (caller, items) = self.caller(for_item).map_err(|nobody| match nobody {
            NobodyAsks::NoItem => Error::Denied("models can only be asked while an item is processed".into()),
            NobodyAsks::OtherItem => Error::InvalidRequest(OTHER_ITEM.into()),
        })?;
        Ok(Asking { model, caller, items })
    }

    /// Who asks with a request that names this item, and the items that it is for.
    pub(super) fn caller(&self, for_item: Option<&str>) -> Result<(Caller, Vec<Arc<str>>), NobodyAsks> {
        let asked = self.current.as_ref().and_then(|current| Some((current, current.job.as_ref()?)));
        let Some((current, job)) = asked else { return Err(NobodyAsks::NoItem) };
        let items: Vec<Arc<str>> = match for_item {
            None => current.items.clone(),
            Some(asked) => current.items.iter().filter(|item| &***item == asked).cloned().collect(),
        };
        // What a batch asks without naming an item is told in the span of its first.
        let span = current.items.iter().zip(&current.spans).find(|(item, _)| items.first() == Some(item));
        let Some((first, (_, span))) = items.first().zip(span) else { return Err(NobodyAsks::OtherItem) };
        let caller = Caller {
            job: job.id.clone(),
            stage: Arc::clone(&self.surroundings.stage),
            item: Arc::clone(first),
            repeat: 0,
            edition: job.edition,
            trace: *span,
        };
        Ok((caller, items))
    }

    /// Counts equal requests for an item in this call: how many came before.
    pub(super) fn repeat(&mut self, item: &Arc<str>, digest: [u8; 32]) -> u32 {
        let count = self.requests.entry((Arc::clone(item), digest)).or_default();
        *count += 1;
        *count - 1
    }

    /// The time for an answer. Never past the end of the call: the stage must get the answer or the error while it can still
    /// use it.
    pub(super) fn time_for(&self, asked: Option<Duration>) -> Duration {
        let left = self.deadline.saturating_duration_since(Instant::now()).saturating_sub(TO_REACT);
        asked.unwrap_or(left).min(left)
    }
}
