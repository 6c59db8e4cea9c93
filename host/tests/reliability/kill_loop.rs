//! Repeated SIGKILL at random times under load.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::extent::{Run, median, place, set, size};
use crate::harness::{Harness, PATIENCE, Setup, enriching};
use crate::host::Host;
use crate::oracle::Oracle;
use crate::reader::{Reader, Seen};
use crate::watch::Watch;
use gristmill_model_server::{Behaviour, ModelServer, Script};

/// The minimum number of events.
const EVENTS: usize = 20_000;
/// The default of `limits.max_in_flight`, and the `max_concurrent` of the test's model.
const IN_FLIGHT: usize = 64;
/// A static group member: a new process takes over immediately, without a rebalance.
const STATIC: &[(&str, &str)] = &[("group.instance.id", "the-one"), ("session.timeout.ms", "45000")];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_repeatedly_killed_host_loses_nothing() {
    let _place = place().await;
    let run = Run::new("kill loop");
    let kills = set("GRISTMILL_KILLS").unwrap_or_else(|| size(30, 200));
    let summary = Script::new().when("", [Behaviour::answer("{\"summary\": \"a number\"}")]);
    let server = ModelServer::start(summary).await;
    let setup = Setup::new(enriching(&server)).properties(STATIC);
    let harness = Arc::new(Harness::new(setup).await);
    let oracle = Arc::new(Oracle::new(&harness));
    let out = Arc::new(Reader::of_outputs(&harness).await);
    let dead = Arc::new(Reader::of_dead_letters(&harness).await);
    let watch = Watch::begin(&harness, &out, &dead);
    oracle.send(2_000).await;
    let (stop, stopped) = watch::channel(false);
    let feed = tokio::spawn({
        let (harness, oracle) = (Arc::clone(&harness), Arc::clone(&oracle));
        async move { oracle.feed(&harness, 2_000, 10_000, stopped).await }
    });

    let mut dice = run.dice(0);
    let (mut first, mut open) = (Vec::new(), Vec::new());
    for life in 1..=kills {
        let before: u64 = harness.ends("out").iter().sum();
        let begun = Instant::now();
        let mut host = harness.start();
        until_progress(&harness, &mut host, before, life).await;
        first.push(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(dice.u64(50..=1_500))).await;
        host.must_live("before it was killed");
        host.kill().await;
        open.push(written_and_not_committed(&harness, &out).await);
    }
    stop.send(true).unwrap();
    feed.await.unwrap();
    oracle.send(EVENTS.saturating_sub(oracle.events())).await;
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    assert_eq!(host.terminate().await, Some(0), "{}", host.last_words());

    let watched = watch.end().await;
    out.until(&harness.ends("out")).await;
    let account = oracle.account(&out.seen(), &Seen::default());
    let (events, calls) = (account.events, server.paid());
    let stated = kills * (IN_FLIGHT + usize::try_from(watched.peak).unwrap());
    run.say(
        "figures",
        format!(
            "{kills} kills, {events} events, {} lost, {} repeated (bound {stated}, counted at the kills {}), peak {} \
             events/s, {calls} paid calls, first output of a life after {:?} in the median, {:?} at most, {} samples \
             of offsets",
            account.lost.len(),
            account.repeated,
            open.iter().sum::<usize>(),
            watched.peak,
            median(&first).unwrap_or_default(),
            first.iter().max().copied().unwrap_or_default(),
            watched.samples,
        ),
    );
    account.must_be_complete();
    assert_eq!(harness.committed(), harness.ends("in"), "everything is committed");
    assert!(account.repeated <= stated, "{} repeats, at most {stated} are promised", account.repeated);
    // Every repeat must be explained by a kill: its event was written but not committed then, or in flight.
    let explained = open.iter().sum::<usize>() + kills * IN_FLIGHT;
    assert!(account.repeated <= explained, "{} repeats, the kills explain at most {explained}", account.repeated);
    let most = events + kills * IN_FLIGHT;
    assert!(calls <= most, "{calls} paid calls, {kills} kills explain at most {most}");
}

/// Waits for the first output of a host. A run in which a host writes nothing proves nothing, so it fails.
async fn until_progress(harness: &Harness, host: &mut Host, before: u64, life: usize) {
    let deadline = Instant::now() + PATIENCE;
    while harness.ends("out").iter().sum::<u64>() <= before {
        host.must_live("before its first output");
        assert!(Instant::now() < deadline, "UNKNOWN: no progress in life {life}:\n{}", host.last_words());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// How many events will be repeated because of the last kill.
async fn written_and_not_committed(harness: &Harness, out: &Reader) -> usize {
    out.until(&harness.ends("out")).await;
    let committed = harness.committed();
    let seen = out.seen();
    seen.times.keys().filter(|place| place.offset >= committed[place.partition as usize]).count()
}
