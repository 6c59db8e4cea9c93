//! What a swap costs the traffic: the pauses between the ends of jobs while a new module is compiled, tried out and swapped in.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gristmill::app::{Compiler, Following, Host, HostOptions, Memory, Versions, Watchers, compiler_child};
use gristmill::settings::{HostLimits, Pipeline};
use gristmill_core::ports::{FlowEvent, Observer};
use gristmill_wasm::CompileLimits;
use tokio_util::sync::CancellationToken;

use crate::extent::{Run, alone, size};
use crate::harness::{Harness, OBEY, PATIENCE, Setup};
use crate::modules::{guest, replace, unique};
use crate::oracle::Oracle;
use crate::reader::Seen;

/// How many events wait for the host, so that it never rests.
const BACKLOG: usize = 5_000;

/// When jobs ended.
#[derive(Default)]
struct Ends(Mutex<Vec<Instant>>);

impl Observer for Ends {
    fn observe(&self, event: &FlowEvent<'_>) {
        if let FlowEvent::JobEnded { .. } = event {
            self.0.lock().unwrap().push(Instant::now());
        }
    }
}

impl Ends {
    /// The pauses between jobs that ended within this time, the first and the last of it included.
    fn pauses(&self, from: Instant, until: Instant) -> Vec<Duration> {
        let ends = self.0.lock().unwrap();
        let mut within: Vec<Instant> = ends.iter().copied().filter(|end| (from..until).contains(end)).collect();
        within.sort_unstable();
        within.insert(0, from);
        within.push(until);
        within.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

/// The value that this share of them does not exceed.
fn percentile(values: &[Duration], share: f64) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() as f64 * share).ceil() as usize;
    sorted[at.clamp(1, sorted.len()) - 1]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_module_serves_soon_and_the_traffic_hardly_notices() {
    let _alone = alone().await;
    let run = Run::new("stall");
    let mut dice = run.dice(0);
    let harness = Harness::new(Setup::new(OBEY.replace("GUEST:misbehave", "MODULE"))).await;
    let module = harness.folder().join("module.wasm");
    std::fs::write(&module, unique(guest("misbehave"), &mut dice)).unwrap();
    let text = std::fs::read_to_string(harness.file()).unwrap().replace("MODULE", &module.display().to_string());
    std::fs::write(harness.file(), text).unwrap();

    let (ends, shutdown) = (Arc::new(Ends::default()), CancellationToken::new());
    let observers: Vec<Arc<dyn Observer>> = vec![Arc::<Ends>::clone(&ends)];
    let program = Path::new(env!("CARGO_BIN_EXE_gristmill")).to_owned();
    let child = compiler_child(program, CompileLimits::default());
    let options = HostOptions {
        memory: Memory::Durable,
        limits: HostLimits::default(),
        compiler: Compiler::Child(child),
        shutdown: shutdown.clone(),
        watchers: Watchers { observers, ..Watchers::default() },
        following: Following::default(),
        versions: Versions::none(),
        registry: gristmill::app::registry(gristmill::app::Network::Online).unwrap(),
    };
    let (built, over) = Host::build(vec![Pipeline::load(&harness.file()).unwrap()], options).await.unwrap();
    let host = built.start().await.unwrap().unwrap();

    let harness = Arc::new(harness);
    let oracle = Arc::new(Oracle::new(&harness));
    let stop = CancellationToken::new();
    let feeding = {
        let (harness, oracle, stop) = (Arc::clone(&harness), Arc::clone(&oracle), stop.clone());
        tokio::spawn(async move {
            while !stop.is_cancelled() {
                match oracle.events() - usize::try_from(harness.settled()).unwrap() < BACKLOG {
                    true => oracle.send_as("text/plain", BACKLOG / 10, |event| format!("echo {event}")).await,
                    false => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        })
    };
    let (mut took, mut swapped, mut quiet) = (Vec::new(), Vec::new(), Vec::new());
    let mut bytes = 0;
    for round in 0..size(4, 40) {
        let new = unique(guest("misbehave"), &mut dice);
        bytes = new.len();
        let waiting = || oracle.events() as u64 - harness.settled();
        let deadline = Instant::now() + PATIENCE;
        while waiting() < BACKLOG as u64 / 2 {
            assert!(Instant::now() < deadline, "too few events arrive");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        replace(&module, &new);
        let begun = Instant::now();
        host.refresh(&harness.name).await.unwrap();
        let serves = Instant::now();
        assert_eq!(host.status(&harness.name).await.unwrap().deployment, round + 2);
        tokio::time::sleep(serves - begun).await;
        let later = Instant::now();
        // Without events there are no jobs to pause.
        let is_busy = host.status(&harness.name).await.unwrap().queues.jobs > 0;
        if !is_busy {
            continue;
        }
        took.push(serves - begun);
        swapped.push(ends.pauses(begun, serves).into_iter().max().unwrap());
        quiet.push(ends.pauses(serves, later).into_iter().max().unwrap());
    }
    stop.cancel();
    feeding.await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !harness.is_all_settled() {
        assert!(Instant::now() < deadline, "not all is settled");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    shutdown.cancel();
    over.all().await.unwrap();
    let account = oracle.account(&Seen::of(&harness.records("out").await, Some(&harness.name)), &Seen::default());
    account.must_be_complete();

    assert!(!took.is_empty(), "the host always rested");
    let [serving, longest] = [0.5, 1.0].map(|share| percentile(&took, share));
    let [stall, worst] = [0.5, 0.99].map(|share| percentile(&swapped, share));
    let [usual, usual_worst] = [0.5, 0.99].map(|share| percentile(&quiet, share));
    run.say(
        "figures",
        format!(
            "{} swaps of {bytes} bytes under load: served after {serving:?}, at most {longest:?}; longest pause of a swap \
             {stall:?}, p99 {worst:?}; without one {usual:?}, p99 {usual_worst:?}",
            took.len()
        ),
    );
    // Of a machine on which others compute too, only what swaps add to its own pauses says something.
    assert!(
        stall <= Duration::from_millis(50) + 10 * usual_worst,
        "a swap stops the traffic: {swapped:?} beside {quiet:?}"
    );
    assert!(serving <= Duration::from_secs(30), "{took:?}");
}
