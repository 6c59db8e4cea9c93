//! Aliases: which targets answer for a name, and in what order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use gristmill_core::model::{
    Blame, ChatFailure, ChatRequest, ChatResponse, EmbedRequest, EmbedResponse, JobId, Ledger, Portion, Requester,
    Usage, Usd, Vector,
};
use gristmill_core::ports::{Caller, FlowEvent, Keys, Model, ModelError, Observer};
use tokio::time::Instant;

use crate::answered::{Answered, Unanswered};
use crate::embedding::no_vectors;
use crate::failure::turns_away;
use crate::gate::{Entry, Visit};
use crate::limits::Results;
use crate::names;
use crate::parts::Bounds;
use crate::permits::Share;
use crate::price::Price;
use crate::provider::Provider;
use crate::question::Question;
use crate::route::{Lists, Route};
use crate::standing::Turned;

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
    /// The way in: its limits, and whether it is asked at all for now; other aliases and pipelines may share them.
    pub(crate) entry: Entry,
    /// What its calls got; other aliases and pipelines may share it.
    pub(crate) results: Arc<Results>,
    /// What its tokens cost. `None` if nobody knows.
    pub(crate) price: Option<Price>,
    pub(crate) provider: Box<dyn Provider>,
}

impl Target {
    /// Asks the target once it has room for another call. Waits at most half of the time for that: a call sent with no
    /// time left would be paid for and its answer lost.
    async fn ask<Q: Question>(
        &self,
        caller: &Caller,
        question: &Q,
        left: Duration,
    ) -> Result<Answered<Q::Answer>, Failed> {
        let begun = Instant::now();
        let who = requester(caller);
        let (size, most_output) = (question.size(), question.most_output());
        let visit = Visit { target: &self.name, who: &who, size, most_output };
        let admitted = self.entry.admit(visit, &self.limit, left / 2).await?;
        let left = left.saturating_sub(begun.elapsed());
        let turn = self.results(|results| results.begin(&who));
        match question.put(&*self.provider, caller, left).await {
            Ok(mut answered) => {
                self.results(|results| results.answered(&who, turn));
                self.price(Q::usage_mut(&mut answered.response));
                admitted.answered(&Q::usage(&answered.response), &answered.room);
                Ok(answered)
            }
            Err(Unanswered { failure, sign }) => {
                let blame = sign.map(|sign| self.results(|results| results.failed(&who, turn, sign)));
                admitted.failed(&failure, blame);
                Err(Failed { failure, blame })
            }
        }
    }

    /// Adds what it cost. What the provider itself says counts more.
    fn price(&self, usage: &mut Usage) {
        if usage.cost_nano_usd.is_none() {
            let cost = self.price.and_then(|price| price.cost(usage));
            usage.cost_nano_usd = cost.map(Usd::get);
        }
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

impl From<Turned> for Failed {
    fn from(Turned { failure, blame }: Turned) -> Self {
        Self { failure, blame: Some(blame) }
    }
}

impl Failed {
    /// This failure of an earlier target beside that of a later one: the failure that is reported, and whose fault both
    /// are together. It is the request's only if each target says so; and if one may have been paid without an answer,
    /// nobody's, because then the attempts must have an end. So they must for a request that is too long for the one, or
    /// refused by it, while the other is down: the one that is down must not hold those that the first one answers. A limit
    /// is waited for no longer than until the first of the targets may be asked again.
    fn beside(self, later: Self) -> Self {
        let gave_up = |failed: &Self| matches!(failed.failure, ChatFailure::Timeout(_));
        let limited = |failed: &Self| matches!(failed.failure, ChatFailure::RateLimited { .. });
        let own = matches!(self.failure, ChatFailure::ContextLengthExceeded { .. } | ChatFailure::ContentFiltered(_));
        let takes_over = match &later.failure {
            ChatFailure::RateLimited { .. } => !limited(&self),
            ChatFailure::Unavailable { .. } | ChatFailure::Timeout(_) => own,
            _ => false,
        };
        let blame = match gave_up(&self) || gave_up(&later) || own && !limited(&later) {
            true => None,
            false => self.blame.max(later.blame),
        };
        let soonest = [after(&self.failure), after(&later.failure)].into_iter().flatten().min();
        let failure = match if takes_over { later.failure } else { self.failure } {
            ChatFailure::RateLimited { message, after: Some(_) } => {
                ChatFailure::RateLimited { message, after: soonest }
            }
            failure => failure,
        };
        Self { failure, blame }
    }
}

/// When a target may be asked again, if that is known.
fn after(failure: &ChatFailure) -> Option<Duration> {
    match failure {
        ChatFailure::RateLimited { after, .. } | ChatFailure::Unavailable { after, .. } => *after,
        _ => None,
    }
}

/// One alias.
pub(crate) struct Alias {
    /// Those of all lists.
    targets: Vec<Target>,
    lists: Lists,
    /// Which targets turned the last call away that they ended: told once, because their fallbacks keep the pipeline going.
    turning_away: Vec<AtomicBool>,
    /// The length of the vectors, where requests ask for none: that of the first one.
    dimensions: OnceLock<usize>,
}

impl Alias {
    /// The usual targets.
    pub(crate) fn new(targets: Vec<Target>) -> Self {
        let lists = Lists { usual: targets.len(), too_long: 0, filtered: 0 };
        let turning_away = targets.iter().map(|_| AtomicBool::new(false)).collect();
        Self { targets, lists, turning_away, dimensions: OnceLock::new() }
    }

    /// The same with targets that are asked when a request is `too_long` for one of the usual ones, and when one `filtered`
    /// it.
    pub(crate) fn with(self, too_long: Vec<Target>, filtered: Vec<Target>) -> Self {
        let lists = Lists { too_long: too_long.len(), filtered: filtered.len(), ..self.lists };
        Self { lists, ..Self::new(self.targets.into_iter().chain(too_long).chain(filtered).collect()) }
    }

    /// How much its targets take in one request for vectors.
    ///
    /// # Errors
    /// The first target makes none.
    pub(crate) fn embedding(&self) -> Result<Bounds, ChatFailure> {
        let bounds = self.embedders().into_iter().filter_map(|index| self.targets.get(index)?.provider.embeds());
        let name = self.targets.first().map_or("", |target| target.name.as_str());
        bounds.map(|embeds| embeds.bounds()).reduce(Bounds::and).ok_or_else(|| no_vectors(name))
    }

    /// The usual targets that make vectors: the first one, and of the others those with a model of the same name. Vectors of
    /// another model would be of no use beside them, and nothing would show it.
    fn embedders(&self) -> Vec<usize> {
        let model = |target: &Target| target.provider.embeds().map(|embeds| embeds.model().to_owned());
        let Some(first) = self.targets.first().and_then(model) else { return Vec::new() };
        let usual = self.targets.iter().enumerate().take(self.lists.usual);
        usual.filter(|(_, target)| model(target).as_ref() == Some(&first)).map(|(index, _)| index).collect()
    }

    /// Refuses vectors of another length than those before: a fallback with a model of the same name that is another one.
    fn check_length(&self, request: &EmbedRequest, answer: &EmbedResponse) -> Result<(), ChatFailure> {
        let length = answer.vectors.first().map(Vector::dimensions);
        let Some(length) = length.filter(|_| request.dimensions.is_none()) else { return Ok(()) };
        let first = *self.dimensions.get_or_init(|| length);
        if length == first {
            return Ok(());
        }
        Err(ChatFailure::Misconfigured(format!(
            "{} made vectors of {length} dimensions, and the ones before had {first}; give the alias targets of one model only",
            answer.model
        )))
    }

    /// Whether the target at this index begins to turn calls away with this answer.
    fn begins_to_turn_away<A>(&self, index: usize, answer: &Result<A, Failed>) -> bool {
        let now = answer.as_ref().is_err_and(|failed| turns_away(&failed.failure));
        let before = self.turning_away.get(index).is_some_and(|before| before.swap(now, Ordering::Relaxed));
        now && !before
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

    /// Forgets what a job got at each target.
    pub(crate) fn forget(&self, job: &JobId) {
        for target in self.by_name.values().flat_map(|alias| &alias.targets) {
            target.results(|results| results.forget(job));
        }
    }

    /// This much of the group's work is done here from now on.
    pub(crate) fn share(&self, portion: Portion) {
        for target in self.by_name.values().flat_map(|alias| &alias.targets) {
            target.entry.share(portion);
        }
    }

    /// Asks targets in turn, each further one only if those before are busy, down, out of money, misconfigured or too
    /// small. One that is limited or down is not asked before it may be again. If none answers, returns the first target's
    /// failure, or a rate limit if any target reported one: a fallback that is too small or has a wrong key must not turn a
    /// pause into a dead letter. Cancel-safe: a dropped call returns its permit.
    async fn ask<Q: Question>(&self, call: Call<'_>, question: &Q) -> Result<Q::Answer, ModelError> {
        let Call { caller, name, alias, mut route, able, time } = call;
        let deadline = Instant::now() + time;
        let mut failed: Option<Failed> = None;
        while let Some((index, target)) = route.next().and_then(|index| Some((index, alias.targets.get(index)?))) {
            if able.as_ref().is_some_and(|able| !able.contains(&index)) {
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now()).min(target.timeout);
            if left.is_zero() {
                break;
            }
            let now = match target.entry.turned_away(&requester(caller)) {
                // It is not asked, so there is no call to observe.
                Some(turned) => turned.into(),
                None => {
                    let begun = Instant::now();
                    let span = caller.trace.child(|| fastrand::u64(1..));
                    let answer = target.ask(&Caller { trace: span, ..caller.clone() }, question, left).await;
                    let elapsed = begun.elapsed();
                    let (answered, sent) = (answer.as_ref().ok(), target.provider.sent());
                    let keys = Keys::new(sent.as_ref().and_then(|sent| sent.secrets.as_ref()));
                    let told = answer.as_ref().map(|answered| Q::usage(&answered.response));
                    self.observer.observe(&FlowEvent::ModelCall {
                        caller,
                        alias: name,
                        target: &target.name,
                        exchange: question.exchange(answered.map(|answered| &answered.response), keys),
                        answered_by: answered.and_then(|answered| answered.model.as_deref()),
                        span,
                        elapsed,
                        result: told.map_err(|failed| &failed.failure),
                    });
                    log(caller, name, &target.name, elapsed, told);
                    let begins = alias.begins_to_turn_away(index, &answer);
                    let now: Failed = match answer {
                        Ok(answered) => return Ok(answered.response),
                        Err(now) => now,
                    };
                    // The last one holds the pipeline, which is told elsewhere.
                    if begins && route.has_more() {
                        let (target, reason) = (target.name.as_str(), reason(&now.failure));
                        tracing::warn!(
                            alias = name,
                            target,
                            reason,
                            "a target turns calls away: the next one is asked instead"
                        );
                    }
                    now
                }
            };
            route.failed(&now.failure);
            failed = Some(match failed {
                None => now,
                Some(earlier) => earlier.beside(now),
            });
        }
        Err(match failed {
            Some(Failed { failure, blame }) => ModelError::Chat { failure, blame },
            None => ChatFailure::Timeout(format!("no time was left to ask the model {name:?}")).into(),
        })
    }
}

/// One call of an alias.
struct Call<'a> {
    caller: &'a Caller,
    name: &'a str,
    alias: &'a Alias,
    route: Route,
    /// The indices of those that can answer it; `None` if all can.
    able: Option<Vec<usize>>,
    time: Duration,
}

#[async_trait]
impl Model for Aliases {
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError> {
        let (name, alias) = names::find(&self.by_name, request.model.as_deref())?;
        let (route, time) = (Route::new(alias.lists), alias.time(request.timeout));
        let asked = ChatRequest { model: Some(name.to_owned()), ..request.clone() };
        self.ask(Call { caller, name, alias, route, able: None, time }, &asked).await
    }

    async fn embed(&self, caller: &Caller, request: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        let (name, alias) = names::find(&self.by_name, request.model.as_deref())?;
        alias.embedding()?;
        let (able, time) = (Some(alias.embedders()), alias.time(request.timeout));
        let route = Route::new(Lists { too_long: 0, filtered: 0, ..alias.lists });
        let asked = EmbedRequest { model: Some(name.to_owned()), ..request.clone() };
        let answer = self.ask(Call { caller, name, alias, route, able, time }, &asked).await?;
        alias.check_length(request, &answer)?;
        Ok(answer)
    }
}

fn log(caller: &Caller, alias: &str, target: &str, elapsed: Duration, answer: Result<Usage, &Failed>) {
    let (job, stage, trace_id) = (&caller.job, &caller.stage, caller.trace.trace_id());
    let elapsed_ms = elapsed.as_millis();
    match answer {
        Ok(usage) => tracing::debug!(
            %job, %trace_id, %stage, alias, target, elapsed_ms,
            input_tokens = usage.input_tokens,
            output_tokens = usage.output_tokens,
            cost_usd = usage.cost_nano_usd.map(|nano| Usd::nano(nano).number()),
            "a model answered"
        ),
        Err(Failed { failure, blame }) => {
            let (failure, reason) = (failure.kind(), reason(failure));
            // What pauses the pipeline is told with the pause, and not for each item that waits.
            if blame.is_some_and(|blame| blame > Blame::Request) {
                tracing::debug!(
                    %job, %trace_id, %stage, alias, target, elapsed_ms, failure, reason, ?blame, "a model did not answer"
                );
            } else {
                tracing::warn!(
                    %job, %trace_id, %stage, alias, target, elapsed_ms, failure, reason, ?blame, "a model did not answer"
                );
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
