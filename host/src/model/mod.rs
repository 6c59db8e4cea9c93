//! Floor 0. The values that move through Gristmill and the decisions about them: no async, no I/O, no serde.

mod chat;
mod event;
mod item;
mod job;
mod outcome;
mod progress;
mod retry;

pub use chat::{
    CacheUse, ChatFailure, ChatMessage, ChatRequest, ChatResponse, Content, FinishReason, Format, Role, Usage,
};
pub use event::{Event, EventId, Generation, Header, Next, Partition, Position, Timestamp};
pub use item::{Attribute, Item, ItemId, JobId};
pub use job::{Disposition, Failed, Job, Task, Verdict};
pub use outcome::{Failure, Outcome, Output};
pub use progress::Progress;
pub use retry::RetryPolicy;
