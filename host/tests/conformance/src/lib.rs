//! What every source and sink has to do, whatever the broker. A broker needs a [`Harness`](harness::Harness) and one use of
//! [`conformance!`].
//!
//! The cases with revocations are for brokers that divide a topic among hosts. Where hosts share it entry by entry, as with
//! Redis, nothing is revoked, and its own tests hold what it does instead.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the message")]

pub mod conformance;
pub mod harness;

/// Creates the named tests for one harness.
#[macro_export]
macro_rules! conformance {
    ($harness:ty: $($test:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $crate::conformance::$test::<$harness>().await;
            }
        )+
    };
}
