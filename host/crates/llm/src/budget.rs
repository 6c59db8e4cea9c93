//! The layers that count what calls cost, and refuse those that would pass a budget.
//!
//! Every call reserves the most that it may cost before it is made, and settles it afterwards. So calls that are made at the
//! same time cannot pass a budget together. [`Budgeted`] is below the journal: a kept answer costs nothing again.
//! [`Accounted`] is above it, because a job has also spent what its kept answers took.

mod accounts;
mod purse;
mod together;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_core::model::{ChatFailure, ChatRequest, ChatResponse, EmbedRequest, EmbedResponse, Spent, Usage, Usd};
use gristmill_core::ports::{Caller, Model, ModelError};
use tokio::time::Instant;

use crate::estimate;
use crate::names;
use crate::parameters::output_limit;
use crate::price::Price;
use crate::prices;
use crate::settings::{AliasSettings, DEFAULT_TIMEOUT, TargetSettings};
use purse::Reservation;
pub use purse::{Clock, Purse};

/// What an answer may have where nothing bounds it: as much as most models write at all. With a budget, `gristmill check`
/// asks for a bound.
const MOST_OUTPUT_TOKENS: u32 = 128_000;
/// A wait that is shorter does not change the time left for the call.
const AT_ONCE: Duration = Duration::from_millis(1);

/// What a call to one target may cost.
#[derive(Debug, Clone, Copy)]
struct Tariff {
    /// `None` if nobody knows.
    price: Option<Price>,
    most_output_tokens: Option<u32>,
    /// What the model may think beyond that.
    headroom: u32,
}

/// What calls to an alias may cost: any of its targets can be the one that answers.
#[derive(Debug, Clone)]
pub(crate) struct Tariffs(Vec<Tariff>);

impl Tariffs {
    pub(crate) fn of(alias: &AliasSettings) -> Self {
        let tariff = |target: &TargetSettings| Tariff {
            price: prices::of(target),
            most_output_tokens: target.most_output_tokens(),
            headroom: target.for_thinking(),
        };
        Self(alias.all_targets().map(|(_, target)| tariff(target)).collect())
    }

    fn is_free(&self) -> bool {
        self.0.iter().all(|tariff| tariff.price.is_some_and(|price| price.is_free()))
    }

    /// The most that this call may cost at any of the targets whose price is known; `None` if none is.
    fn of_chat(&self, request: &ChatRequest) -> Option<Usd> {
        let input = estimate::input_tokens(request);
        let most = self.0.iter().filter_map(|Tariff { price, most_output_tokens, headroom }| {
            let output = output_limit(request, *most_output_tokens, *headroom).unwrap_or(MOST_OUTPUT_TOKENS);
            Some((*price)?.most(input, output.into()))
        });
        most.max()
    }

    /// The same for vectors, which cost nothing beyond their texts.
    fn of_vectors(&self, request: &EmbedRequest) -> Option<Usd> {
        let input = estimate::of_texts(&request.inputs);
        self.0.iter().filter_map(|tariff| Some(tariff.price?.most(input, 0))).max()
    }
}

/// A model whose calls are paid from a purse.
pub(crate) struct Budgeted<M> {
    model: M,
    purse: Arc<Purse>,
    by_alias: BTreeMap<String, Tariffs>,
}

impl<M: Model> Budgeted<M> {
    pub(crate) fn new(model: M, purse: Arc<Purse>, by_alias: BTreeMap<String, Tariffs>) -> Self {
        Self { model, purse, by_alias }
    }

    /// What to reserve. Without a budget nothing has to be counted.
    fn estimate(&self, tariffs: &Tariffs, most: impl FnOnce() -> Option<Usd>) -> Option<Usd> {
        if tariffs.is_free() {
            return Some(Usd::ZERO);
        }
        if self.purse.is_bounded() { most() } else { None }
    }
}

#[async_trait]
impl<M: Model> Model for Budgeted<M> {
    /// Waits at most half of the time for what is held by others: a call sent with no time left would be paid for and its
    /// answer lost. A dropped call counts as spent.
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError> {
        let (name, tariffs) = names::find(&self.by_alias, request.model.as_deref())?;
        let begun = Instant::now();
        let time = request.timeout.unwrap_or(DEFAULT_TIMEOUT);
        let estimate = self.estimate(tariffs, || tariffs.of_chat(request));
        let reserved = self.purse.reserve(caller, name, estimate, time / 2).await?;
        let waited = begun.elapsed();
        let request = match waited < AT_ONCE {
            true => Cow::Borrowed(request),
            false => Cow::Owned(ChatRequest { timeout: Some(time.saturating_sub(waited)), ..request.clone() }),
        };
        let answer = self.model.chat(caller, &request).await;
        settle(reserved, answer, |answer| (&answer.model, &answer.usage))
    }

    /// As for chats.
    async fn embed(&self, caller: &Caller, request: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        let (name, tariffs) = names::find(&self.by_alias, request.model.as_deref())?;
        let begun = Instant::now();
        let time = request.timeout.unwrap_or(DEFAULT_TIMEOUT);
        let estimate = self.estimate(tariffs, || tariffs.of_vectors(request));
        let reserved = self.purse.reserve(caller, name, estimate, time / 2).await?;
        let waited = begun.elapsed();
        let request = match waited < AT_ONCE {
            true => Cow::Borrowed(request),
            false => Cow::Owned(EmbedRequest { timeout: Some(time.saturating_sub(waited)), ..request.clone() }),
        };
        let answer = self.model.embed(caller, &request).await;
        settle(reserved, answer, |answer| (&answer.model, &answer.usage))
    }
}

/// Settles what was reserved for a call with what became of it.
fn settle<A>(
    reserved: Reservation<'_>,
    answer: Result<A, ModelError>,
    told: impl Fn(&A) -> (&str, &Usage),
) -> Result<A, ModelError> {
    match &answer {
        Ok(answer) => {
            let (model, usage) = told(answer);
            reserved.answered(model, Spent::of(usage))?;
        }
        Err(error) if may_be_paid(error) => reserved.lost()?,
        Err(_) => reserved.unspent(),
    }
    answer
}

/// Whether a provider may charge for a call without an answer: it has begun one that did not arrive, or has written one and
/// kept it.
fn may_be_paid(error: &ModelError) -> bool {
    match error {
        ModelError::Chat { failure, blame } => match failure {
            ChatFailure::Timeout(_) | ChatFailure::ContentFiltered(_) | ChatFailure::InvalidOutput { .. } => true,
            ChatFailure::Unavailable { .. } => blame.is_none(),
            ChatFailure::RateLimited { .. }
            | ChatFailure::ContextLengthExceeded { .. }
            | ChatFailure::InvalidRequest(_)
            | ChatFailure::Denied(_)
            | ChatFailure::BudgetExhausted { .. }
            | ChatFailure::Misconfigured(_) => false,
        },
        ModelError::Store(_) => false,
    }
}

/// A model that knows what the jobs that ask it have spent, in earlier runs too.
pub(crate) struct Accounted<M> {
    model: M,
    purse: Arc<Purse>,
}

impl<M: Model> Accounted<M> {
    pub(crate) fn new(model: M, purse: Arc<Purse>) -> Self {
        Self { model, purse }
    }
}

#[async_trait]
impl<M: Model> Model for Accounted<M> {
    /// Opens the account of the job with its first call.
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError> {
        self.purse.begin(&caller.job).await?;
        self.model.chat(caller, request).await
    }

    async fn embed(&self, caller: &Caller, request: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        self.purse.begin(&caller.job).await?;
        self.model.embed(caller, request).await
    }
}

#[cfg(test)]
mod tests;
