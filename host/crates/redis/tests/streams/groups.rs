//! Hosts that share a stream: their names, and what each of them gets.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::time::Duration;

use gristmill_core::ports::{Demand, Signal, Source, Start};
use gristmill_redis::{Consumer, Settings};

use crate::harness::{Harness, PATIENCE, assigned, event, events, numbered, payload, payloads, settle, signal};
use crate::redis::{Streams, end, until};

/// Waits until a source hears that this many hosts share the work.
async fn until_hosts(source: &mut dyn Source, hosts: usize) {
    let heard = async {
        loop {
            if let Signal::Assigned { all, .. } = source.recv(Demand::ControlOnly).await.unwrap()
                && all == hosts
            {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.expect("the number of hosts was not reported");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hosts_share_the_work_and_know_of_each_other() {
    let streams = Streams::new().await;
    let mut first = streams.source();
    let partitions = assigned(first.as_mut()).await;
    assert_eq!((partitions.len(), partitions[0].index), (1, 0));
    let mut second = streams.source();
    until_hosts(second.as_mut(), 2).await;
    until_hosts(first.as_mut(), 2).await;
    streams.write(&numbered(0..100)).await;
    let (mut by_first, mut by_second) = (BTreeSet::new(), BTreeSet::new());
    while by_first.len() + by_second.len() < 100 {
        tokio::select! {
            arrived = event(first.as_mut()) => assert!(by_first.insert(payload(&arrived)), "was delivered twice"),
            arrived = event(second.as_mut()) => assert!(by_second.insert(payload(&arrived)), "was delivered twice"),
        }
    }
    assert_eq!(by_first.union(&by_second).cloned().collect::<Vec<_>>(), numbered(0..100));
    second.close().await.unwrap();
    until_hosts(first.as_mut(), 1).await;
    first.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_host_of_a_machine_gets_a_name_of_its_own() {
    let mut streams = Streams::new().await;
    streams.settings.consumer = Consumer::Numbered("machine".to_owned());
    streams.write(&numbered(0..1)).await;
    let (mut first, mut second) = (streams.source(), streams.source());
    assigned(first.as_mut()).await;
    assigned(second.as_mut()).await;
    streams.write(&numbered(1..40)).await;
    let mut arrived = 0;
    while arrived < 40 {
        tokio::select! {
            _ = event(first.as_mut()) => arrived += 1,
            _ = event(second.as_mut()) => arrived += 1,
        }
    }
    let names: BTreeSet<String> = streams.consumers().await.into_iter().collect();
    let known = BTreeSet::from(["machine".to_owned(), "machine-2".to_owned()]);
    assert!(!names.is_empty() && names.is_subset(&known), "{names:?}");
    first.close().await.unwrap();
    second.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_written_name_is_never_shared_by_two_hosts_that_live() {
    let streams = Streams::new().await;
    let mut first = streams.called("one");
    assigned(&mut first).await;
    let mut second = streams.called("one");
    let message = end(&mut second).await;
    assert!(message.contains("\"one\"") && message.contains("consumer under [redis]"), "{message}");
    second.close().await.unwrap();
    first.close().await.unwrap();
    // It is free at once when its host has left.
    let mut third = streams.called("one");
    assigned(&mut third).await;
    third.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_pending_is_done_before_anything_new() {
    let streams = Streams::new().await;
    streams.write(&numbered(0..10)).await;
    let mut first = streams.called("one");
    let arrived = events(&mut first, 10).await;
    assert!(arrived.iter().all(|event| event.deliveries.map(|count| count.get()) == Some(1)));
    first.close().await.unwrap();
    streams.write(&numbered(10..12)).await;
    let mut again = streams.called("one");
    let before = events(&mut again, 10).await;
    assert_eq!(payloads(&before), numbered(0..10));
    assert!(before.iter().all(|event| event.deliveries.map(|count| count.get()) == Some(2)), "{before:?}");
    // Nothing new comes as long as one of them is not settled: there is more time for that than a read takes.
    for event in &before[1..] {
        settle(&mut again, event);
    }
    until(async || streams.pending().await.len() == 1, "was not acknowledged").await;
    let early = tokio::time::timeout(Duration::from_millis(800), events(&mut again, 1)).await;
    assert!(early.is_err(), "{early:?}");
    settle(&mut again, &before[0]);
    assert_eq!(payloads(&events(&mut again, 2).await), numbered(10..12));
    again.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_is_read_than_was_asked_for() {
    let streams = Streams::new().await;
    streams.write(&numbered(0..200)).await;
    let mut source = streams.called("one");
    assigned(&mut source).await;
    let five = Demand::Events(NonZeroUsize::new(5).unwrap());
    let Signal::Events(first) = signal(&mut source, five).await else { panic!("events were asked for") };
    assert!(first.len() <= 5);
    // Without another question nothing more is read, however long it takes.
    let before = streams.pending().await.len();
    assert!(before <= 5, "{before}");
    let silent = tokio::time::timeout(Duration::from_secs(1), signal(&mut source, Demand::ControlOnly)).await;
    assert!(silent.is_err(), "{silent:?}");
    assert!(streams.pending().await.len() <= 5);
    source.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_begins_with_the_latest_has_its_place_at_once() {
    let streams = Streams::new().await;
    streams.write(&numbered(0..5)).await;
    let settings = Settings { consumer: Consumer::Exactly("one".to_owned()), ..streams.settings.clone() };
    let mut source = streams.with(&settings, Start::Latest);
    assigned(&mut source).await;
    source.close().await.unwrap();
    streams.write(&numbered(5..6)).await;
    let mut again = streams.with(&settings, Start::Latest);
    assert_eq!(payload(&event(&mut again).await), "00005", "it came while nobody read");
    again.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_leaves_with_nothing_pending_leaves_no_consumer() {
    let streams = Streams::new().await;
    streams.write(&numbered(0..1)).await;
    let mut source = streams.called("one");
    let arrived = event(&mut source).await;
    settle(&mut source, &arrived);
    source.close().await.unwrap();
    assert!(streams.consumers().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_host_leaves_pending_goes_to_another_at_once() {
    let mut streams = Streams::new().await;
    streams.settings.claim_after = Duration::from_secs(3_600);
    streams.write(&numbered(0..3)).await;
    let mut leaving = streams.called("one");
    assert_eq!(payloads(&events(&mut leaving, 3).await), numbered(0..3));
    leaving.close().await.unwrap();
    let mut other = streams.called("two");
    assert_eq!(payloads(&events(&mut other, 3).await), numbered(0..3));
    other.close().await.unwrap();
}
