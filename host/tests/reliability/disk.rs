//! The disk of the state store is full.

use std::process::Stdio;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use crate::extent::{Run, place};
use crate::harness::{Harness, PATIENCE, Setup, enriching};
use crate::host::{gristmill, with_environment};
use crate::oracle::Oracle;
use crate::reader::Seen;
use gristmill_model_server::{Behaviour, ModelServer, Script};

const EVENTS: usize = 3_000;
const IN_FLIGHT: usize = 64;

/// Limits every file to 2 MiB (4096 blocks of 512 bytes); a write beyond is an error, not a signal. The log goes to a
/// pipe, so only the store grows.
const LIMITED: &str = r#"trap "" XFSZ; ulimit -f 4096; exec "$0" run "$1""#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_the_pipeline_and_commits_nothing_that_was_not_stored() {
    let _place = place().await;
    let run = Run::new("disk full");
    let summary = Script::new().when("", [Behaviour::answer("{\"summary\": \"a number\"}")]);
    let server = ModelServer::start(summary).await;
    let harness = Harness::new(Setup::new(enriching(&server))).await;
    let oracle = Oracle::new(&harness);
    oracle.send(EVENTS).await;
    // Fills the cache of compiled stages, which must not count towards the limit.
    assert!(gristmill().arg("check").arg(harness.file()).output().await.unwrap().status.success());

    let mut limited = with_environment(Command::new("sh"));
    limited.args(["-c", LIMITED, env!("CARGO_BIN_EXE_gristmill")]).arg(harness.file()).stderr(Stdio::piped());
    let mut child = limited.spawn().unwrap();
    let mut log = String::new();
    let mut errors = child.stderr.take().unwrap();
    tokio::time::timeout(PATIENCE, errors.read_to_string(&mut log)).await.unwrap().unwrap();
    let code = child.wait().await.unwrap().code();
    let (settled, paid) = (harness.settled(), server.paid());
    assert!(code.is_some_and(|code| code != 0), "{log}");
    assert!(log.contains("the state store") && log.contains("does not work"), "the log names the cause: {log}");
    assert!(settled < EVENTS as u64, "the limit was not reached");
    let out = Seen::of(&harness.records("out").await, Some(&harness.name));
    let committed = harness.committed();
    let settled_and_written = out.times.keys().filter(|place| place.offset < committed[place.partition as usize]);
    assert_eq!(settled_and_written.count() as u64, settled, "events were committed that are not in the sink");

    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    assert_eq!(host.terminate().await, Some(0), "{}", host.last_words());
    let out = Seen::of(&harness.records("out").await, Some(&harness.name));
    let account = oracle.account(&out, &Seen::default());
    run.say(
        "figures",
        format!(
            "{settled} of {EVENTS} events settled and {paid} calls paid when the disk was full, {} paid in total, {} \
             repeated",
            server.paid(),
            account.repeated,
        ),
    );
    account.must_be_complete();
    assert!(server.paid() <= EVENTS + IN_FLIGHT, "{} paid: stored answers were requested again", server.paid());
}
