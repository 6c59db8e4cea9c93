//! How far behind a group is, as its members report it.

use std::time::Duration;

use gristmill_core::ports::{Batch, Demand, Notice, Settlement, Signal, Source, Transactor};
use gristmill_kafka::{KafkaTransactor, TransactionSettings};

use crate::harness::{Harness, PATIENCE, events, numbered, settle};
use crate::kafka::{BrokerSide, Classic, Kafka};

/// The next reports of lag, until this one.
async fn until_lag(source: &mut dyn Source, expected: u64) {
    let reported = async {
        loop {
            if let Signal::Lag { partition, records } = source.recv(Demand::ControlOnly).await.unwrap() {
                assert_eq!(partition.index, 0);
                if records == expected {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, reported).await.expect("that lag was never reported");
}

/// The next signal that is not of every few seconds.
async fn beside_turns(source: &mut dyn Source) -> Signal {
    loop {
        match source.recv(Demand::ControlOnly).await.unwrap() {
            Signal::Notice(Notice::Turn | Notice::ReadAhead { .. }) => {}
            signal => return signal,
        }
    }
}

async fn reported(kafka: &Kafka) {
    let mut source = kafka.kafka_source();
    let arrived = events(&mut source, 10).await;
    settle(&mut source, &arrived[3]);
    until_lag(&mut source, 6).await;
    // Two looks without a change.
    let repeated = tokio::time::timeout(Duration::from_secs(11), beside_turns(&mut source)).await;
    assert!(repeated.is_err(), "only a change is reported: {repeated:?}");
    source.close().await.unwrap();

    // Nothing is handed out, so what the group has committed counts.
    let mut again = kafka.kafka_source();
    until_lag(&mut again, 6).await;
    let arrived = events(&mut again, 6).await;
    settle(&mut again, &arrived[5]);
    until_lag(&mut again, 0).await;
    again.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lag_is_reported_when_it_changes() {
    let harness = Classic::fresh(1).await;
    harness.write(&numbered(0..10)).await;
    reported(&harness.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lag_is_reported_when_it_changes_where_the_broker_assigns() {
    let harness = BrokerSide::fresh(1).await;
    harness.write(&numbered(0..10)).await;
    reported(&harness.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_transaction_settles_is_no_lag() {
    let harness = Classic::fresh(1).await;
    harness.write(&numbered(0..10)).await;
    let mut source = harness.0.kafka_source();
    let arrived = events(&mut source, 10).await;
    let transactions = TransactionSettings::new(Duration::from_millis(100));
    let transactor = KafkaTransactor::open(&harness.0.settings, &source, transactions).await.unwrap();
    let last = &arrived[7];
    let settlement = Settlement {
        partition: last.id.partition.clone(),
        generation: last.generation,
        below: last.id.position.next(),
        events: arrived[..8].iter().map(|event| event.id.position).collect(),
    };
    transactor.commit(Batch { records: Vec::new(), settled: vec![settlement] }).await.unwrap();
    until_lag(&mut source, 2).await;
    source.close().await.unwrap();
}
