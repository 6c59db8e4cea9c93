//! Adapter: the state store, one SQLite file per pipeline on a local disk.
//!
//! - [`settings`]: what the operator configures
//! - `sqlite`: implements the port; hands requests to two threads and waits for their answers
//! - `writer`: the thread that writes, many requests per transaction
//! - `retention`: deletes what is too old, driven by `writer`
//! - `documents`: the tables of documents and of what they have left in the sink
//! - `spending`: the table of what was spent on models
//! - `answers`: the table of answers that any job may reuse
//! - `memory`: remembers documents and what was spent without a file
//! - `reader`: the thread that reads
//! - `file`: opens, checks and migrates the file
//! - `codec`: the encoding of what is kept
//! - `health`: whether the store still works; the first permanent failure breaks it for good

mod answers;
mod codec;
mod documents;
mod file;
mod health;
mod memory;
mod reader;
mod retention;
pub mod settings;
mod spending;
mod sqlite;
#[cfg(test)]
mod tests;
mod writer;

pub use memory::{MemoryDocuments, MemorySpending};
pub use settings::{Settings, StoreSettings};
pub use spending::spending_of;
pub use sqlite::Sqlite;
