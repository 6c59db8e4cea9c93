//! What belongs to a job, as clients read it: its history, its outputs, its webhooks.

use gristmill_core::model::{Moment, MomentKind, OutputRecord};
use gristmill_core::ports::Delivery;
use serde::Serialize;
use utoipa::ToSchema;

use super::text::rfc3339;
use super::view::{CostView, ErrorView, TokensView, status_url};

/// What has happened in a job.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Timeline {
    /// The job.
    pub(crate) job_id: String,
    /// The oldest first, at most 1,000 of each run.
    pub(crate) moments: Vec<MomentView>,
}

/// Something that happened in a job.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Moment)]
pub(crate) struct MomentView {
    /// When it was over.
    #[schema(format = DateTime)]
    at: String,
    /// The run.
    run: u32,
    /// The stage.
    stage: String,
    /// The item.
    item: String,
    /// How long it took, in milliseconds.
    milliseconds: u64,
    /// What it was: "attempt" of a stage, "restored" (the stage was not run: its outcome was kept) or "model_call".
    what: &'static str,
    /// The number of the attempt, from 1.
    attempt: Option<u32>,
    /// Why the attempt failed, if it did.
    error: Option<ErrorView>,
    /// Which alias was asked.
    alias: Option<String>,
    /// Who answered, as "provider/model".
    target: Option<String>,
    /// The tokens of the call.
    tokens: Option<TokensView>,
    /// What it cost.
    cost: Option<CostView>,
}

impl MomentView {
    pub(crate) fn of(moment: &Moment) -> Self {
        let view = Self {
            at: rfc3339(moment.at),
            run: moment.run.0,
            stage: moment.stage.clone(),
            item: moment.item.to_string(),
            milliseconds: moment.milliseconds,
            what: "restored",
            attempt: None,
            error: None,
            alias: None,
            target: None,
            tokens: None,
            cost: None,
        };
        match &moment.what {
            MomentKind::Restored => view,
            MomentKind::Attempt(number, failure) => {
                let error = failure.as_ref().map(ErrorView::of);
                Self { what: "attempt", attempt: Some(*number), error, ..view }
            }
            MomentKind::ModelCall(alias, target, spent) => Self {
                what: "model_call",
                alias: Some(alias.clone()),
                target: Some(target.clone()),
                tokens: Some(TokensView::of(spent)),
                cost: Some(CostView::of(spent)),
                ..view
            },
        }
    }
}

/// The outputs of a job that has not just one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Outputs {
    /// The job.
    pub(crate) job_id: String,
    /// How many it has.
    pub(crate) total: u32,
    /// The first 100 of them.
    pub(crate) outputs: Vec<OutputView>,
}

/// An output of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Output)]
pub(crate) struct OutputView {
    /// Its number, from 1.
    number: usize,
    /// The topic it is in.
    topic: String,
    /// Its item.
    item: String,
    /// Its media type.
    content_type: Option<String>,
    /// SHA-256 of its bytes, in hexadecimal.
    sha256: String,
    /// How many bytes it has.
    size: u64,
    /// Where its bytes are. Absent if they are in the topic only.
    url: Option<String>,
}

impl OutputView {
    pub(crate) fn of(job: &str, number: usize, output: &OutputRecord) -> Self {
        Self {
            number,
            topic: output.topic.clone(),
            item: output.item.to_string(),
            content_type: output.content_type.clone(),
            sha256: output.sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
            size: output.size,
            url: output.kept.as_ref().map(|_| format!("{}/result/{number}", status_url(job))),
        }
    }
}

/// The webhooks of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Webhooks {
    /// One for each run that has ended, the first run first.
    pub(crate) deliveries: Vec<DeliveryView>,
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(crate) struct DeliveryView {
    /// The run whose end it tells.
    run: u32,
    /// Where to.
    url: String,
    /// "pending", "delivered" or "given up".
    state: &'static str,
    /// How often it was tried.
    tries: u32,
    /// When it was last tried.
    #[schema(format = DateTime)]
    last_try_at: Option<String>,
    /// The status of that answer, if there was one.
    last_status: Option<u16>,
    /// What went wrong then.
    last_error: Option<String>,
    /// When it is tried next.
    #[schema(format = DateTime)]
    next_try_at: Option<String>,
}

impl DeliveryView {
    pub(crate) fn of(delivery: &Delivery) -> Self {
        let last = delivery.last.as_ref();
        let state = match (delivery.due, last) {
            (Some(_), _) => "pending",
            (None, Some(last)) if last.error.is_none() => "delivered",
            (None, _) => "given up",
        };
        Self {
            run: delivery.run.0,
            url: delivery.url.clone(),
            state,
            tries: delivery.tries,
            last_try_at: last.map(|last| rfc3339(last.at)),
            last_status: last.and_then(|last| last.status),
            last_error: last.and_then(|last| last.error.clone()),
            next_try_at: delivery.due.map(rfc3339),
        }
    }
}
