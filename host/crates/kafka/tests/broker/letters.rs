//! Single records read back by their place: the proof of a replay.

use std::time::{Duration, Instant};

use gristmill_core::model::{EventId, Partition, Position};
use gristmill_core::ports::Letters;
use gristmill_kafka::{KafkaLetters, Settings};

use crate::harness::{Harness, numbered, payload};
use crate::kafka::Classic;

fn place(topic: &str, index: u32, position: u128) -> EventId {
    EventId { partition: Partition { topic: topic.into(), index }, position: Position(position) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_found_at_its_place_and_nowhere_else() {
    let harness = Classic::fresh(1).await;
    harness.write(&numbered(0..20)).await;
    let letters = KafkaLetters::new(harness.0.settings.clone(), harness.topic().into());
    for position in [7, 0, 19, 7, 8] {
        let found = letters.find(&place(harness.topic(), 0, position)).await.unwrap().expect("it is there");
        assert_eq!((found.id.position, payload(&found)), (Position(position), format!("{position:05}")));
    }
    for missing in [
        place(harness.topic(), 0, 20),
        place(harness.topic(), 0, 5_000),
        place(harness.topic(), 0, u128::MAX),
        place(harness.topic(), 1, 7),
        place("another", 0, 7),
    ] {
        assert!(letters.find(&missing).await.unwrap().is_none(), "{missing}");
    }
    let places: Vec<EventId> = (0..20).map(|position| place(harness.topic(), 0, position)).collect();
    let all = futures_util::future::join_all(places.iter().map(|place| letters.find(place))).await;
    assert!(all.into_iter().all(|found| found.unwrap().is_some()), "many may ask at a time");
}

#[tokio::test]
async fn a_broker_that_is_away_is_no_answer() {
    let begun = Instant::now();
    let letters = KafkaLetters::new(Settings::new("127.0.0.1:1"), "dead".into());
    let asked = [place("dead", 0, 1), place("dead", 0, 2)];
    let answers = futures_util::future::join_all(asked.iter().map(|place| letters.find(place))).await;
    assert!(answers.iter().all(Result::is_err), "{answers:?}");
    assert!(begun.elapsed() < Duration::from_secs(30), "nobody waits behind another: {:?}", begun.elapsed());
}
