//! The calls of stages, against servers that listen, and one that must never hear anything.
#![allow(clippy::unwrap_used, reason = "a test fails on the first error")]

mod abuse;
mod bounds;
mod inside;
mod journal;
mod secrets;
mod world;
