//! The API over HTTP, before a host in memory.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod acting;
mod configured;
mod document;
mod fake;
mod following;
mod limits;
mod served;
mod submitting;
