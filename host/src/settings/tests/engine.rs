//! Order, delivery, retries, the store and the bounds of dead letters: what they resolve to, and their faults.

use std::path::PathBuf;
use std::time::Duration;

use super::{LEAST, parse, replaced, shown, with};
use crate::settings::Pipeline;
use gristmill_config::ConfigError;
use gristmill_core::flow::settings::{Checkpoint, DeliveryMode, Order};
use gristmill_core::settings::ByteSize;
use gristmill_kafka::Brokers;
use gristmill_wasm::Isolation;

/// The least pipeline on a real cluster, with lines before its first table.
fn on_a_cluster(top: &str) -> Result<Pipeline, ConfigError> {
    let text = LEAST.replacen("\"embedded\"", "\"h:9092\"", 1);
    parse(&text.replacen("[kafka]", &format!("{top}\n[kafka]"), 1))
}

#[test]
fn the_engines_settings_have_defaults() {
    let pipeline = parse(LEAST).unwrap();
    assert_eq!((pipeline.order, pipeline.delivery), (Order::None, DeliveryMode::AtLeastOnce));
    assert_eq!(pipeline.limits.max_job_bytes, ByteSize::mib(64));
    let bounds = pipeline.limits.dead_letter_bounds();
    assert_eq!((bounds.rate, bounds.in_a_row.get(), pipeline.dead_letter.connect_headers), (0.01, 1_000, false));
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    let store = &pipeline.store;
    assert_eq!((&store.folder, store.keep_ended, store.keep_unfinished), (&None, hours(24), hours(168)));
    assert_eq!(store.max_size, ByteSize::mib(16 << 10));
    let stage = &pipeline.stages[0];
    assert_eq!((stage.checkpoint, stage.isolation), (Checkpoint::Auto, Isolation::Item));
    assert_eq!(stage.retry.deadline, Duration::from_secs(900));
}

#[test]
fn the_engines_settings_are_read() {
    let more = r#"checkpoint = "always"
isolation = "shared"
retry = { deadline = "2h" }
[limits]
max_job_bytes = "1MiB"
max_dead_letter_rate = 0.5
max_dead_letters_in_a_row = 7
[retry]
deadline = "24h"
[store]
folder = "state"
keep_ended = "1m"
keep_unfinished = "48h"
max_size = "1024GiB"
[[stage]]
name = "next"
module = "builtin:chunk"
checkpoint = "never"
"#;
    let pipeline = with(more).unwrap();
    assert_eq!(pipeline.limits.max_job_bytes, ByteSize::mib(1));
    assert_eq!((pipeline.limits.max_dead_letter_rate, pipeline.limits.max_dead_letters_in_a_row.get()), (0.5, 7));
    assert_eq!(pipeline.store.folder, Some(PathBuf::from("pipes/state")), "it starts at the folder of the file");
    assert_eq!(pipeline.store.keep_ended, Duration::from_secs(60));
    assert_eq!(pipeline.store.max_size, ByteSize::mib(1 << 20));
    let stages = &pipeline.stages;
    assert_eq!((stages[0].checkpoint, stages[0].isolation), (Checkpoint::Always, Isolation::Shared));
    assert_eq!(stages[1].checkpoint, Checkpoint::Never);
    assert_eq!(stages[0].retry.deadline, Duration::from_secs(7_200));
    assert_eq!(stages[1].retry.deadline, Duration::from_secs(86_400));
    let letters = replaced("topic = \"dead\"", "topic = \"dead\"\nconnect_headers = true").unwrap().dead_letter.clone();
    assert!(letters.connect_headers);
}

#[test]
fn order_and_delivery_are_chosen_at_the_top() {
    let pipeline = on_a_cluster("order = \"key\"\ndelivery = \"exactly-once\"").unwrap();
    assert_eq!((pipeline.order, pipeline.delivery), (Order::Key, DeliveryMode::ExactlyOnce));
    let transactions = pipeline.transactions;
    assert_eq!((transactions.max_jobs.get(), transactions.max_wait), (1_000, Duration::from_millis(100)));
    let numbers = "delivery = \"exactly-once\"\ntransactions = { max_jobs = 10, max_wait = \"1s\" }";
    let transactions = on_a_cluster(numbers).unwrap().transactions;
    assert_eq!((transactions.max_jobs.get(), transactions.max_wait), (10, Duration::from_secs(1)));
    assert_eq!(on_a_cluster("order = \"partition\"").unwrap().order, Order::Partition);
    assert_eq!(on_a_cluster("delivery = \"at-least-once\"").unwrap().delivery, DeliveryMode::AtLeastOnce);
}

#[test]
fn what_is_no_order_and_no_delivery_is_told_the_closed_list() {
    let expected = r#"
error: unknown order "keys" for the file
 --> pipes/p.toml:2:9
  |
2 | order = "keys"
  |         ^^^^^^ did you mean "key"? orders are: none, key, partition

error: unknown delivery mode "exactly_once" for the file
 --> pipes/p.toml:3:12
  |
3 | delivery = "exactly_once"
  |            ^^^^^^^^^^^^^^ did you mean "exactly-once"? delivery modes are: at-least-once, exactly-once
"#;
    assert_eq!(shown(on_a_cluster("order = \"keys\"\ndelivery = \"exactly_once\"")), expected);
}

#[test]
fn the_embedded_broker_delivers_nothing_exactly_once() {
    let expected = r#"
error: the embedded broker cannot deliver exactly once: its transactions keep nothing back
 --> pipes/p.toml:2:12
  |
2 | delivery = "exactly-once"
  |            ^^^^^^^^^^^^^^ name the brokers of a Kafka cluster, or take this line out
"#;
    let shown = shown(replaced("[kafka]", "delivery = \"exactly-once\"\n[kafka]"));
    assert_eq!(shown, expected);
    assert_eq!(on_a_cluster("").unwrap().kafka.clone().unwrap().brokers, Brokers::Addresses("h:9092".to_owned()));
}

#[test]
fn transactions_need_a_delivery_that_uses_them() {
    let expected = r#"
error: [transactions] is there, but outputs are written without transactions
  --> pipes/p.toml:13:1
   |
13 | [transactions]
   | ^^^^^^^^^^^^^^ add delivery = "exactly-once" above the first [table], or take it out
"#;
    assert_eq!(shown(with("[transactions]\nmax_jobs = 5\n")), expected);
}

#[test]
fn the_engines_settings_have_bounds() {
    let cases = [
        ("[limits]\nmax_job_bytes = 1\n", "\"max_job_bytes\" in [limits] is out of range", "from 64KiB to 16GiB"),
        (
            "[limits]\nmax_dead_letter_rate = 1.5\n",
            "\"max_dead_letter_rate\" in [limits] is out of range",
            "from 0 to 1",
        ),
        (
            "[limits]\nmax_dead_letters_in_a_row = 0\n",
            "\"max_dead_letters_in_a_row\" in [limits] is out",
            "from 1 to 1000000",
        ),
        ("[retry]\ndeadline = \"25h\"\n", "\"deadline\" in [retry] is out of range", "from 0s to 24h"),
        ("[store]\nkeep_ended = \"1s\"\n", "\"keep_ended\" in [store] is out of range", "from 1m to 8760h"),
        (
            "[store]\nkeep_unfinished = \"8761h\"\n",
            "\"keep_unfinished\" in [store] is out of range",
            "from 1m to 8760h",
        ),
        ("[store]\nmax_size = \"1KiB\"\n", "\"max_size\" in [store] is out of range", "from 1MiB to 1024GiB"),
        ("[store]\nfolder = 7\n", "\"folder\" in [store] must be a string", "write it in quotes"),
        (
            "[store]\nfile = \"x\"\n",
            "unknown key \"file\" in [store]",
            "folder, keep_ended, keep_unfinished, max_size, max_answers",
        ),
        (
            "checkpoint = \"on\"\n",
            "unknown checkpoint \"on\" for stage \"extract\"",
            "checkpoints are: auto, always, never",
        ),
        (
            "isolation = \"share\"\n",
            "unknown isolation \"share\" for",
            "did you mean \"shared\"? isolations are: item, batch, shared",
        ),
        (
            "retry = { deadline = 5 }\n",
            "\"deadline\" in retry of stage \"extract\" must be a duration",
            "durations look",
        ),
    ];
    for (more, message, label) in cases {
        let shown = shown(with(more));
        assert!(shown.contains(message) && shown.contains(label), "{shown}");
    }
    let shown = shown(on_a_cluster("delivery = \"exactly-once\"\ntransactions = { max_jobs = 0, max_wait = \"1m\" }"));
    assert!(shown.contains("from 1 to 100000") && shown.contains("from 1ms to 10s"), "{shown}");
}

#[test]
fn unfinished_jobs_are_kept_at_least_as_long_as_ended_ones() {
    let expected = r#"
error: [store] would keep unfinished jobs for a shorter time than ended ones
  --> pipes/p.toml:14:19
   |
14 | keep_unfinished = "2h"
   |                   ^^^^ keep_ended is 1d, keep_unfinished 2h: change one
"#;
    assert_eq!(shown(with("[store]\nkeep_unfinished = \"2h\"\n")), expected);
    assert!(shown(with("[store]\nkeep_ended = \"200h\"\n")).contains("14 | keep_ended = \"200h\""));
}
