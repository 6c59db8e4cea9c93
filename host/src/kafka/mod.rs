//! Adapter: Kafka, by librdkafka.
//!
//! - [`Settings`], [`SourceSettings`]: how to reach the brokers, and what no property may change
//! - [`KafkaSource`]: a member of a consumer group; its consumer lives on a thread of its own that never stops polling
//! - [`KafkaSink`]: a producer that waits for every acknowledgement
//! - [`check_topics`]: one clear error at the start instead of a riddle later; [`topic_stats`] for lag
//! - [`EmbeddedBroker`]: Kafka without Kafka, in memory, for a first look; [`unread`] and [`may_append`] guard what it
//!   would forget
//! - [`send`](fn@send), [`Tail`]: what the commands of the same names do

mod admin;
mod backlog;
mod commit;
mod embedded;
mod guard;
mod log;
mod message;
mod offsets;
mod poll;
mod properties;
mod rebalance;
mod send;
mod settings;
mod sink;
mod source;
mod stats;
mod tail;

pub use admin::{CheckError, Creation, TopicFault, check_topics};
pub use embedded::EmbeddedBroker;
pub use guard::{Full, Unread, may_append, unread};
pub use send::{SendError, SendFault, send};
pub use settings::{HighWater, Settings, SettingsError, SourceSettings, Start};
pub use sink::KafkaSink;
pub use source::KafkaSource;
pub use stats::{PartitionStats, topic_stats};
pub use tail::{From, Tail, Until};
