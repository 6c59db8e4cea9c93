//! Servers for tests: a small registry of components, [`RegistryDouble`], and real ones, [`Redis`] and [`Postgres`], each in its
//! own process, on a free local port, with its files in a temporary folder. They keep what they acknowledged also when they
//! are killed, and stop when they are dropped or when the process of the test ends, however it ends.
//!
//! `GRISTMILL_TEST_REDIS` and `GRISTMILL_TEST_POSTGRES` name servers to use instead. Those are not killed: a test that kills
//! its server starts one with `own`, and is skipped if that is `None`.
//!
//! ```ignore
//! let Some(mut redis) = Redis::own().await else { return };
//! // … write to redis.url() …
//! redis.kill();
//! redis.restart().await;
//! ```

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod given;
mod postgres;
mod process;
mod redis;
mod registry;

pub use postgres::Postgres;
pub use process::free_port;
pub use redis::Redis;
pub use registry::{Answer, Asked, Registry as RegistryDouble};
