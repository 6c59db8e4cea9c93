//! The layer that cuts a request for vectors into those that its provider takes, and finds the text that one was refused for.
//!
//! It is above the journal: each vector that was paid for is kept, whatever becomes of the texts beside it. So a text that
//! cannot be embedded costs its neighbours nothing, and neither does a crash between two requests.

mod plan;

use std::collections::BTreeMap;
use std::ops::Range;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt};
use gristmill_core::model::{ChatFailure, ChatRequest, ChatResponse, EmbedRequest, EmbedResponse, Usage, Vector};
use gristmill_core::ports::{Caller, Model, ModelError};
use tokio::time::Instant;

use crate::names;
use crate::usage::sum;
use plan::plan;
pub(crate) use plan::{Bounds, tokens};

/// How many requests of one call are in flight; the limits of the target count besides.
const AT_A_TIME: usize = 4;
/// After so many texts of one request that are refused alone, it is taken to be at fault itself.
const MOST_FAULTY: usize = 2;
/// Maximum texts in one call: all vectors are held in memory until the last one is there.
const MOST_INPUTS: usize = 2_048;

/// A model that makes the vectors of any number of texts.
pub(crate) struct Parted<M> {
    model: M,
    /// What each alias takes, or why it makes no vectors.
    by_alias: BTreeMap<String, Result<Bounds, ChatFailure>>,
}

impl<M: Model> Parted<M> {
    pub(crate) fn new(model: M, by_alias: BTreeMap<String, Result<Bounds, ChatFailure>>) -> Self {
        Self { model, by_alias }
    }

    /// The vectors of one request, in halves if it is refused because of a text in it.
    ///
    /// # Errors
    /// Those of the model. A refusal of one text alone is returned among the answers.
    async fn part(&self, call: &Call<'_>, range: Range<usize>) -> Result<Part, ModelError> {
        let mut part = Part::default();
        let mut left = vec![range];
        while let Some(range) = left.pop() {
            let inputs = call.request.inputs.get(range.clone()).unwrap_or_default().to_vec();
            let mut request = call.request.of(inputs);
            if let Some(deadline) = call.deadline {
                request.timeout = Some(deadline.saturating_duration_since(Instant::now()));
            }
            match self.model.embed(call.caller, &request).await {
                Ok(answer) => part.answers.push((range.start, answer)),
                Err(ModelError::Chat { failure, .. }) if is_of_a_text(&failure) => {
                    if range.len() > 1 {
                        let middle = range.start + range.len() / 2;
                        left.extend([middle..range.end, range.start..middle]);
                        continue;
                    }
                    part.refused.push((range.start, failure));
                    if part.refused.len() == MOST_FAULTY {
                        break;
                    }
                }
                Err(other) => return Err(other),
            }
        }
        Ok(part)
    }
}

/// One call.
struct Call<'a> {
    caller: &'a Caller,
    request: &'a EmbedRequest,
    deadline: Option<Instant>,
}

/// What came of one request, by the index of the first text.
#[derive(Default)]
struct Part {
    answers: Vec<(usize, EmbedResponse)>,
    refused: Vec<(usize, ChatFailure)>,
}

/// Whether a request may be refused because of one text in it.
fn is_of_a_text(failure: &ChatFailure) -> bool {
    matches!(
        failure,
        ChatFailure::InvalidRequest(_)
            | ChatFailure::ContextLengthExceeded { .. }
            | ChatFailure::ContentFiltered(_)
            | ChatFailure::InvalidOutput { .. }
    )
}

/// The failure with the text that it is about in front, if there are several.
fn of_input(failure: ChatFailure, index: usize, inputs: usize) -> ChatFailure {
    if inputs == 1 {
        return failure;
    }
    let named = |message: String| format!("input {} of {inputs}: {message}", index + 1);
    match failure {
        ChatFailure::InvalidRequest(message) => ChatFailure::InvalidRequest(named(message)),
        ChatFailure::ContentFiltered(message) => ChatFailure::ContentFiltered(named(message)),
        ChatFailure::ContextLengthExceeded { message, limit, actual } => {
            ChatFailure::ContextLengthExceeded { message: named(message), limit, actual }
        }
        ChatFailure::InvalidOutput { text, problems } => {
            ChatFailure::InvalidOutput { text, problems: problems.into_iter().map(named).collect() }
        }
        other => other,
    }
}

/// The tokens of each text.
///
/// # Errors
/// A text that no provider takes, or more of them than one call may have. Nothing is asked then.
fn sizes(request: &EmbedRequest, bounds: Bounds) -> Result<Vec<u64>, ChatFailure> {
    let inputs = request.inputs.len();
    if inputs == 0 {
        return Err(ChatFailure::InvalidRequest("the request has no inputs; give at least one text".into()));
    }
    if inputs > MOST_INPUTS {
        let message = format!("the request has {inputs} inputs; at most {MOST_INPUTS} are allowed at a time");
        return Err(ChatFailure::InvalidRequest(message));
    }
    let mut sizes = Vec::with_capacity(inputs);
    for (index, text) in request.inputs.iter().enumerate() {
        if text.trim().is_empty() {
            let failure = ChatFailure::InvalidRequest("the text is empty, so it has no vector; leave it out".into());
            return Err(of_input(failure, index, inputs));
        }
        let size = tokens(text);
        if let Some(most) = bounds.input_tokens.filter(|most| size > *most) {
            let message = format!(
                "the text may have {size} tokens, and the model takes {most}; cut it into smaller chunks, or set \
                 `input_tokens` in the target's `embeddings` to what the model takes"
            );
            let failure = ChatFailure::ContextLengthExceeded { message, limit: Some(most), actual: None };
            return Err(of_input(failure, index, inputs));
        }
        sizes.push(size);
    }
    Ok(sizes)
}

/// The answers in one.
///
/// # Errors
/// The vectors are not all of one length, so they are not of one model.
fn together(mut answers: Vec<(usize, EmbedResponse)>) -> Result<EmbedResponse, ChatFailure> {
    answers.sort_by_key(|(start, _)| *start);
    let (mut vectors, mut models) = (Vec::<Vector>::new(), Vec::<String>::new());
    let (mut usage, mut cached) = (None::<Usage>, true);
    for (_, answer) in answers {
        usage = Some(usage.map_or(answer.usage, |usage| sum(usage, answer.usage)));
        cached &= answer.cached;
        vectors.extend(answer.vectors);
        if !models.contains(&answer.model) {
            models.push(answer.model);
        }
    }
    let model = models.join(", ");
    let mut lengths = vectors.iter().map(Vector::dimensions);
    if let Some(first) = lengths.next()
        && let Some(other) = lengths.find(|length| *length != first)
    {
        return Err(ChatFailure::Misconfigured(format!(
            "vectors of {first} and of {other} dimensions came from {model}; give the alias targets of one model only"
        )));
    }
    Ok(EmbedResponse { vectors, usage: usage.unwrap_or_default(), model, cached })
}

#[async_trait]
impl<M: Model> Model for Parted<M> {
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError> {
        self.model.chat(caller, request).await
    }

    /// A failure of the provider ends the call; what was answered by then is kept for the next one. A refused text ends it
    /// too, but only after the other texts of its request have their vectors.
    async fn embed(&self, caller: &Caller, request: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        let (_, bounds) = names::find(&self.by_alias, request.model.as_deref())?;
        let bounds = bounds.clone()?;
        let parts = plan(&sizes(request, bounds)?, bounds);
        let call = Call { caller, request, deadline: request.timeout.map(|time| Instant::now() + time) };
        let mut running = stream::iter(parts).map(|range| self.part(&call, range)).buffered(AT_A_TIME);
        let mut answers = Vec::new();
        while let Some(part) = running.next().await {
            let Part { answers: more, refused } = part?;
            if let Some((index, failure)) = refused.into_iter().next() {
                return Err(of_input(failure, index, request.inputs.len()).into());
            }
            answers.extend(more);
        }
        Ok(together(answers)?)
    }
}

#[cfg(test)]
mod tests;
