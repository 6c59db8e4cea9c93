//! The layer that checks the form of each answer, and asks again for one that does not have it, with its faults named.
//!
//! It is above the journal: an answer of the wrong form was paid for like any other, so it is kept like any other, and
//! each further question is a call of its own. So a crash in between pays for nothing twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_core::model::{
    ChatFailure, ChatMessage, ChatRequest, ChatResponse, Content, EmbedRequest, EmbedResponse, FinishReason, Role,
    Usage,
};
use gristmill_core::ports::{Caller, Model, ModelError};
use tokio::time::Instant;

use crate::answer;
use crate::forms::Forms;
use crate::names;
use crate::usage::sum;

/// How often one call may be asked again in all, whatever was answered from the journal.
const MOST_ROUNDS: u32 = 50;

/// Whether some target limits the output of a request that does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Limited,
    Unlimited,
}

/// What counts for the calls of an alias.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// How many further answers may be paid for.
    pub(crate) reask: u32,
    pub(crate) output: Output,
    /// The time for all of them, if the request does not ask for less.
    pub(crate) time: Duration,
}

/// A model whose answers have the form that was asked for.
pub(crate) struct Checked<M> {
    model: M,
    by_alias: BTreeMap<String, Rule>,
    forms: Arc<Forms>,
}

impl<M: Model> Checked<M> {
    pub(crate) fn new(model: M, by_alias: BTreeMap<String, Rule>, forms: Arc<Forms>) -> Self {
        Self { model, by_alias, forms }
    }
}

#[async_trait]
impl<M: Model> Model for Checked<M> {
    /// The answer says what all answers to this call took together, and is cached only if all were.
    ///
    /// A replay first meets what earlier runs were answered. Those answers do not count, and behind them at least one more
    /// is asked for: the model or its settings may be others by then. An answer that was just cut off at the output limit is
    /// not asked for again: it would be cut off again. One that was cut off before it began is, once, with a raised limit.
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError> {
        let (_, rule) = names::find(&self.by_alias, request.model.as_deref())?;
        let form = self.forms.of(&request.format)?;
        let time = request.timeout.unwrap_or(rule.time).min(rule.time);
        let begun = Instant::now();
        let mut asked = ChatRequest { timeout: Some(time), ..request.clone() };
        let mut so_far = SoFar { usage: None, cached: true };
        let (mut round, mut paid_again, mut most_again) = (1, 0, rule.reask);
        let limited = request.max_output_tokens.is_some() || rule.output == Output::Limited;
        let (mut starved, mut paid_raised) = (None, 0);
        loop {
            let answer = match (self.model.chat(caller, &asked).await, starved.take()) {
                // More than the model can write: what it did before says more.
                (Err(ModelError::Chat { failure: ChatFailure::InvalidRequest(_), .. }), Some(before)) => {
                    return Err(ChatFailure::into(before));
                }
                (answer, _) => answer?,
            };
            so_far.add(&answer);
            if is_starved(&answer) {
                paid_raised += u32::from(asked.raised > 0 && !answer.cached);
                let failure = starvation(&answer);
                let left = time.saturating_sub(begun.elapsed());
                if !limited || paid_raised > 0 || round == MOST_ROUNDS || left.is_zero() {
                    return Err(failure.into());
                }
                let (job, stage, raised) = (&caller.job, &caller.stage, asked.raised + 1);
                let trace_id = caller.trace.trace_id();
                tracing::debug!(
                    %job, %trace_id, %stage, raised, "a model only thought: it is asked again with a raised limit"
                );
                starved = Some(failure);
                let idempotency_key = asked.idempotency_key.take().map(|key| format!("{key} (raised)"));
                asked = ChatRequest { timeout: Some(left), raised, idempotency_key, ..asked };
                round += 1;
                continue;
            }
            match (round, answer.cached) {
                (1, true) => most_again = rule.reask.max(1),
                (1, false) | (_, true) => {}
                (_, false) => paid_again += 1,
            }
            let cut_off = answer.finish_reason == FinishReason::Length && !answer.cached;
            let failure = match form.check(answer) {
                Ok(answer) => return Ok(so_far.told_by(answer)),
                Err(failure) => failure,
            };
            let ChatFailure::InvalidOutput { problems, .. } = &failure else { return Err(failure.into()) };
            let left = time.saturating_sub(begun.elapsed());
            if cut_off || paid_again >= most_again || round == MOST_ROUNDS || left.is_zero() {
                return Err(failure.into());
            }
            let (job, stage, trace_id) = (&caller.job, &caller.stage, caller.trace.trace_id());
            tracing::debug!(
                %job, %trace_id, %stage, round, "an answer does not have the requested form: the model is asked again"
            );
            asked = ChatRequest { timeout: Some(left), raised: asked.raised, ..again(request, round, problems) };
            round += 1;
        }
    }

    async fn embed(&self, caller: &Caller, request: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        self.model.embed(caller, request).await
    }
}

/// Whether an answer was cut off before it began.
fn is_starved(answer: &ChatResponse) -> bool {
    answer.finish_reason == FinishReason::Length && answer::is_silent(&answer.text)
}

fn starvation(answer: &ChatResponse) -> ChatFailure {
    let tokens = answer.usage.output_tokens.map(|tokens| format!("{tokens} ")).unwrap_or_default();
    let problem = format!(
        "reasoning-starved: all {tokens}output tokens were used up before {} gave an answer; give the target more \
         `headroom` or `max_output_tokens`, or less `thinking`",
        answer.model
    );
    ChatFailure::InvalidOutput { text: String::new(), problems: vec![problem] }
}

/// What the answers to one call took.
struct SoFar {
    usage: Option<Usage>,
    cached: bool,
}

impl SoFar {
    fn add(&mut self, answer: &ChatResponse) {
        self.cached &= answer.cached;
        self.usage = Some(match self.usage {
            Some(usage) => sum(usage, answer.usage),
            None => answer.usage,
        });
    }

    fn told_by(self, answer: ChatResponse) -> ChatResponse {
        ChatResponse { usage: self.usage.unwrap_or(answer.usage), cached: self.cached, ..answer }
    }
}

/// The request once more, with what was wrong with the answer of this round at the end of its last user message. The answer
/// itself is left out: it is as long as it likes, and may say what the document made it say. The number keeps equal
/// questions apart.
///
/// Do not change the words: journals find answers by them.
fn again(request: &ChatRequest, round: u32, problems: &[String]) -> ChatRequest {
    let faults = problems.join("; ");
    let words = format!(
        "\n\nAnswer {round} to this could not be used: {faults}. Answer again, with one JSON document of the form that was \
         asked for and nothing else."
    );
    // Alone: what is asked again is not like the others any more.
    let mut request = ChatRequest { merge: None, ..request.clone() };
    request.idempotency_key = request.idempotency_key.map(|key| format!("{key} (answer {})", round + 1));
    match request.messages.iter_mut().rev().find(|message| message.role == Role::User) {
        Some(message) => message.content.push(Content::Text(words)),
        None => request.messages.push(ChatMessage::text(Role::User, words.trim_start())),
    }
    request
}

#[cfg(test)]
mod tests;
