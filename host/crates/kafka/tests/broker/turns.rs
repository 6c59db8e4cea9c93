//! That a source turns, as its observers hear it.

use std::num::NonZeroUsize;
use std::time::Duration;

use gristmill_core::ports::{Demand, Notice, Signal, Source};

use crate::harness::{Harness, PATIENCE, assigned, numbered, signal};
use crate::kafka::Kafka;

/// The next notice for which there is something to say.
async fn notice<T>(source: &mut dyn Source, demand: Demand, of: impl Fn(&Notice) -> Option<T>) -> T {
    let heard = async {
        loop {
            if let Signal::Notice(notice) = source.recv(demand).await.unwrap()
                && let Some(found) = of(&notice)
            {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.expect("that was never told")
}

async fn turn(source: &mut dyn Source) {
    notice(source, Demand::ControlOnly, |notice| (*notice == Notice::Turn).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_turns_with_nothing_to_read_and_while_a_revocation_waits() {
    let mut kafka = Kafka::embedded(2).await;
    kafka.source.drain_timeout = Duration::from_secs(60);
    let mut old = kafka.kafka_source();
    assigned(&mut old).await;
    turn(&mut old).await;
    turn(&mut old).await;
    let mut new = kafka.kafka_source();
    let taking = tokio::spawn(async move {
        assigned(&mut new).await;
        new
    });
    let revoked = signal(&mut old, Demand::ControlOnly).await;
    let Signal::Revoked { ack, .. } = revoked else { panic!("{revoked:?}") };
    turn(&mut old).await;
    turn(&mut old).await;
    assert!(!taking.is_finished(), "the revocation was waited for all the time");
    ack.send(()).unwrap();
    let other = async { while old.recv(Demand::ControlOnly).await.is_ok() {} };
    tokio::select! {
        new = taking => new.unwrap().close().await.unwrap(),
        () = other => panic!("the source ended"),
    }
    old.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_ahead_is_told_until_it_is_handed_out() {
    let harness = crate::kafka::Embedded(Kafka::embedded(1).await);
    harness.write(&numbered(0..20)).await;
    let mut source = harness.0.kafka_source();
    let waits = |notice: &Notice| match notice {
        Notice::ReadAhead { records: 20, bytes } => Some(*bytes),
        _ => None,
    };
    // Asked for nothing but news, so that it stays where it is.
    let bytes = notice(&mut source, Demand::ControlOnly, waits).await;
    assert!(bytes >= 20 * 10, "a key and a value of five digits each: {bytes}");
    let none = |notice: &Notice| (*notice == Notice::ReadAhead { records: 0, bytes: 0 }).then_some(());
    notice(&mut source, Demand::Events(NonZeroUsize::MAX), none).await;
    source.close().await.unwrap();
}
