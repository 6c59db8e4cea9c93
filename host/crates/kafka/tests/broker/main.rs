//! What is proven against a real broker: the promises of every source and sink, and what is Kafka's own.
//!
//! Run by `cargo verify`, or by hand: `cargo xtask kafka` in one terminal prints what to set in the other.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod acceptance;
mod bench;
mod conformance;
mod groups;
mod kafka;
mod port;
mod source;
mod tools;
mod transactions;
