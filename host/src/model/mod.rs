//! Floor 0. The values that move through Gristmill and the decisions about them: no async, no I/O, no serde.

mod chat;
mod event;
mod item;
mod job;
mod letters;
mod outcome;
mod plan;
mod progress;
mod retry;

pub use chat::{
    CacheUse, ChatFailure, ChatMessage, ChatRequest, ChatResponse, Content, FinishReason, Format, Role, Usage,
};
pub use event::{Event, EventId, Generation, Header, Next, Partition, Position, Timestamp};
pub use item::{Attribute, Item, ItemId, JobId};
pub use job::{Disposition, Failed, Finished, Input, Job, Task, Verdict};
pub use letters::{LetterBounds, LetterRate};
pub use outcome::{Failure, Outcome, Output};
pub use plan::{Intake, Node, OnFailure, Plan, Target};
pub use progress::Progress;
pub use retry::RetryPolicy;
