//! The layer that checks the form of each answer, and asks again for one that does not have it, with its faults named.
//!
//! It is above the journal: an answer of the wrong form was paid for like any other, so it is kept like any other, and
//! each further question is a call of its own. So a crash in between pays for nothing twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_core::model::{
    ChatFailure, ChatMessage, ChatRequest, ChatResponse, Content, FinishReason, JobId, Role, Usage,
};
use gristmill_core::ports::{Caller, Model, ModelError};
use tokio::time::Instant;

use crate::forms::Forms;
use crate::names;
use crate::usage::sum;

/// How often one call may be asked again in all, whatever was answered from the journal.
const MOST_ROUNDS: u32 = 50;

/// What counts for the calls of an alias.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// How many further answers may be paid for.
    pub(crate) reask: u32,
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
    /// not asked for again: it would be cut off again.
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError> {
        let (_, rule) = names::find(&self.by_alias, request.model.as_deref())?;
        let form = self.forms.of(&request.format)?;
        let time = request.timeout.unwrap_or(rule.time).min(rule.time);
        let begun = Instant::now();
        let mut asked = ChatRequest { timeout: Some(time), ..request.clone() };
        let mut so_far = SoFar { usage: None, cached: true };
        let (mut round, mut paid_again, mut most_again) = (1, 0, rule.reask);
        loop {
            let answer = self.model.chat(caller, &asked).await?;
            so_far.add(&answer);
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
            let (job, stage) = (&caller.job, &caller.stage);
            tracing::debug!(%job, %stage, round, "an answer does not have the requested form: the model is asked again");
            asked = ChatRequest { timeout: Some(left), ..again(request, round, problems) };
            round += 1;
        }
    }

    fn forget(&self, job: &JobId) {
        self.model.forget(job);
    }
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
