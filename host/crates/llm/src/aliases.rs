//! Aliases: which targets answer for a name, and in what order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use gristmill_core::model::{Blame, ChatFailure, ChatRequest, ChatResponse, JobId, Ledger, Requester, Sign, Usd};
use gristmill_core::ports::{Caller, FlowEvent, Model, ModelError, Observer};
use tokio::time::{Instant, timeout};

use crate::failure::{passes, turns_away};
use crate::limits::{Results, Share};
use crate::names;
use crate::price::Price;
use crate::provider::{Provider, Unanswered};

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
    /// What its calls got; other aliases and pipelines may share it.
    pub(crate) results: Arc<Results>,
    /// What its tokens cost. `None` if nobody knows.
    pub(crate) price: Option<Price>,
    pub(crate) provider: Box<dyn Provider>,
}

impl Target {
    /// Asks the target once it has room for another call. Waits at most half of the time for that: a call sent with no
    /// time left would be paid for and its answer lost.
    async fn ask(&self, caller: &Caller, request: &ChatRequest, left: Duration) -> Result<ChatResponse, Failed> {
        let begun = Instant::now();
        let Ok(Some(_permit)) = timeout(left / 2, self.limit.permit()).await else {
            let message = format!(
                "all {} concurrent calls allowed for {} are in flight, and none ended within {:?}; \
                 `max_concurrent` of the model sets the limit",
                self.limit.most(),
                self.name,
                left / 2
            );
            // It was never sent.
            let blame = Some(Blame::Limit);
            return Err(Failed { failure: ChatFailure::RateLimited { message, after: None }, blame });
        };
        let left = left.saturating_sub(begun.elapsed());
        let who = requester(caller);
        let turn = self.results(|results| results.begin(&who));
        match self.provider.chat(caller, &ChatRequest { timeout: Some(left), ..request.clone() }).await {
            Ok(response) => {
                self.results(|results| results.answered(&who, turn));
                Ok(self.priced(response))
            }
            Err(Unanswered { failure, sign }) => {
                let judge = |sign: Sign| self.results(|results| results.failed(&who, turn, sign));
                Err(Failed { failure, blame: sign.map(judge) })
            }
        }
    }

    /// With what it cost. What the provider itself says counts more.
    fn priced(&self, mut response: ChatResponse) -> ChatResponse {
        let usage = &mut response.usage;
        if usage.cost_nano_usd.is_none() {
            let cost = self.price.and_then(|price| price.cost(usage));
            usage.cost_nano_usd = cost.map(Usd::get);
        }
        response
    }

    fn results<T>(&self, act: impl FnOnce(&mut Ledger) -> T) -> T {
        // Nothing panics midway through a change, so poisoned results are still consistent.
        act(&mut self.results.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn requester(caller: &Caller) -> Requester {
    let Caller { job, stage, item, .. } = caller;
    Requester { job: job.clone(), stage: Arc::clone(stage), item: Arc::clone(item) }
}

/// A failure, and whose fault it is if that is open.
#[derive(Debug, Clone, PartialEq)]
struct Failed {
    failure: ChatFailure,
    blame: Option<Blame>,
}

impl Failed {
    /// This failure of an earlier target beside that of a later one: the failure that is reported, and whose fault both
    /// are together. It is the request's only if each target says so; and if one may have been paid without an answer,
    /// nobody's, because then the attempts must have an end. So they must for a request that is too long for the one while
    /// the other is down: the one that is down must not hold those that fit.
    fn beside(self, later: Self) -> Self {
        let gave_up = |failed: &Self| matches!(failed.failure, ChatFailure::Timeout(_));
        let limited = |failed: &Self| matches!(failed.failure, ChatFailure::RateLimited { .. });
        let too_long = matches!(self.failure, ChatFailure::ContextLengthExceeded { .. });
        let takes_over = match &later.failure {
            ChatFailure::RateLimited { .. } => !limited(&self),
            ChatFailure::Unavailable { .. } | ChatFailure::Timeout(_) => too_long,
            _ => false,
        };
        let blame = match gave_up(&self) || gave_up(&later) || too_long && !limited(&later) {
            true => None,
            false => self.blame.max(later.blame),
        };
        Self { failure: if takes_over { later.failure } else { self.failure }, blame }
    }
}

/// One alias.
pub(crate) struct Alias {
    targets: Vec<Target>,
    /// Which targets turned the last call away that they ended: told once, because their fallbacks keep the pipeline going.
    turning_away: Vec<AtomicBool>,
}

impl Alias {
    pub(crate) fn new(targets: Vec<Target>) -> Self {
        let turning_away = targets.iter().map(|_| AtomicBool::new(false)).collect();
        Self { targets, turning_away }
    }

    /// The failure with which the target at this index begins to turn calls away, if another one is left to ask.
    fn begins_to_turn_away<'a>(
        &self,
        index: usize,
        answer: &'a Result<ChatResponse, Failed>,
    ) -> Option<&'a ChatFailure> {
        let failure = answer.as_ref().err().map(|failed| &failed.failure).filter(|failure| turns_away(failure));
        let before = self.turning_away.get(index)?.swap(failure.is_some(), Ordering::Relaxed);
        failure.filter(|_| !before && index + 1 < self.targets.len())
    }

    /// The time for one call: what the request asks for, at most the sum of the targets' timeouts.
    pub(crate) fn time(&self, asked: Option<Duration>) -> Duration {
        let most = self.targets.iter().fold(Duration::ZERO, |sum, target| sum.saturating_add(target.timeout));
        asked.unwrap_or(most).min(most).min(LONGEST_CALL)
    }
}

/// All aliases of a pipeline.
pub(crate) struct Aliases {
    by_name: BTreeMap<String, Alias>,
    observer: Arc<dyn Observer>,
}

impl Aliases {
    pub(crate) fn new(by_name: BTreeMap<String, Alias>, observer: Arc<dyn Observer>) -> Self {
        Self { by_name, observer }
    }

    fn observe(
        &self,
        caller: &Caller,
        alias: &str,
        target: &Target,
        elapsed: Duration,
        answer: &Result<ChatResponse, Failed>,
    ) {
        let result = answer.as_ref().map(|response| response.usage).map_err(|failed| &failed.failure);
        let target = target.name.as_str();
        self.observer.observe(&FlowEvent::ModelCall { caller, alias, target, elapsed, result });
        log(caller, alias, target, elapsed, answer);
    }
}

#[async_trait]
impl Model for Aliases {
    /// Asks the first target, and each further one only if the first is busy, down, out of money, misconfigured or too
    /// small. If none answers, returns the first target's failure, or a rate limit if any target reported one: a fallback
    /// that is too small or has a wrong key must not turn a pause into a dead letter. Cancel-safe: a dropped call returns
    /// its permit.
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError> {
        let (name, alias) = names::find(&self.by_name, request.model.as_deref())?;
        let deadline = Instant::now() + alias.time(request.timeout);
        let asked = ChatRequest { model: Some(name.to_owned()), ..request.clone() };
        let mut failed: Option<Failed> = None;
        for (index, target) in alias.targets.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now()).min(target.timeout);
            if left.is_zero() {
                break;
            }
            let begun = Instant::now();
            let answer = target.ask(caller, &asked, left).await;
            self.observe(caller, name, target, begun.elapsed(), &answer);
            if let Some(failure) = alias.begins_to_turn_away(index, &answer) {
                let (target, reason) = (target.name.as_str(), reason(failure));
                tracing::warn!(
                    alias = name,
                    target,
                    reason,
                    "a target turns calls away: the next one is asked instead"
                );
            }
            let now = match answer {
                Ok(response) => return Ok(response),
                Err(now) => now,
            };
            let helps = failed.is_some() || passes(&now.failure);
            failed = Some(match failed {
                None => now,
                Some(earlier) => earlier.beside(now),
            });
            if !helps {
                break;
            }
        }
        Err(match failed {
            Some(Failed { failure, blame }) => ModelError::Chat { failure, blame },
            None => ChatFailure::Timeout(format!("no time was left to ask the model {name:?}")).into(),
        })
    }

    /// Forgets what it got at each target.
    fn forget(&self, job: &JobId) {
        for target in self.by_name.values().flat_map(|alias| &alias.targets) {
            target.results(|results| results.forget(job));
        }
    }
}

fn log(caller: &Caller, alias: &str, target: &str, elapsed: Duration, answer: &Result<ChatResponse, Failed>) {
    let (job, stage) = (&caller.job, &caller.stage);
    let elapsed_ms = elapsed.as_millis();
    match answer {
        Ok(response) => tracing::debug!(
            %job, %stage, alias, target, elapsed_ms,
            input_tokens = response.usage.input_tokens,
            output_tokens = response.usage.output_tokens,
            cost_usd = response.usage.cost_nano_usd.map(|nano| Usd::nano(nano).number()),
            "a model answered"
        ),
        Err(Failed { failure, blame }) => {
            let (failure, reason) = (failure.kind(), reason(failure));
            // What pauses the pipeline is told with the pause, and not for each item that waits.
            if blame.is_some_and(|blame| blame > Blame::Request) {
                tracing::debug!(%job, %stage, alias, target, elapsed_ms, failure, reason, ?blame, "a model did not answer");
            } else {
                tracing::warn!(%job, %stage, alias, target, elapsed_ms, failure, reason, ?blame, "a model did not answer");
            }
        }
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
