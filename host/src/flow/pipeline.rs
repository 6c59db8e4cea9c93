//! A pipeline as the flow sees it: resolved, connected, ready to run.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use crate::model::RetryPolicy;
use crate::ports::{Model, Observer, Sink, Stage};

/// One stage of a pipeline.
#[derive(Clone)]
pub struct Step {
    /// Its name in the pipeline file.
    pub name: Arc<str>,
    /// What runs.
    pub stage: Arc<dyn Stage>,
    /// How often an item is tried.
    pub retry: RetryPolicy,
}

/// How much is in flight at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Jobs at a time.
    pub jobs: NonZeroUsize,
    /// Bytes of the events of these jobs. One event larger than this still runs, alone.
    pub bytes: NonZeroUsize,
    /// Items of one job side by side.
    pub items_per_job: NonZeroUsize,
    /// How long jobs may go on after a stop or a revocation was asked for.
    pub drain_timeout: Duration,
}

/// Everything a job needs.
pub struct Pipeline {
    /// The pipeline's name: part of every job id.
    pub name: Arc<str>,
    /// The stages in order.
    pub steps: Vec<Step>,
    /// The names of the stages in order.
    pub stage_names: Arc<[Arc<str>]>,
    /// Media type of records without a `content-type` header.
    pub content_type: Option<String>,
    /// Where outputs and dead letters are written.
    pub sink: Arc<dyn Sink>,
    /// The topic of outputs.
    pub output_topic: Arc<str>,
    /// The topic of dead letters.
    pub dead_letter_topic: Arc<str>,
    /// The models, told when a job is over; `None` when no stage may ask one.
    pub model: Option<Arc<dyn Model>>,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
    /// How much is in flight.
    pub limits: Limits,
}
