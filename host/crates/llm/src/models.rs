//! Aliases: which targets answer for a name, in which order, and how many calls at once.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use gristmill_core::model::{ChatFailure, ChatRequest, ChatResponse};
use gristmill_core::ports::Caller;

use super::provider::Provider;

use super::failure::{kind, passes};
use super::form::Form;

/// The alias of a request that names none, where there are several.
const DEFAULT_ALIAS: &str = "default";
/// No call takes longer, whatever a stage or the settings say.
const LONGEST_CALL: Duration = Duration::from_secs(3_600);

/// One target of an alias.
pub(super) struct Target {
    /// For logs.
    pub(super) name: String,
    /// Bound of one call.
    pub(super) timeout: Duration,
    pub(super) model: Box<dyn Provider>,
}

/// One alias.
pub(super) struct Alias {
    targets: Vec<Target>,
    turns: Semaphore,
    max_concurrent: usize,
}

impl Alias {
    pub(super) fn new(targets: Vec<Target>, max_concurrent: usize) -> Self {
        // More than a semaphore can count is no bound.
        let turns = Semaphore::new(max_concurrent.min(Semaphore::MAX_PERMITS));
        Self { targets, turns, max_concurrent }
    }

    /// The time of one call: what the request asks for, at most what all targets may take one after the other.
    fn time(&self, asked: Option<Duration>) -> Duration {
        let most = self.targets.iter().fold(Duration::ZERO, |sum, target| sum.saturating_add(target.timeout));
        asked.unwrap_or(most).min(most).min(LONGEST_CALL)
    }

    /// Waits for a turn for half of the call's time: a call sent with no time left would be paid and not be heard.
    async fn turn(&self, name: &str, time: Duration) -> Result<SemaphorePermit<'_>, ChatFailure> {
        match timeout(time / 2, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(ChatFailure::RateLimited {
                message: format!(
                    "all {} calls of the model {name:?} are under way and none ended in {:?}; `max_concurrent` of the \
                     model bounds them",
                    self.max_concurrent,
                    time / 2
                ),
                after: None,
            }),
        }
    }
}

/// All aliases.
pub(super) struct Models {
    aliases: BTreeMap<String, Alias>,
}

impl Models {
    pub(super) fn new(aliases: BTreeMap<String, Alias>) -> Self {
        Self { aliases }
    }

    fn find(&self, asked: Option<&str>) -> Result<(&str, &Alias), ChatFailure> {
        let found = match asked {
            Some(name) => self.aliases.get_key_value(name),
            None if self.aliases.len() == 1 => self.aliases.first_key_value(),
            None => self.aliases.get_key_value(DEFAULT_ALIAS),
        };
        if let Some((name, alias)) = found {
            return Ok((name, alias));
        }
        let known = match self.aliases.keys().map(String::as_str).collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => "there are none; configure one as [models.NAME]".to_owned(),
            names => format!("there are: {names}"),
        };
        Err(ChatFailure::Denied(match asked {
            Some(name) => format!("there is no model {:?}; {known}", super::quote::clean(name)),
            None => format!("the request names no model, and none is called {DEFAULT_ALIAS:?}; {known}"),
        }))
    }
}

#[async_trait]
impl Provider for Models {
    /// Asks the first target; each further one stands in while those before it are busy or away. If none answers, the
    /// failure of the first one stands, or that a target is limited: a fallback that is too small or has a wrong key
    /// must not make a dead letter out of a pause. Cancel-safe: a dropped call gives its turn back.
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ChatFailure> {
        let (name, alias) = self.find(request.model.as_deref())?;
        let form = Form::of(&request.format)?;
        let time = alias.time(request.timeout);
        let deadline = Instant::now() + time;
        let _turn = alias.turn(name, time).await?;
        let mut failed: Option<ChatFailure> = None;
        for target in &alias.targets {
            let left = deadline.saturating_duration_since(Instant::now()).min(target.timeout);
            if left.is_zero() {
                break;
            }
            let asked = ChatRequest { model: Some(name.to_owned()), timeout: Some(left), ..request.clone() };
            let begun = Instant::now();
            let answer = target.model.chat(caller, &asked).await;
            log(caller, name, target, begun.elapsed(), &answer);
            let failure = match answer {
                Ok(response) => return form.check(response),
                Err(failure) => failure,
            };
            failed = Some(match failed {
                None if !passes(&failure) => return Err(failure),
                None => failure,
                Some(ChatFailure::Unavailable { .. } | ChatFailure::Timeout(_))
                    if matches!(failure, ChatFailure::RateLimited { .. }) =>
                {
                    failure
                }
                Some(first) => first,
            });
        }
        Err(failed.unwrap_or_else(|| ChatFailure::Timeout(format!("no time was left to ask the model {name:?}"))))
    }
}

fn log(caller: &Caller, alias: &str, target: &Target, elapsed: Duration, answer: &Result<ChatResponse, ChatFailure>) {
    let (job, stage, target) = (&caller.job, &caller.stage, &target.name);
    let elapsed_ms = elapsed.as_millis();
    match answer {
        Ok(response) => tracing::debug!(
            %job, %stage, alias, target, elapsed_ms,
            input_tokens = response.usage.input_tokens,
            output_tokens = response.usage.output_tokens,
            "a model answered"
        ),
        Err(failure) => tracing::warn!(
            %job, %stage, alias, target, elapsed_ms,
            failure = kind(failure),
            reason = reason(failure),
            "a model gave no answer"
        ),
    }
}

/// What may be logged of a failure: never what the model said.
fn reason(failure: &ChatFailure) -> &str {
    match failure {
        ChatFailure::RateLimited { message, .. } | ChatFailure::Unavailable { message, .. } => message,
        ChatFailure::Timeout(reason)
        | ChatFailure::ContextLengthExceeded(reason)
        | ChatFailure::ContentFiltered(reason)
        | ChatFailure::InvalidRequest(reason)
        | ChatFailure::Denied(reason)
        | ChatFailure::BudgetExhausted(reason)
        | ChatFailure::Misconfigured(reason) => reason,
        ChatFailure::InvalidOutput { .. } => "the answer has not the form that was asked for",
    }
}

#[cfg(test)]
#[path = "models_tests.rs"]
mod tests;
