//! Tests on a real Redis: the promises of every source and sink, and what is specific to streams.
//!
//! They start servers of their own, or use the one in `GRISTMILL_TEST_REDIS`, which is not killed.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod check;
mod claims;
mod groups;
mod kills;
mod lag;
mod news;
mod outages;
mod redis;
mod secure;
mod tools;

use gristmill_conformance::harness;
