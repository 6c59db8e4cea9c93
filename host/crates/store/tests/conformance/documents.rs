//! What documents have left in the sink.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use gristmill_core::model::{
    DocumentGeneration, DocumentId, EventId, History, ItemId, Partition, Position, RecordGeneration, Stamp, Timestamp,
};
use gristmill_core::ports::{Documents, Placed, Remembered};

use super::world::{World, until};

fn placed(document: &DocumentId, ordinals: Range<usize>) -> Vec<Placed> {
    let item = |ordinal| ItemId::root(document).child("chunk", ordinal);
    ordinals.map(|ordinal| Placed { topic: "out".into(), item: item(ordinal) }).collect()
}

fn generation(position: u128) -> RecordGeneration {
    let partition = Partition { topic: "in".into(), index: 3 };
    let record = Stamp { place: EventId { partition, position: Position(position) }, time: Timestamp(5) };
    RecordGeneration { generation: DocumentGeneration::of(&record), record }
}

async fn found(store: &(impl Documents + ?Sized), document: &DocumentId) -> Remembered {
    let mut found = store.find(document).await.unwrap();
    found.placed.sort();
    found
}

/// What is finished is written some time later.
async fn finished(world: &World, store: &Arc<dyn super::world::Ports>, document: &DocumentId, last: &RecordGeneration) {
    until(world, &**store, "it is finished", async || {
        store.find(document).await.unwrap().history.last.as_ref() == Some(last)
    })
    .await;
}

pub(super) async fn what_a_document_may_have_left_in_the_sink_is_remembered(world: &World) {
    let (store, next) = (world.open().await, world.open().await);
    let (one, other) = (DocumentId::named(b"one"), DocumentId::named(b"other"));
    assert_eq!(store.find(&one).await.unwrap(), Remembered::default());
    let (first, second) = (generation(1), generation(300));
    store.intend(&one, &first, &placed(&one, 0..3)).await.unwrap();
    store.intend(&other, &first, &placed(&other, 0..9)).await.unwrap();
    store.finish(&one, first.clone()).unwrap();
    finished(world, &store, &one, &first).await;

    // The next generation is with another host.
    next.intend(&one, &second, &placed(&one, 2..4)).await.unwrap();
    let history = History { last: Some(first.clone()), begun: Some(second.clone()) };
    assert_eq!(found(&*store, &one).await, Remembered { history, placed: placed(&one, 0..4) });
    next.finish(&one, second.clone()).unwrap();
    finished(world, &store, &one, &second).await;
    let history = History { last: Some(second.clone()), begun: Some(second) };
    assert_eq!(found(&*store, &one).await, Remembered { history, placed: placed(&one, 2..4) });
    assert_eq!(next.find(&other).await.unwrap().placed.len(), 9);
}

pub(super) async fn a_late_redelivery_takes_nothing_from_a_greater_generation(world: &World) {
    let (store, late) = (world.open().await, world.open().await);
    let one = DocumentId::named(b"one");
    let (first, second) = (generation(1), generation(300));
    store.intend(&one, &second, &placed(&one, 2..4)).await.unwrap();
    late.intend(&one, &first, &placed(&one, 0..3)).await.unwrap();
    let remembered = found(&*store, &one).await;
    assert_eq!((remembered.history.begun, remembered.placed), (Some(second.clone()), placed(&one, 0..4)));
    store.finish(&one, second.clone()).unwrap();
    finished(world, &store, &one, &second).await;
    late.finish(&one, first.clone()).unwrap();
    // Whoever asks for the queue of the late one to be written sees that nothing has changed.
    late.intend(&DocumentId::named(b"another"), &first, &[]).await.unwrap();
    let history = History { last: Some(second.clone()), begun: Some(second) };
    assert_eq!(found(&*store, &one).await, Remembered { history, placed: placed(&one, 2..4) });
}

pub(super) async fn documents_stay_unless_they_left_nothing(world: &World) {
    let world = World { keep_ended: Duration::from_secs(1), keep_unfinished: Duration::from_secs(2), ..world.again() };
    let store = world.open().await;
    let (full, empty) = (DocumentId::named(b"full"), DocumentId::named(b"empty"));
    store.intend(&full, &generation(1), &placed(&full, 0..3)).await.unwrap();
    store.finish(&full, generation(1)).unwrap();
    store.intend(&empty, &generation(1), &placed(&empty, 0..3)).await.unwrap();
    store.finish(&empty, generation(2)).unwrap();
    until(&world, &*store, "the empty document is forgotten", async || {
        store.find(&empty).await.unwrap() == Remembered::default()
    })
    .await;
    assert_eq!(store.find(&full).await.unwrap().placed.len(), 3);
    // One that was empty and is filled again stays, too.
    store.intend(&empty, &generation(3), &[]).await.unwrap();
    store.intend(&empty, &generation(4), &placed(&empty, 0..1)).await.unwrap();
    let other = DocumentId::named(b"other");
    store.intend(&other, &generation(1), &[]).await.unwrap();
    until(&world, &*store, "another one is forgotten", async || {
        store.find(&other).await.unwrap() == Remembered::default()
    })
    .await;
    assert_eq!(store.find(&empty).await.unwrap().placed.len(), 1);
}

pub(super) async fn hosts_that_write_the_same_document_lose_no_item(world: &World) {
    let hosts = [world.open().await, world.open().await];
    let one = DocumentId::named(b"one");
    let mut tasks = Vec::new();
    for number in 0..60_usize {
        let (store, one) = (Arc::clone(&hosts[number % 2]), one.clone());
        tasks.push(tokio::spawn(async move {
            let items = placed(&one, number..number + 2);
            store.intend(&one, &generation(100 + number as u128), &items).await.unwrap();
        }));
    }
    join_all(tasks).await.into_iter().for_each(Result::unwrap);
    let remembered = found(&*hosts[0], &one).await;
    assert_eq!(remembered.placed.len(), 61);
    assert_eq!(remembered.history.begun, Some(generation(159)));
    hosts[1].finish(&one, generation(159)).unwrap();
    finished(world, &hosts[0], &one, &generation(159)).await;
    assert_eq!(
        found(&*hosts[0], &one).await.placed.len(),
        2,
        "only those that a smaller generation wrote are forgotten"
    );
}
