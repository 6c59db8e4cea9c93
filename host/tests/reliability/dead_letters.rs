//! Dead letters that cannot be written, and too many dead letters.

use std::time::{Duration, Instant};

use crate::extent::{Run, STOPPED_BY_POLICY, place};
use crate::harness::{Harness, OBEY, PATIENCE, Setup, header};
use crate::oracle::Oracle;
use crate::reader::Seen;

fn good(event: String) -> String {
    format!("echo {event}")
}

fn bad(event: String) -> String {
    format!("permanent {event}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_topic_that_is_deleted_stops_the_pipeline_before_the_event() {
    let _place = place().await;
    let run = Run::new("dead-letter topic deleted");
    let properties = [("message.timeout.ms", "10000"), ("topic.metadata.propagation.max.ms", "2000")];
    let harness = Harness::new(Setup::new(OBEY).narrow().properties(&properties)).await;
    let oracle = Oracle::new(&harness);
    // The topic was in use before it was deleted.
    oracle.send_as("text/plain", 1, bad).await;
    oracle.send_as("text/plain", 49, good).await;
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    harness.delete("dead").await;
    oracle.send_as("text/plain", 50, good).await;
    oracle.send_as("text/plain", 1, bad).await;
    oracle.send_as("text/plain", 50, good).await;

    let asked = Instant::now();
    let code = host.end(PATIENCE).await;
    let (took, log) = (asked.elapsed(), host.last_words());
    run.say("figures", format!("stopped after {took:?} with {code:?}"));
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("its dead letter cannot be written") && log.contains(&harness.topic("dead")), "{log}");
    let place = format!("{}/{}/0/100", harness.name, harness.topic("in"));
    assert!(log.contains(&place), "the log names the job {place}: {log}");
    assert!(harness.settled() <= 100, "the event was skipped: {} are committed", harness.settled());

    let mut host = harness.start();
    assert_eq!(host.end(PATIENCE).await, Some(1), "a start without the topic fails");
    assert!(host.log().contains(&harness.topic("dead")), "{}", host.last_words());

    harness.create("dead").await;
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    assert_eq!(host.terminate().await, Some(0), "{}", host.last_words());
    let out = Seen::of(&harness.records("out").await, Some(&harness.name));
    let dead_letters = harness.records("dead").await;
    assert_eq!(dead_letters.len(), 1, "the first dead letter was deleted with its topic, the second is written");
    assert_eq!(header(&dead_letters[0], "gristmill-source-position"), "100");
    let account = oracle.account(&out, &Seen::of(&dead_letters, None));
    assert_eq!(account.lost, [0], "only the deleted dead letter is lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_always_fails_stops_the_pipeline_after_a_thousand_dead_letters() {
    let _place = place().await;
    let run = Run::new("too many dead letters");
    let harness = Harness::new(Setup::new(OBEY)).await;
    let oracle = Oracle::new(&harness);
    oracle.send_as("text/plain", 5_000, bad).await;
    let mut host = harness.start();
    let code = host.end(PATIENCE).await;
    let dead_letters = harness.records("dead").await;
    run.say("figures", format!("stopped after {} dead letters with {code:?}", dead_letters.len()));
    assert_eq!(code, Some(STOPPED_BY_POLICY), "{}", host.last_words());
    let log = host.last_words();
    assert!(log.contains("in a row failed") && log.contains("max_dead_letter_rate"), "{log}");
    assert!(
        (1_000..=1_064).contains(&dead_letters.len()),
        "{} dead letters: expected 1,000 and the jobs in flight",
        dead_letters.len()
    );
    let dead = Seen::of(&dead_letters, None);
    assert_eq!(dead.times.len(), dead_letters.len(), "each once");
    for (partition, committed) in harness.committed().into_iter().enumerate() {
        let of_it = dead.times.keys().filter(|place| place.partition as usize == partition && place.offset < committed);
        assert_eq!(of_it.count() as u64, committed, "partition {partition} is committed beyond its dead letters");
    }
    // A fixed pipeline would resume where it stopped; here nothing was fixed, so it stops again.
    let mut host = harness.start();
    let again = host.end(Duration::from_secs(120)).await;
    assert_eq!(again, code, "{}", host.last_words());
}
