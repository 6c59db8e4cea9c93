//! The proof that no event is lost: hosts that are killed, stopped, thrown out of their group and cut off from their
//! broker, between the topics of a real Apache Kafka.
//!
//! The test process is the oracle. It lives outside of the hosts, produces numbered events, pulls the plugs, and reads
//! what arrives. What happens when follows from a seed, which a failing test prints; `GRISTMILL_TEST_SEED` sets it.
//! `cargo xtask soak` runs all of it in full size. docs/reliability.md says what the figures mean.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(clippy::print_stdout, reason = "figures are for whoever runs it with --nocapture")]

mod disk;
mod exactly_once;
mod extent;
mod harness;
mod host;
mod kill_loop;
mod letters;
mod offsets;
mod oracle;
mod outage;
mod own_broker;
mod poison;
mod reader;
mod slow;
mod three_hosts;
mod watch;
