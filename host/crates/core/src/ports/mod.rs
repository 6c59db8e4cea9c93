//! What the flow needs from the outside: small traits, and the errors that drive its decisions.

mod accounts;
mod admission;
mod answers;
mod broker;
mod counters;
mod deliveries;
mod documents;
mod exchange;
mod jobs;
mod letters;
mod model;
mod objects;
mod observer;
mod outbound;
mod sink;
mod source;
mod spending;
mod stage;
mod stage_state;
mod store;
mod tokens;

pub use accounts::{Accounts, ModelCall};
pub use admission::{Admission, Denied};
pub use answers::Answers;
pub use broker::{
    Broker, Browse, Checked, Connection, From, Group, Guarantee, Inlet, Outlet, Records, Role, Start, Subscription,
    Topic, Until, WriteError,
};
pub use counters::{Counter, Counters};
pub use deliveries::{Deliveries, Delivery, Tried};
pub use documents::{Documents, Placed, Remembered};
pub use exchange::{Exchange, Keys, ModelOperation};
pub use jobs::{ActNumber, Acts, AskedToCancel, JobBook, Jobs, Published, Wanted};
pub use letters::{Letters, LettersError, NoLetters};
pub use model::{Caller, Model, ModelError, Models};
pub use objects::{Chunks, ObjectError, Objects};
pub use observer::{
    End, FlowEvent, Observer, Observers, PauseReason, Queues, Revocation, SavedBy, StoreOperation, StoreOutcome,
};
pub use outbound::{Answered, Outbound, OutboundError};
pub use sink::{Batch, Record, Settlement, Sink, SinkError, TransactionError, Transactor};
pub use source::{CommitOutcome, Demand, Fate, Notice, Reach, Signal, Source, SourceError};
pub use spending::Spending;
pub use stage::{BatchOf, Batching, Call, Edition, Hold, Stage, StageError};
pub use stage_state::StageState;
pub use store::{JobState, Keep, KeepOne, Kept, Key, Store, StoreError};
pub use tokens::Tokens;
