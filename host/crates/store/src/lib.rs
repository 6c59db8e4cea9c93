//! Adapter: the state store of a pipeline, in a file on a local disk or on a server that hosts share.
//!
//! - [`settings`]: what the operator configures; `url`: the address of a server
//! - `sqlite`: a file of SQLite
//! - `postgres`: a database of PostgreSQL
//! - `redis`: a Redis server
//! - `memory`: remembers documents and what was spent without any
//!
//! What all of them share:
//!
//! - `queue`: hands requests to the thread that writes, and waits for its answers
//! - `request`: what can be asked of that thread
//! - `writer`: that thread, which writes many requests at once; `worker`: a thread that can be joined
//! - `health`: whether the store still works; the first permanent failure breaks it for good
//! - `codec`, `generation`: the encoding of what is kept; `decoding`: how it is read
//! - `records`: records of jobs, by the rules of the core; `asked`: the queue, as those see it who ask about records

mod asked;
mod codec;
mod decoding;
mod generation;
mod health;
mod memory;
mod postgres;
mod queue;
mod records;
mod redis;
mod request;
#[cfg(test)]
mod samples;
pub mod settings;
mod sqlite;
mod url;
mod worker;
mod writer;

pub use memory::{MemoryDocuments, MemoryJobs, MemorySpending, MemoryState};
pub use postgres::Postgres;
pub use redis::Redis;
pub use settings::{ServerSettings, Settings, StoreSettings};
pub use sqlite::{Sqlite, spending_of};
pub use url::{BadUrl, PostgresUrl, RedisUrl, StoreUrl, TlsMode};
