//! What the flow needs from the outside: small traits, and the errors that drive its decisions.

mod accounts;
mod answers;
mod broker;
mod counters;
mod documents;
mod exchange;
mod letters;
mod model;
mod observer;
mod sink;
mod source;
mod spending;
mod stage;
mod store;
mod tokens;

pub use accounts::Accounts;
pub use answers::Answers;
pub use broker::{
    Broker, Browse, Checked, Connection, From, Group, Guarantee, Outlet, Records, Role, Start, Subscription, Topic,
    Until, WriteError,
};
pub use counters::{Counter, Counters};
pub use documents::{Documents, Placed, Remembered};
pub use exchange::{Exchange, Keys, ModelOperation};
pub use letters::{Letters, LettersError, NoLetters};
pub use model::{Caller, Model, ModelError, Models};
pub use observer::{
    End, FlowEvent, Observer, Observers, PauseReason, Queues, Revocation, SavedBy, StoreOperation, StoreOutcome,
};
pub use sink::{Batch, Record, Settlement, Sink, SinkError, TransactionError, Transactor};
pub use source::{CommitOutcome, Demand, Fate, Notice, Reach, Signal, Source, SourceError};
pub use spending::Spending;
pub use stage::{BatchOf, Batching, Call, Edition, Hold, Stage, StageError};
pub use store::{JobState, Kept, Key, Store, StoreError};
pub use tokens::Tokens;
