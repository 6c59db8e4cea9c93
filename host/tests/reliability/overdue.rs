//! A host that is suspended while its group rebalances, for longer than it may go without a poll.
//!
//! With cooperative-sticky, librdkafka 2.12 can then forget that its partitions are lost, and commit for partitions that are
//! another member's (confluentinc/librdkafka#5604).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::extent::{Run, place, size};
use crate::harness::{Harness, PASS, Setup};
use crate::oracle::Oracle;
use crate::reader::{Reader, Seen};
use crate::watch::Watch;

const LIMITS: &str = "[limits]\ndrain_timeout = \"3s\"\nmax_in_flight = 64\n";
/// The session is as long as the poll may be overdue, so the group waits for the suspended member until then.
const TIMES: &[(&str, &str)] = &[
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("max.poll.interval.ms", "8000"),
    ("session.timeout.ms", "8000"),
    ("heartbeat.interval.ms", "500"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_poll_that_is_overdue_in_the_middle_of_a_rebalance_commits_nothing_of_others() {
    let _place = place().await;
    let run = Run::new("overdue poll");
    let mut dice = run.dice(0);
    let harness = Arc::new(Harness::new(Setup::new(format!("{PASS}{LIMITS}")).properties(TIMES)).await);
    let oracle = Arc::new(Oracle::new(&harness));
    let out = Arc::new(Reader::of_outputs(&harness).await);
    let dead = Arc::new(Reader::of_dead_letters(&harness).await);
    let watch = Watch::begin(&harness, &out, &dead);
    let (stop, stopped) = watch::channel(false);
    let feed = tokio::spawn({
        let (harness, oracle) = (Arc::clone(&harness), Arc::clone(&oracle));
        async move { oracle.feed(&harness, 1_000, 1_000, stopped).await }
    });

    let mut host = harness.start();
    let times = size(3, 12);
    for _ in 0..times {
        let settled = harness.settled();
        harness.until("it has partitions and works", &mut host, || harness.settled() > settled).await;
        // The other one joins: a rebalance begins while this one is in the middle of its work.
        let mut other = harness.start();
        tokio::time::sleep(Duration::from_millis(dice.u64(200..=1_500))).await;
        host.signal("STOP").await;
        tokio::time::sleep(Duration::from_millis(dice.u64(8_500..=11_000))).await;
        host.signal("CONT").await;
        let settled = harness.settled();
        harness.until("the other one works", &mut other, || harness.settled() > settled).await;
        // The next round suspends the other one, which has all partitions in the end.
        let code = host.terminate().await;
        let last_commit_failed = host.log().contains("the last commit");
        assert!(code == Some(0) || code == Some(1) && last_commit_failed, "{code:?}: {}", host.last_words());
        host = other;
    }
    stop.send(true).unwrap();
    feed.await.unwrap();
    harness.until_all_settled(&mut host).await;
    assert_eq!(host.terminate().await, Some(0), "{}", host.last_words());

    // It has checked all along that no offset goes back or passes an event that is not in the sink.
    let watched = watch.end().await;
    out.until(&harness.ends("out")).await;
    let account = oracle.account(&out.seen(), &Seen::default());
    run.say(
        "figures",
        format!(
            "{times} overdue polls, {} events, {} lost, {} repeated, {} samples of offsets",
            account.events,
            account.lost.len(),
            account.repeated,
            watched.samples,
        ),
    );
    account.must_be_complete();
    assert_eq!(harness.committed(), harness.ends("in"), "everything is committed");
}
