//! Jobs as clients read them. A later version may add members; those that are here keep their names and meanings.

use std::collections::BTreeMap;

use gristmill_core::model::{Ended, Failure, JobRecord, Phase, Spent, Status, Summary};
use serde::Serialize;
use utoipa::ToSchema;

use super::desk::StageLabel;
use super::text::{rfc3339, segment};

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobView {
    /// Its id.
    pub job_id: String,
    /// Its pipeline.
    pub pipeline: String,
    /// Where it is: "accepted", "queued", "running", "waiting", "completed", "failed" or "cancelled".
    #[schema(value_type = StatusName)]
    pub status: &'static str,
    /// The name of the stage it is at.
    pub current_stage: Option<String>,
    /// That stage among the others.
    pub stage: Option<StageView>,
    /// Hundredths of the way: 100 once it has completed, and not before. Never less than a moment ago, until it is retried.
    #[schema(minimum = 0, maximum = 100)]
    pub progress: u8,
    /// The items of that stage.
    pub items: Option<ItemsView>,
    /// How many attempts of stages this run has made.
    pub attempts: u32,
    /// Why an attempt last failed; of a failed job, why it did. For people.
    pub last_error: Option<String>,
    /// The same for programs.
    pub error: Option<ErrorView>,
    /// Why it waits, if it does. For people.
    pub waiting_for: Option<String>,
    /// Until when it waits, if that is known.
    #[schema(format = DateTime)]
    pub until: Option<String>,
    /// What its calls of models cost, in US dollars, earlier runs included.
    pub cost: CostView,
    /// The tokens of these calls.
    pub tokens: TokensView,
    /// When it was first heard of.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// How many outputs it has.
    pub outputs: u32,
    /// Why it has none, if a stage filtered it out: the stage's code.
    pub dropped: Option<String>,
    /// How often it was asked for: 1, and one more with each retry.
    pub run: u32,
    /// Whether somebody asked to cancel this run.
    pub cancel_requested: bool,
    /// The batch it is one of.
    pub batch_id: Option<String>,
    /// What the client calls it.
    pub attributes: BTreeMap<String, String>,
    /// Where to ask for it.
    pub status_url: String,
}

/// The names of what a job can be.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "documents names that the model gives")]
pub(crate) enum StatusName {
    Accepted,
    Queued,
    Running,
    Waiting,
    Completed,
    Failed,
    Cancelled,
}

/// A stage among the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Stage)]
pub struct StageView {
    /// Its place, from 1.
    pub index: u32,
    /// How many there are.
    pub of: u32,
    /// What it does, for a progress bar.
    pub label: String,
}

/// Items of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Items)]
pub struct ItemsView {
    /// Those that are done.
    pub done: u32,
    /// Those that are known: there may be more.
    pub of: u32,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorView {
    /// The code, which is stable.
    pub code: String,
    /// For people.
    pub message: String,
    /// What the stage added, if anything.
    #[schema(value_type = Option<serde_json::Value>)]
    pub details: Option<serde_json::Value>,
}

/// Money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Cost)]
pub struct CostView {
    /// A decimal number of US dollars, as text, so that it is exact.
    pub usd: String,
    /// How many calls cost something that nobody knows.
    pub unpriced_calls: u64,
}

/// Tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Tokens)]
pub struct TokensView {
    /// Those that were sent.
    pub input: u64,
    /// The part of them that the provider had in its cache.
    pub cached_input: u64,
    /// Those that were answered.
    pub output: u64,
}

impl JobView {
    /// A job of a pipeline with these stages.
    #[must_use]
    pub fn of(pipeline: &str, stages: &[StageLabel], record: &JobRecord) -> Self {
        let told = &record.told;
        let is_over = record.standing.phase == Phase::Ended;
        let stage = told.stage.as_ref().filter(|_| record.ended != Some(Ended::Completed) || !is_over);
        let label = |name: &str| stages.iter().find(|stage| stage.name == name).map(|stage| stage.label.clone());
        let waiting = told.waiting.as_ref().filter(|_| !is_over);
        Self {
            job_id: record.job.to_string(),
            pipeline: pipeline.to_owned(),
            status: Status::of(record).name(),
            current_stage: stage.map(|stage| stage.name.clone()),
            stage: stage.map(|stage| StageView {
                index: stage.index,
                of: stage.of,
                label: label(&stage.name).unwrap_or_else(|| stage.name.clone()),
            }),
            progress: record.standing.percent.get(),
            items: stage.map(|stage| ItemsView { done: stage.items.done, of: stage.items.known }),
            attempts: told.attempts,
            last_error: told.last_error.as_ref().map(ToString::to_string),
            error: told.last_error.as_ref().map(ErrorView::of),
            waiting_for: waiting.map(|waiting| waiting.why.clone()),
            until: waiting.and_then(|waiting| waiting.until).map(rfc3339),
            cost: CostView::of(&told.spent),
            tokens: TokensView::of(&told.spent),
            created_at: rfc3339(record.created),
            updated_at: rfc3339(record.updated),
            outputs: told.outputs,
            dropped: told.dropped.clone(),
            run: record.run.0,
            cancel_requested: record.cancel,
            batch_id: record.batch.as_ref().map(|batch| batch.0.clone()),
            attributes: record.attributes.iter().map(|one| (one.name.clone(), one.value.clone())).collect(),
            status_url: status_url(record.job.as_str()),
        }
    }
}

/// The path of a job.
pub(crate) fn status_url(job: &str) -> String {
    format!("/v1/jobs/{}", segment(job))
}

impl ErrorView {
    pub(crate) fn of(failure: &Failure) -> Self {
        let details = failure.details.as_deref().and_then(|details| serde_json::from_str(details).ok());
        Self { code: failure.code.clone(), message: failure.message.clone(), details }
    }
}

impl CostView {
    pub(crate) fn of(spent: &Spent) -> Self {
        Self { usd: spent.cost.number(), unpriced_calls: spent.unpriced }
    }
}

impl TokensView {
    pub(crate) fn of(spent: &Spent) -> Self {
        Self { input: spent.input_tokens, cached_input: spent.cache_read_input_tokens, output: spent.output_tokens }
    }
}

/// A job that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Accepted {
    /// Its id.
    pub(crate) job_id: String,
    /// Where it is.
    #[schema(value_type = StatusName)]
    pub(crate) status: &'static str,
    /// Where to ask for it.
    pub(crate) status_url: String,
}

/// Jobs that were accepted together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct AcceptedBatch {
    /// Their batch.
    pub(crate) batch_id: String,
    /// Where to ask for it.
    pub(crate) status_url: String,
    /// The jobs, in the order in which they were sent.
    pub(crate) jobs: Vec<Accepted>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct JobList {
    /// The newest first.
    pub(crate) jobs: Vec<JobView>,
    /// What to send as `cursor` for the next part. Absent at the end.
    pub(crate) next_cursor: Option<String>,
}

/// Jobs that were submitted together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Batch)]
pub(crate) struct BatchView {
    /// Its id.
    pub(crate) batch_id: String,
    /// How many jobs it has.
    pub(crate) total: u64,
    /// How many of them are over.
    pub(crate) ended: u64,
    /// How many there are of each status.
    pub(crate) by_status: BTreeMap<&'static str, u64>,
    /// Hundredths of the way, of all together.
    #[schema(minimum = 0, maximum = 100)]
    pub(crate) progress: u64,
    /// Where to list them.
    pub(crate) jobs_url: String,
}

impl BatchView {
    /// `None` if there are no such jobs.
    pub(crate) fn of(batch_id: &str, summary: &Summary) -> Option<Self> {
        let total: u64 = summary.by_status.iter().sum();
        let by_status = Status::ALL.iter().map(|(name, status)| (*name, summary.by_status[*status as usize]));
        let over = [Status::Completed, Status::Failed, Status::Cancelled];
        Some(Self {
            batch_id: batch_id.to_owned(),
            total,
            ended: over.iter().map(|status| summary.by_status[*status as usize]).sum(),
            by_status: by_status.collect(),
            progress: summary.percent.checked_div(total)?,
            jobs_url: format!("/v1/jobs?batch={}", segment(batch_id)),
        })
    }
}
