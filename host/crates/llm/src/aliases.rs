//! Aliases: which targets answer for a name, and in what order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_core::model::{ChatFailure, ChatRequest, ChatResponse, printable};
use gristmill_core::ports::{Caller, FlowEvent, Observer};
use tokio::time::{Instant, timeout};

use crate::failure::passes;
use crate::forms::Forms;
use crate::limits::Share;
use crate::provider::Provider;

/// The alias of a request that names none, if there are several.
const DEFAULT_ALIAS: &str = "default";
/// The longest a call may take, whatever a stage or the settings say.
const LONGEST_CALL: Duration = Duration::from_secs(3_600);

/// One target of an alias.
pub(crate) struct Target {
    /// For logs and metrics, as "provider/model".
    pub(crate) name: String,
    /// The longest one call may take.
    pub(crate) timeout: Duration,
    /// Limit of its concurrent calls; other aliases and pipelines may share it.
    pub(crate) limit: Share,
    pub(crate) provider: Box<dyn Provider>,
}

impl Target {
    /// Asks the target once it has room for another call. Waits at most half of the time for that: a call sent with no
    /// time left would be paid for and its answer lost.
    async fn ask(&self, caller: &Caller, request: &ChatRequest, left: Duration) -> Result<ChatResponse, ChatFailure> {
        let begun = Instant::now();
        let Ok(Some(_permit)) = timeout(left / 2, self.limit.permit()).await else {
            return Err(ChatFailure::RateLimited {
                message: format!(
                    "all {} concurrent calls allowed for {} are in flight, and none ended within {:?}; \
                     `max_concurrent` of the model sets the limit",
                    self.limit.most(),
                    self.name,
                    left / 2
                ),
                after: None,
            });
        };
        let left = left.saturating_sub(begun.elapsed());
        self.provider.chat(caller, &ChatRequest { timeout: Some(left), ..request.clone() }).await
    }
}

/// One alias.
pub(crate) struct Alias {
    targets: Vec<Target>,
}

impl Alias {
    pub(crate) fn new(targets: Vec<Target>) -> Self {
        Self { targets }
    }

    /// The time for one call: what the request asks for, at most the sum of the targets' timeouts.
    fn time(&self, asked: Option<Duration>) -> Duration {
        let most = self.targets.iter().fold(Duration::ZERO, |sum, target| sum.saturating_add(target.timeout));
        asked.unwrap_or(most).min(most).min(LONGEST_CALL)
    }
}

/// All aliases of a pipeline.
pub(crate) struct Aliases {
    by_name: BTreeMap<String, Alias>,
    forms: Forms,
    observer: Arc<dyn Observer>,
}

impl Aliases {
    pub(crate) fn new(by_name: BTreeMap<String, Alias>, observer: Arc<dyn Observer>) -> Self {
        Self { by_name, forms: Forms::default(), observer }
    }

    fn find(&self, asked: Option<&str>) -> Result<(&str, &Alias), ChatFailure> {
        let found = match asked {
            Some(name) => self.by_name.get_key_value(name),
            None if self.by_name.len() == 1 => self.by_name.first_key_value(),
            None => self.by_name.get_key_value(DEFAULT_ALIAS),
        };
        if let Some((name, alias)) = found {
            return Ok((name, alias));
        }
        let known = match self.by_name.keys().map(String::as_str).collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => "none is configured; add one as [models.NAME]".to_owned(),
            names => format!("configured: {names}"),
        };
        Err(ChatFailure::Denied(match asked {
            Some(name) => format!("there is no model {:?}; {known}", printable(name)),
            None => format!("the request names no model, and none is called {DEFAULT_ALIAS:?}; {known}"),
        }))
    }

    fn observe(
        &self,
        caller: &Caller,
        alias: &str,
        target: &Target,
        elapsed: Duration,
        answer: &Result<ChatResponse, ChatFailure>,
    ) {
        let result = answer.as_ref().map(|response| response.usage);
        let target = target.name.as_str();
        self.observer.observe(&FlowEvent::ModelCall { caller, alias, target, elapsed, result });
        log(caller, alias, target, elapsed, answer);
    }
}

#[async_trait]
impl Provider for Aliases {
    /// Asks the first target, and each further one only if those before it are busy or down. If none answers, returns
    /// the first target's failure, or a rate limit if any target reported one: a fallback that is too small or has a
    /// wrong key must not turn a pause into a dead letter. Cancel-safe: a dropped call returns its permit.
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ChatFailure> {
        let (name, alias) = self.find(request.model.as_deref())?;
        let form = self.forms.of(&request.format)?;
        let deadline = Instant::now() + alias.time(request.timeout);
        let asked = ChatRequest { model: Some(name.to_owned()), ..request.clone() };
        let mut failed: Option<ChatFailure> = None;
        for target in &alias.targets {
            let left = deadline.saturating_duration_since(Instant::now()).min(target.timeout);
            if left.is_zero() {
                break;
            }
            let begun = Instant::now();
            let answer = target.ask(caller, &asked, left).await;
            self.observe(caller, name, target, begun.elapsed(), &answer);
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

fn log(caller: &Caller, alias: &str, target: &str, elapsed: Duration, answer: &Result<ChatResponse, ChatFailure>) {
    let (job, stage) = (&caller.job, &caller.stage);
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
            failure = failure.kind(),
            reason = reason(failure),
            "a model did not answer"
        ),
    }
}

/// The part of a failure that may be logged: never what the model said.
fn reason(failure: &ChatFailure) -> &str {
    match failure {
        ChatFailure::RateLimited { message, .. }
        | ChatFailure::Unavailable { message, .. }
        | ChatFailure::ContextLengthExceeded { message, .. }
        | ChatFailure::BudgetExhausted { message, .. } => message,
        ChatFailure::Timeout(reason)
        | ChatFailure::ContentFiltered(reason)
        | ChatFailure::InvalidRequest(reason)
        | ChatFailure::Denied(reason)
        | ChatFailure::Misconfigured(reason) => reason,
        ChatFailure::InvalidOutput { .. } => "the answer does not have the requested form",
    }
}

#[cfg(test)]
mod tests;
