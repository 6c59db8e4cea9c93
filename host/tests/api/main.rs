//! The HTTP API of the real binary, from a submission to its end: with the embedded broker, or with Kafka where
//! `GRISTMILL_TEST_KAFKA` names one.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(clippy::print_stdout, reason = "figures are printed for --nocapture")]

mod abuse;
mod abuse_names;
mod abuse_owners;
mod browser;
mod client;
mod contracts;
mod harness;
mod idempotency;
mod journey;
#[path = "../reliability/own_broker.rs"]
mod own_broker;
mod readme;
mod schema;
mod takeover;
mod truth;
