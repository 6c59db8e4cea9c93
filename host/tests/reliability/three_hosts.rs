//! Three hosts of one group that join, leave, and are suspended for longer than the group's timeouts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::sync::watch;

use crate::extent::{Run, place, size};
use crate::harness::{Harness, PASS, QUICK, Setup};
use crate::host::Host;
use crate::oracle::Oracle;
use crate::reader::{Reader, Seen};
use crate::watch::Watch;

/// The group removes a member after 8 s without a poll or 6 s without a heartbeat, so a drain must be shorter.
const LIMITS: &str = "[limits]\ndrain_timeout = \"3s\"\nmax_in_flight = 64\n";
const POLL: (&str, &str) = ("max.poll.interval.ms", "8000");
const IN_FLIGHT: usize = 64;

/// The fault that a host suffers repeatedly.
#[derive(Clone, Copy)]
enum Fault {
    /// SIGTERM, and a new host a little later.
    Leaves,
    /// SIGSTOP for longer than the group's timeouts, then SIGCONT.
    Stops,
    /// Both in turn.
    Both,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hosts_that_join_leave_and_hang_lose_nothing_and_never_move_an_offset_back() {
    let _place = place().await;
    come_and_go(Run::new("three hosts"), [QUICK, &[POLL]].concat()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_if_the_broker_assigns_partitions() {
    let _place = place().await;
    come_and_go(Run::new("three hosts, KIP-848"), vec![("group.protocol", "consumer"), POLL]).await;
}

async fn come_and_go(run: Run, properties: Vec<(&'static str, &'static str)>) {
    let setup = Setup::new(format!("{PASS}{LIMITS}")).properties(&properties);
    let harness = Arc::new(Harness::new(setup).await);
    let oracle = Arc::new(Oracle::new(&harness));
    let out = Arc::new(Reader::of_outputs(&harness).await);
    let dead = Arc::new(Reader::of_dead_letters(&harness).await);
    let watch = Watch::begin(&harness, &out, &dead);
    let (stop, stopped) = watch::channel(false);
    let feed = tokio::spawn({
        let (harness, oracle) = (Arc::clone(&harness), Arc::clone(&oracle));
        async move { oracle.feed(&harness, 1_000, 1_000, stopped).await }
    });
    let until = Instant::now() + size(Duration::from_secs(60), Duration::from_secs(300));
    let faults = [Fault::Leaves, Fault::Stops, Fault::Both];
    let lives = faults.into_iter().enumerate().map(|(number, fault)| {
        let (harness, dice) = (Arc::clone(&harness), run.dice(number as u64));
        tokio::spawn(live(harness, fault, dice, until))
    });
    let (mut hosts, mut done) = (Vec::new(), 0);
    for life in lives.collect::<Vec<_>>() {
        let (host, times) = life.await.unwrap();
        hosts.push(host);
        done += times;
    }
    stop.send(true).unwrap();
    feed.await.unwrap();
    let calm = Instant::now();
    let (first, others) = hosts.split_at_mut(1);
    harness.until_all_settled(&mut first[0]).await;
    let calm = calm.elapsed();
    for host in first.iter_mut().chain(others) {
        assert_eq!(host.terminate().await, Some(0), "{}", host.last_words());
    }

    let watched = watch.end().await;
    out.until(&harness.ends("out")).await;
    let account = oracle.account(&out.seen(), &Seen::default());
    let events = account.events;
    // A fault repeats the events in flight in each host, because partitions move between all, and the uncommitted ones.
    let stated = done * (3 * IN_FLIGHT + usize::try_from(watched.peak).unwrap());
    run.say(
        "figures",
        format!(
            "{done} faults, {events} events, {} lost, {} repeated (bound {stated}), peak {} events/s, longest \
             standstill {:?}, {} samples of offsets, moves of each partition {:?}, settled {calm:?} after the last fault",
            account.lost.len(),
            account.repeated,
            watched.peak,
            watched.standstill,
            watched.samples,
            watched.moves,
        ),
    );
    account.must_be_complete();
    assert_eq!(harness.committed(), harness.ends("in"), "everything is committed");
    assert!(watched.moves.iter().all(|moves| *moves >= 5), "a partition made no progress: {:?}", watched.moves);
    assert!(account.repeated <= stated, "{} repeats, at most {stated} are promised", account.repeated);
    assert!(account.repeated * 5 <= events, "{} of {events} is more than 20%", account.repeated);
}

/// Runs a host, and its replacements, with this fault. Returns the last, running host and the number of faults.
async fn live(harness: Arc<Harness>, fault: Fault, mut dice: Rng, until: Instant) -> (Host, usize) {
    let mut host = harness.start();
    let mut times = 0;
    let mut nap = async |from: u64, to: u64| tokio::time::sleep(Duration::from_millis(dice.u64(from..=to))).await;
    nap(2_000, 5_000).await;
    while Instant::now() < until {
        host.must_live("between two faults");
        let stops = match fault {
            Fault::Leaves => false,
            Fault::Stops => true,
            Fault::Both => times % 2 == 0,
        };
        if stops {
            host.signal("STOP").await;
            nap(9_000, 12_000).await;
            host.signal("CONT").await;
        } else {
            let code = host.terminate().await;
            // Its last commit may time out: the group leader may be the suspended host.
            let last_commit_failed = host.log().contains("the last commit");
            assert!(code == Some(0) || code == Some(1) && last_commit_failed, "{code:?}: {}", host.last_words());
            nap(300, 2_000).await;
            host = harness.start();
        }
        times += 1;
        nap(3_000, 7_000).await;
    }
    host.must_live("after the last fault");
    (host, times)
}
