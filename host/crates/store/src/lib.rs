//! Adapter: the state store in one SQLite file for each pipeline, on the disk of this machine.
//!
//! - [`settings`]: what the operator decides
//! - `sqlite`: the port; it hands requests to two threads and waits for them
//! - `writer`: the one that writes, many requests in one transaction, over `retention`
//! - `reader`: the one that reads
//! - `file`: opens, checks and migrates the file
//! - `codec`: the bytes in which things are kept
//! - `health`: the first failure, which is the last

mod codec;
mod file;
mod health;
mod reader;
mod retention;
pub mod settings;
mod sqlite;
#[cfg(test)]
mod tests;
mod writer;

pub use settings::{Settings, StoreSettings};
pub use sqlite::Sqlite;
