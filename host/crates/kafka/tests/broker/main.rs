//! Tests on a real broker: the promises of every source and sink, and what is specific to Kafka.
//!
//! Run by `cargo verify`, or manually: `cargo xtask kafka` in one terminal prints the variable to set in the other.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod acceptance;
mod embedded;
mod groups;
mod kafka;
mod lag;
mod leaving;
mod letters;
mod port;
mod source;
mod tools;
mod transactions;
mod turns;

use gristmill_conformance::{conformance, harness};
