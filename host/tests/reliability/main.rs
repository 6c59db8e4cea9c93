//! Tests that no event is lost while hosts are killed, suspended, removed from their group and cut off from their broker,
//! with a real Apache Kafka.
//!
//! The test process is the oracle: it produces numbered events, injects faults into the hosts, and reads the output. The
//! faults follow from a seed, which every test prints; `GRISTMILL_TEST_SEED` sets it. `cargo xtask soak` runs all tests
//! in full size. docs/reliability.md explains the figures.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(clippy::print_stdout, reason = "figures are printed for --nocapture")]

mod bad_modules;
mod blame;
mod dead_letters;
mod disk;
mod documents;
mod exactly_once;
mod extent;
mod harness;
mod host;
mod kill_loop;
mod limits;
mod modules;
mod offsets;
mod oracle;
mod outage;
mod overdue;
mod own_broker;
mod poison;
mod reader;
mod readiness;
mod shared_store;
mod slow;
mod stall;
mod swaps;
mod three_hosts;
mod watch;
