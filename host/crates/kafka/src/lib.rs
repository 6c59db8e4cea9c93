//! Adapter: Kafka, through librdkafka.
//!
//! - [`KafkaBroker`]: everything below behind the [`Broker`](gristmill_core::ports::Broker) port
//! - [`Settings`], [`SourceSettings`]: how to reach the brokers, and which properties cannot be changed
//! - [`KafkaSource`]: a member of a consumer group; its consumer lives on a thread of its own that never stops polling
//! - [`KafkaSink`]: a producer that waits for every acknowledgement
//! - [`KafkaTransactor`]: outputs and offsets in one transaction, for exactly-once
//! - [`KafkaLetters`]: dead letters read back one by one, to prove replays
//! - [`check_topics`]: a clear error at the start instead of a puzzling one later; [`topic_stats`]: lag
//! - [`EmbeddedBroker`]: Kafka in memory with nothing installed; [`unread`] counts what it has to keep
//! - [`send`](fn@send), [`Tail`]: writing and reading records from outside a pipeline

mod acks;
mod admin;
mod assignment;
mod backlog;
mod broker;
mod cluster;
mod commit;
mod embedded;
mod extent;
mod faults;
mod fence;
mod fit;
mod groups;
mod guard;
mod guarded_sink;
mod join;
#[cfg(test)]
mod join_tests;
mod lag;
mod late_sink;
mod leave;
mod letters;
mod log;
mod message;
mod news;
mod offsets;
mod poll;
mod properties;
mod pulse;
mod reach;
mod readers;
mod reports;
mod send;
mod settings;
mod sink;
mod sizes;
mod source;
mod start;
mod stats;
mod tail;
mod together;
mod transaction;
mod transactor;
#[cfg(test)]
mod transactor_tests;

pub use admin::{CheckError, Creation, TopicFault, check_topics};
pub use broker::KafkaBroker;
pub use cluster::{BadBrokers, Brokers, Cluster, NoValue, Properties, Property};
pub use embedded::EmbeddedBroker;
pub use faults::{Fit, PropertyFault, PropertyReason, settable};
pub use guard::{Full, Unread, unread};
pub use letters::KafkaLetters;
pub use send::{SendError, SendFault, send};
pub use settings::{HighWater, Settings, SettingsError, SourceSettings};
pub use sink::KafkaSink;
pub use source::KafkaSource;
pub use stats::{PartitionStats, topic_stats};
pub use tail::Tail;
pub use transactor::{KafkaTransactor, TransactionSettings, TransactorError};
