//! Who asks a model, for which items, and how long it may take: the same for `llm` and `embeddings`.

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

impl CallState {
    /// Who asks with a request that names this item.
    ///
    /// # Errors
    /// What the guest gets instead of an answer.
    pub(super) fn asking(&mut self, for_item: Option<&str>) -> Result<Asking, Error> {
        self.ask("a model");
        let Some(model) = self.surroundings.model.clone() else {
            return Err(Error::Denied("no model is configured for this pipeline".into()));
        };
        let asked = self.current.as_ref().and_then(|current| Some((current, current.job.as_ref()?)));
        let Some((current, job)) = asked else {
            return Err(Error::Denied("models can only be asked while an item is processed".into()));
        };
        let items: Vec<Arc<str>> = match for_item {
            None => current.items.clone(),
            Some(asked) => current.items.iter().filter(|item| &***item == asked).cloned().collect(),
        };
        // What a batch asks without naming an item is told in the span of its first.
        let span = current.items.iter().zip(&current.spans).find(|(item, _)| items.first() == Some(item));
        let Some((first, (_, span))) = items.first().zip(span) else {
            let reason = "`for-item` names no item of this call; give the id of one";
            return Err(Error::InvalidRequest(reason.into()));
        };
        let caller = Caller {
            job: job.id.clone(),
            stage: Arc::clone(&self.surroundings.stage),
            item: Arc::clone(first),
            repeat: 0,
            edition: job.edition,
            trace: *span,
        };
        Ok(Asking { model, caller, items })
    }

    /// The time for an answer. Never past the end of the call: the stage must get the answer or the error while it can still
    /// use it.
    pub(super) fn time_for(&self, asked: Option<Duration>) -> Duration {
        let left = self.deadline.saturating_duration_since(Instant::now()).saturating_sub(TO_REACT);
        asked.unwrap_or(left).min(left)
    }
}
