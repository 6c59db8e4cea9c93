//! What documents have left in the sink, on a real file and in memory.

use std::ops::Range;
use std::time::Duration;

use gristmill_core::model::{
    DocumentGeneration, DocumentId, EventId, History, ItemId, Partition, Position, RecordGeneration, Stamp, Timestamp,
};
use gristmill_core::ports::{Documents, KeepOne, Placed, Remembered};

use super::{Harness, gone, job, key, text};
use crate::MemoryDocuments;

fn placed(document: &DocumentId, ordinals: Range<usize>) -> Vec<Placed> {
    let item = |ordinal| ItemId::root(document).child("chunk", ordinal);
    ordinals.map(|ordinal| Placed { topic: "out".into(), item: item(ordinal) }).collect()
}

fn generation(position: u128) -> RecordGeneration {
    let partition = Partition { topic: "in".into(), index: 3 };
    let record = Stamp { place: EventId { partition, position: Position(position) }, time: Timestamp(5) };
    RecordGeneration { generation: DocumentGeneration::of(&record), record }
}

/// Both ways of remembering documents do the same.
fn both(harness: &Harness) -> [Box<dyn Documents>; 2] {
    [Box::new(harness.open()), Box::new(MemoryDocuments::default())]
}

#[tokio::test]
async fn what_a_document_may_have_left_in_the_sink_is_remembered() {
    let harness = Harness::new();
    for documents in both(&harness) {
        let (one, other) = (DocumentId::named(b"one"), DocumentId::named(b"other"));
        assert_eq!(documents.find(&one).await.unwrap(), Remembered::default());
        let (first, second) = (generation(1), generation(300));
        documents.intend(&one, &first, &placed(&one, 0..3)).await.unwrap();
        documents.intend(&other, &first, &placed(&other, 0..9)).await.unwrap();
        documents.finish(&one, first.clone()).unwrap();
        documents.intend(&one, &second, &placed(&one, 2..4)).await.unwrap();
        let history = History { last: Some(first.clone()), begun: Some(second.clone()) };
        assert_eq!(found(&*documents, &one).await, Remembered { history, placed: placed(&one, 0..4) });

        // A late redelivery of the first does not take anything from the second.
        documents.intend(&one, &first, &placed(&one, 0..3)).await.unwrap();
        documents.finish(&one, second.clone()).unwrap();
        documents.finish(&one, first.clone()).unwrap();
        documents.intend(&other, &first, &[]).await.unwrap();
        let history = History { last: Some(second.clone()), begun: Some(second) };
        assert_eq!(found(&*documents, &one).await, Remembered { history, placed: placed(&one, 2..4) });
        assert_eq!(documents.find(&other).await.unwrap().placed.len(), 9);
    }
}

async fn found(documents: &dyn Documents, document: &DocumentId) -> Remembered {
    let mut found = documents.find(document).await.unwrap();
    found.placed.sort();
    found
}

#[tokio::test]
async fn documents_outlive_the_process_and_the_retention_of_jobs_unless_they_left_nothing() {
    let harness = Harness::new();
    let store = harness.open();
    let (full, empty) = (DocumentId::named(b"full"), DocumentId::named(b"empty"));
    store.intend(&full, &generation(1), &placed(&full, 0..3)).await.unwrap();
    store.finish(&full, generation(1)).unwrap();
    store.intend(&empty, &generation(1), &placed(&empty, 0..3)).await.unwrap();
    store.finish(&empty, generation(2)).unwrap();
    drop(store);
    let store = harness.open();
    assert_eq!(store.find(&full).await.unwrap().history.last, Some(generation(1)));
    let found = store.find(&empty).await.unwrap();
    assert_eq!(
        (found.history.last, found.placed.len()),
        (Some(generation(2)), 0),
        "late redeliveries must be recognised"
    );

    store.keep(&job(1), key(0), &text("x")).await.unwrap();
    harness.pass(Duration::from_secs(8 * 24 * 60 * 60));
    gone(&store, &job(1)).await;
    assert_eq!(store.find(&full).await.unwrap().placed.len(), 3);
    assert_eq!(store.find(&empty).await.unwrap(), Remembered::default());
}
