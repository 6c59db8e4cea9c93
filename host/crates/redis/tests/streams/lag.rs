//! How far behind the group is.

use gristmill_core::ports::{Demand, Signal, Source};

use crate::harness::{Harness, PATIENCE, event, numbered, settle};
use crate::redis::Streams;

async fn until_lag(source: &mut dyn Source, expected: u64) {
    let reported = async {
        loop {
            if let Signal::Lag { records, .. } = source.recv(Demand::ControlOnly).await.unwrap()
                && records == expected
            {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reported).await.unwrap_or_else(|_| panic!("a lag of {expected} was never reported"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_unread_and_what_is_in_work_is_the_lag() {
    let streams = Streams::new().await;
    streams.write(&numbered(0..7)).await;
    let mut source = streams.called("one");
    until_lag(&mut source, 7).await;
    let arrived = event(&mut source).await;
    until_lag(&mut source, 7).await;
    settle(&mut source, &arrived);
    until_lag(&mut source, 6).await;
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_redis_does_not_know_the_lag_it_ends_at_zero() {
    let streams = Streams::new().await;
    streams.write(&numbered(0..3)).await;
    // A group that begins in the middle, beside a deleted entry, has no lag that Redis knows.
    let ids: Vec<(String, redis::Value)> = streams.run("XRANGE S - +").await;
    let () = streams.run(&format!("XGROUP CREATE S G {}", ids[0].0)).await;
    let () = streams.run(&format!("XDEL S {}", ids[1].0)).await;
    let mut source = streams.called("one");
    let arrived = event(&mut source).await;
    settle(&mut source, &arrived);
    until_lag(&mut source, 0).await;
    source.close().await.unwrap();
}
