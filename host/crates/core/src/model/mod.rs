//! The values that move through Gristmill and the decisions about them: no async, no I/O, no serde.

mod caller;
mod canary;
mod canonical;
mod chat;
mod dead_letters;
mod digest;
mod disposition;
mod document;
mod durations;
mod embed;
mod event;
mod failure;
mod header;
mod http;
mod ids;
mod item;
mod item_id;
mod job;
mod job_query;
mod job_record;
mod measure;
mod merge;
pub mod meter;
mod money;
pub mod network;
mod outcome;
mod plan;
mod portion;
mod progress;
mod proportion;
pub mod schema;
mod share;
mod size;
mod spent;
mod stage_state;
mod standing;
mod stored;
mod submission;
mod target;
pub mod text;
mod trace;

pub use caller::{Caller, Owner, Scope};
pub use canary::{CanaryTerms, Judge, Judgement, Promotion, Side, Tally};
pub use canonical::{Canonical, Write};
pub use chat::{
    BudgetScope, ChatFailure, ChatMessage, ChatRequest, ChatResponse, Content, FinishReason, Format, Role, Usage,
};
pub use dead_letters::{DeadLetterBounds, DeadLetterRate, JobEnd};
pub use digest::sha256;
pub use disposition::{Disposition, Failed, FailureKind, Finished, Verdict};
pub use document::{DocumentGeneration, DocumentId, History, Provenance, RecordGeneration, Stamp, Version};
pub use embed::{EmbedRequest, EmbedResponse, Embedding, NoVector, Purpose, Vector};
pub use event::{Event, Timestamp};
pub use failure::Failure;
pub use header::{Attribute, Header};
pub use http::{HttpFailure, HttpRequest, HttpResponse};
pub use ids::{EventId, Generation, JobId, Next, Partition, Position};
pub use item::Item;
pub(crate) use item::{FAILURE_ATTRIBUTE, HOST_ATTRIBUTES};
pub use item_id::ItemId;
pub use job::{Input, Job, Task};
pub use job_query::{Cursor, JobFilter, JobQuery, Status, Summary};
pub use job_record::{
    Act, Acted, JobNote, JobRecord, KeptOutput, MOST_MOMENTS, MOST_OUTPUTS, Moment, MomentKind, OutputRecord, Told,
    Waiting,
};
pub use measure::{Amount, BadMeasure, Measure};
pub use merge::{Merge, MergeScope};
pub use money::{NoAmount, Usd};
pub use outcome::{Outcome, Output};
pub use plan::{Intake, Node, OnFailure, Plan, Target};
pub use portion::Portion;
pub use progress::Progress;
pub use share::{BadShare, Salt, Share};
pub use size::Size;
pub use spent::{Day, Spent, SpentOn};
pub use stage_state::{Entry, Expected, LONGEST_KEY, LONGEST_VALUE, Quota, Space, StateWrite, Wrote};
pub use standing::{Ended, Percent, Phase, Run, StageAt, StageCount, Standing};
pub use stored::{ObjectName, ObjectOf, StoredPayload};
pub use submission::{BatchId, Claim, Claimed, EventDigest, IdempotencyKey, Once, PayloadText, Submission, Submitted};
pub use target::{Blame, Ledger, Others, Requester, Sign, Turn};
pub use text::printable;
pub use trace::{BadTrace, Sampling, SpanId, TRACEPARENT, TraceContext, TraceId};
