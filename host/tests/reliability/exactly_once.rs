//! Exactly-once output: a reader of committed records sees each event once, even while hosts are killed and suspended.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::watch;

use crate::extent::{Run, place, size};
use crate::harness::{Harness, PASS, QUICK, Setup};
use crate::oracle::Oracle;
use crate::reader::{Reader, Seen};

const LIMITS: &str = "[limits]\ndrain_timeout = \"3s\"\n";
/// Longer than the default of `transaction.timeout.ms`, 10 s, and than `max.poll.interval.ms`.
const STOP: (u64, u64) = (12_000, 14_000);
/// How long a resumed host may take to notice that it cannot continue.
const NOTICE: Duration = Duration::from_secs(8);
const POLL: (&str, &str) = ("max.poll.interval.ms", "8000");

/// The size of a run and the number of its faults.
struct Extent {
    partitions: i32,
    events: usize,
    kills: usize,
    stops: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn committed_outputs_appear_exactly_once_whatever_happens_to_the_hosts() {
    let _place = place().await;
    let (events, kills, stops) = size((8_000, 6, 4), (33_000, 40, 12));
    survive(Run::new("exactly-once"), Extent { partitions: 6, events, kills, stops }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn committed_outputs_of_one_partition_keep_its_order() {
    let _place = place().await;
    let (events, kills, stops) = size((3_000, 3, 1), (15_000, 20, 4));
    let seen = survive(Run::new("exactly-once in order"), Extent { partitions: 1, events, kills, stops }).await;
    let order = &seen.order[&0];
    assert!(order.is_sorted(), "the outputs are not in the order of their events");
}

/// Runs two hosts, of which one is repeatedly killed and the other suspended. Returns the committed output, read at the
/// end.
async fn survive(run: Run, extent: Extent) -> Seen {
    let setup = Setup {
        top: "delivery = \"exactly-once\"\n",
        partitions: extent.partitions,
        sink_partitions: extent.partitions,
        ..Setup::new(format!("{PASS}{LIMITS}")).properties(&[QUICK, &[POLL]].concat())
    };
    let harness = Arc::new(Harness::new(setup).await);
    let oracle = Arc::new(Oracle::new(&harness));
    let live = Reader::of_outputs(&harness).await;
    oracle.send(extent.events / 4).await;
    let (stop, stopped) = watch::channel(false);
    let feed = tokio::spawn({
        let (harness, oracle) = (Arc::clone(&harness), Arc::clone(&oracle));
        async move { oracle.feed(&harness, 500, 400, stopped).await }
    });
    let killed = tokio::spawn(killed(Arc::clone(&harness), extent.kills, run.dice(0)));
    let paused = tokio::spawn(paused(Arc::clone(&harness), extent.stops, run.dice(1)));
    let (mut first, mut second) = (killed.await.unwrap(), paused.await.unwrap());
    stop.send(true).unwrap();
    feed.await.unwrap();
    oracle.send(extent.events.saturating_sub(oracle.events())).await;
    harness.until_all_settled(&mut first).await;
    second.must_live("at the end");
    assert_eq!(first.terminate().await, Some(0), "{}", first.last_words());
    assert_eq!(second.terminate().await, Some(0), "{}", second.last_words());

    let after = Seen::of(&harness.records("out").await, Some(&harness.name));
    let account = oracle.account(&after, &Seen::default());
    let events = account.events;
    until_seen(&live, events).await;
    let during = oracle.account(&live.seen(), &Seen::default());
    run.say(
        "figures",
        format!(
            "{} kills and {} stops, {events} events; read afterwards: {} lost, {} repeated; read meanwhile: {} lost, \
             {} repeated",
            extent.kills,
            extent.stops,
            account.lost.len(),
            account.repeated,
            during.lost.len(),
            during.repeated,
        ),
    );
    account.must_be_complete();
    during.must_be_complete();
    assert_eq!((account.repeated, during.repeated), (0, 0));
    after
}

/// Waits until the reader has this many events, which may arrive a moment after their offsets.
async fn until_seen(reader: &Reader, events: usize) {
    let reached = async {
        while reader.seen().times.len() < events {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let reached = tokio::time::timeout(Duration::from_secs(60), reached).await;
    assert!(reached.is_ok(), "the reader saw {} of {events} events", reader.seen().times.len());
}

/// Runs a host that is killed this many times; returns the last one.
async fn killed(harness: Arc<Harness>, times: usize, mut dice: Rng) -> crate::host::Host {
    let mut host = harness.start();
    for _ in 0..times {
        let settled = harness.settled();
        let until = "the next events are settled";
        harness.until(until, &mut host, || harness.settled() > settled).await;
        tokio::time::sleep(Duration::from_millis(dice.u64(50..=1_500))).await;
        host.must_live("before it was killed");
        host.kill().await;
        host = harness.start();
    }
    host
}

/// Runs a host that is suspended this many times, for longer than its transaction timeout; returns the last one.
async fn paused(harness: Arc<Harness>, times: usize, mut dice: Rng) -> crate::host::Host {
    let mut host = harness.start();
    for _ in 0..times {
        tokio::time::sleep(Duration::from_millis(dice.u64(2_000..=5_000))).await;
        host.must_live("before it was suspended");
        host.signal("STOP").await;
        tokio::time::sleep(Duration::from_millis(dice.u64(STOP.0..=STOP.1))).await;
        host.signal("CONT").await;
        // If it was suspended during a commit, it may not learn the result: it stops, and must be restarted.
        tokio::time::sleep(NOTICE).await;
        if let Some(status) = host.has_ended() {
            let log = host.last_words();
            assert!(
                status.code() == Some(1) && log.contains("cannot be committed in a transaction"),
                "{status}: {log}"
            );
            host = harness.start();
        }
    }
    host
}
