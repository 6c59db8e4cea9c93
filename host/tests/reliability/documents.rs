//! Documents over their generations: what a reader that compacts the sink by key ends with, whatever is killed when.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::extent::{Run, place, size};
use crate::harness::{Harness, OBEY, PASS, QUICK, Setup};

/// Documents that are sent in three generations, and how often hosts are killed meanwhile.
const DOCUMENTS: usize = 150;

struct Sender(FutureProducer, String);

impl Sender {
    fn new(harness: &Harness) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &harness.settings.brokers).set("linger.ms", "5");
        Self(config.create().unwrap(), harness.topic("in"))
    }

    /// Sends records with these keys in order. `None` deletes.
    async fn send(&self, records: impl IntoIterator<Item = (String, Option<String>)>) {
        let headers = OwnedHeaders::new().insert(Header { key: "content-type", value: Some("text/plain") });
        let sent = records.into_iter().map(|(key, payload)| {
            let mut record = FutureRecord::<String, String>::to(&self.1).key(&key).headers(headers.clone());
            if let Some(payload) = &payload {
                record = record.payload(payload);
            }
            self.0.send_result(record).map_err(|(error, _)| error).unwrap()
        });
        for delivered in join_all(sent.collect::<Vec<_>>()).await {
            delivered.unwrap().map_err(|(error, _)| error).unwrap();
        }
    }
}

fn words(generation: usize, count: usize) -> String {
    let words: Vec<String> = (0..count).map(|word| format!("g{generation}-{word}")).collect();
    format!("split {}", words.join(" "))
}

/// What the sink holds for a reader that keeps the last record of each key.
async fn compacted(harness: &Harness) -> BTreeMap<String, String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut index = BTreeMap::new();
    for record in harness.records("out").await {
        let key = text(record.key.as_deref().unwrap());
        match record.payload {
            Some(payload) => index.insert(key, text(&payload)),
            None => index.remove(&key),
        };
    }
    index
}

async fn killed_while_documents_change(delivery: &'static str) {
    let _place = place().await;
    let run = Run::new("documents");
    let mut setup = Setup::new(OBEY).properties(QUICK);
    setup.top = delivery;
    setup.sink = "key = \"item\"\n";
    let harness = Harness::new(setup).await;
    let sender = Sender::new(&harness);
    let named = |number: usize| format!("documents/{number}");
    sender.send((0..DOCUMENTS).map(|number| (named(number), Some(words(1, 12))))).await;
    sender.send((0..DOCUMENTS).map(|number| (named(number), Some(words(2, 7))))).await;
    // Of three documents one is deleted, one is filtered out, and one stays.
    let last = |number: &usize| match number % 3 {
        0 => Some((named(*number), None)),
        1 => Some((named(*number), Some("drop it".to_owned()))),
        _ => None,
    };
    sender.send((0..DOCUMENTS).collect::<Vec<_>>().iter().filter_map(last)).await;

    let mut dice = run.dice(0);
    let kills = size(6, 60);
    for _ in 0..kills {
        let before: u64 = harness.ends("out").iter().sum();
        let mut host = harness.start();
        // The next generation begins while the one before it is written: any moment is a good one.
        harness
            .until("it writes", &mut host, || {
                harness.ends("out").iter().sum::<u64>() > before || harness.is_all_settled()
            })
            .await;
        tokio::time::sleep(Duration::from_millis(dice.u64(0..=150))).await;
        host.kill().await;
    }
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    assert_eq!(host.terminate().await, Some(0), "{}", host.last_words());

    let written = harness.ends("out").iter().sum::<u64>();
    run.say("figures", format!("{kills} kills, {DOCUMENTS} documents, {written} records in the sink"));
    let items = |number: usize| (0..7).map(move |item| (number, item));
    let expected: BTreeMap<String, String> = (0..DOCUMENTS)
        .filter(|number| number % 3 == 2)
        .flat_map(items)
        .map(|(number, item)| (format!("documents%2F{number}/obey.{item}"), format!("g2-{item}")))
        .collect();
    assert_eq!(compacted(&harness).await, expected);
    assert_eq!(harness.ends("dead").iter().sum::<u64>(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sink_ends_as_the_last_generation_of_each_document_whenever_hosts_are_killed() {
    killed_while_documents_change("order = \"key\"\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_it_does_with_transactions() {
    killed_while_documents_change("order = \"key\"\ndelivery = \"exactly-once\"\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_tombstones_of_a_change_log_stop_nothing() {
    let _place = place().await;
    let harness = Harness::new(Setup::new(PASS)).await;
    let record = |number: usize| (number.to_string(), number.is_multiple_of(100).then(|| "still there".to_owned()));
    Sender::new(&harness).send((0..10_000).map(record)).await;
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;
    assert_eq!(host.terminate().await, Some(0), "{}", host.last_words());
    assert_eq!(harness.ends("dead").iter().sum::<u64>(), 0);
    let records = harness.records("out").await;
    assert_eq!(records.iter().filter(|record| record.payload.is_none()).count(), 9_900);
    assert_eq!(compacted(&harness).await.len(), 100);
}
