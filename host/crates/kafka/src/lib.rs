//! Adapter: Kafka, by librdkafka.
//!
//! - [`KafkaBroker`]: all of it as one [`Broker`](gristmill_core::ports::Broker)
//! - [`Settings`], [`SourceSettings`]: how to reach the brokers, and what no property may change
//! - [`KafkaSource`]: a member of a consumer group; its consumer lives on a thread of its own that never stops polling
//! - [`KafkaSink`]: a producer that waits for every acknowledgement
//! - [`KafkaTransactor`]: outputs and offsets in one transaction, for exactly-once
//! - [`check_topics`]: one clear error at the start instead of a riddle later; [`topic_stats`] for lag
//! - [`EmbeddedBroker`]: Kafka without Kafka, in memory, for a first look; [`unread`] and [`may_append`] guard what it
//!   would forget
//! - [`send`](fn@send), [`Tail`]: records from outside a pipeline, written and read

mod admin;
mod backlog;
mod broker;
mod cluster;
mod commit;
mod embedded;
mod fence;
mod groups;
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
mod sizes;
mod source;
mod stats;
mod tail;
mod transaction;
mod transactor;
#[cfg(test)]
mod transactor_tests;

pub use admin::{CheckError, Creation, TopicFault, check_topics};
pub use broker::KafkaBroker;
pub use cluster::{BadBrokers, Brokers, Cluster, NoValue, Properties, Property};
pub use embedded::EmbeddedBroker;
pub use guard::{Full, Unread, may_append, unread};
pub use send::{SendError, SendFault, send};
pub use settings::{HighWater, Settings, SettingsError, SourceSettings};
pub use sink::KafkaSink;
pub use source::KafkaSource;
pub use stats::{PartitionStats, topic_stats};
pub use tail::Tail;
pub use transactor::{KafkaTransactor, TransactionSettings, TransactorError};
