//! Adapter: Redis Streams.
//!
//! - [`RedisBroker`]: everything below behind the [`Broker`](gristmill_core::ports::Broker) port
//! - [`Redis`]: the section of a pipeline file; [`Settings`]: the same with its secrets read
//! - [`RedisSource`]: a member of a consumer group; its entries stay pending until they are settled, and those of hosts that
//!   died are claimed
//! - [`RedisSink`]: appends, and waits for every answer
//! - [`RedisLetters`]: dead letters read back one by one, to prove replays
//!
//! `docs/records.md` specifies the fields of an entry, `docs/redis-streams.md` what is guaranteed.

mod access;
mod address;
mod append;
mod broker;
mod browse;
mod check;
mod claims;
mod client;
mod content;
mod counts;
mod entry;
mod fault;
mod fields;
mod foreign;
mod group;
mod keeper;
mod lag;
mod ledger;
mod letters;
mod member;
mod news;
mod outage;
mod question;
mod reader;
mod scripts;
mod settings;
mod sink;
mod source;
mod write;

pub use access::AccessError;
pub use address::{Addresses, BadAddress};
pub use broker::RedisBroker;
pub use check::{CheckError, StreamFault};
pub use counts::{Counts, Seen};
pub use letters::RedisLetters;
pub use settings::{Certificates, Consumer, Creation, Redis, Settings, SettingsError, Tls};
pub use sink::RedisSink;
pub use source::{RedisSource, SourceSettings};
