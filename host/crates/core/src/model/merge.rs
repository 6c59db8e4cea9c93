//! How a request to a model may share one call with others.

use std::num::NonZeroU32;
use std::time::Duration;

/// What a stage allows for a request that others with the same instructions may join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Merge {
    /// The most requests in one call.
    pub items: NonZeroU32,
    /// The most tokens of their data in one call, as the host estimates them.
    pub tokens: u64,
    /// How long the first of them waits for others.
    pub wait: Duration,
    /// Whose requests may be in one call.
    pub among: MergeScope,
}

/// Whose requests may be in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MergeScope {
    /// Those of one job.
    Job,
    /// Those of all jobs of the pipeline.
    Pipeline,
}
