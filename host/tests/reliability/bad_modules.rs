//! Modules that no host should take, put in place of a good one while that works.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use crate::extent::{Run, alone, size};
use crate::harness::{Harness, Setup, header};
use crate::modules::{bad_modules, replace, version};
use crate::oracle::Oracle;
use crate::reader::Seen;

/// A child that compiles gets as much as the good module needs, and some more.
const HOST: &str = "[limits]\ncompile = { memory = \"512MiB\", cpu = \"10s\" }\n";

/// How much larger the memory of the host may be afterwards.
const LARGER: f64 = 1.05;
/// By how much the buffers of clients differ from one moment to the next, in KiB.
const BUFFERS: u64 = 4 << 10;

/// The memory of a process that is its own, in KiB: not what it has mapped of files.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The processes whose parent is this one.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let of = |process: &PathBuf| {
        let stat = std::fs::read_to_string(process.join("stat")).ok()?;
        // The name in parentheses may have spaces.
        let after = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()?;
        (after == parent).then(|| process.file_name()?.to_str()?.parse().ok())?
    };
    let entries = std::fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| of(&entry.ok()?.path())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_modules_are_refused_while_the_good_one_works_and_cost_the_host_no_memory() {
    let _alone = alone().await;
    let run = Run::new("bad modules");
    let harness = Harness::new(Setup::new(
        "[[stage]]\nname = \"versioned\"\nmodule = \"MODULE\"\ngrants = [\"llm\"]\nlimits = { cpu = \"300ms\" }\n\
         [models.m]\ntargets = [{ provider = \"openai\", model = \"x\", base_url = \"http://127.0.0.1:9/v1\" }]\n",
    ))
    .await;
    let module = harness.folder().join("module.wasm");
    std::fs::write(&module, version(b'a')).unwrap();
    let text = std::fs::read_to_string(harness.file()).unwrap().replace("MODULE", &module.display().to_string());
    std::fs::write(harness.file(), text).unwrap();
    let mut host = harness.start_as(HOST);
    let harness = Arc::new(harness);
    let oracle = Arc::new(Oracle::new(&harness));
    oracle.send(size(5_000, 20_000)).await;
    harness.until_all_settled(&mut host).await;
    let before = memory(host.id());

    let (stop, stopped) = watch::channel(false);
    let feeding = {
        let (harness, oracle) = (Arc::clone(&harness), Arc::clone(&oracle));
        tokio::spawn(async move { oracle.feed(&harness, 500, 500, stopped).await })
    };
    let bad = bad_modules(&mut run.dice(0));
    let mut largest = before;
    for (number, bad) in bad.iter().enumerate() {
        let settled = harness.settled();
        replace(&module, &bad.module);
        let refused = || {
            largest = largest.max(memory(host.id()));
            harness.last_log().lines().filter(|line| line.contains("not taken on")).count() > number
        };
        let what = format!("{} is refused", bad.what);
        wait(&what, &harness, refused).await;
        host.must_live(&what);
        if bad.is_costly {
            let log = harness.last_log();
            // The reason follows, with its place in the file.
            let (_, last) = log.rsplit_once("not taken on").unwrap();
            assert!(last.contains("too costly") && last.contains("limits.compile."), "{}: {last}", bad.what);
        }
        harness.until("events are settled", &mut host, || harness.settled() > settled).await;
    }
    stop.send(true).unwrap();
    feeding.await.unwrap();
    harness.until_all_settled(&mut host).await;
    // A good one is taken after all that.
    replace(&module, &version(b'b'));
    wait("the good module serves", &harness, || harness.last_log().contains("its changed module serves")).await;
    oracle.send(100).await;
    harness.until_all_settled(&mut host).await;
    assert_eq!(children(host.id()), Vec::<u32>::new(), "no child is left");
    let bound = (before as f64 * LARGER) as u64 + BUFFERS;
    let mut after = memory(host.id());
    wait("the memory is given back", &harness, || {
        after = memory(host.id());
        after <= bound
    })
    .await;
    assert_eq!(host.terminate().await, Some(0), "{}", host.last_words());

    let records = harness.records("out").await;
    let account = oracle.account(&Seen::of(&records, Some(&harness.name)), &Seen::default());
    run.say(
        "figures",
        format!(
            "{} bad modules, {} events; {before} KiB before, {largest} at most, {after} after",
            bad.len(),
            account.events
        ),
    );
    account.must_be_complete();
    assert_eq!(account.repeated, 0);
    let did: BTreeSet<String> = records.iter().map(|record| header(record, "gristmill-attribute-ran")).collect();
    assert_eq!(did, BTreeSet::from(["a".into(), "b".into()]), "no bad module did anything");
}

/// Waits until `reached` returns true.
async fn wait(what: &str, harness: &Harness, mut reached: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + crate::harness::PATIENCE;
    while !reached() {
        assert!(std::time::Instant::now() < deadline, "never: {what}\n{}", harness.last_log());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
