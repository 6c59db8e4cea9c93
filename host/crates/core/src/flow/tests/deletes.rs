//! What deletes what, and what names a document.

use super::documents::{BY_ITEM, Config, Sent, deleted, play, sent};
use crate::flow::settings::{DocumentName, Tombstones};

#[tokio::test(start_paused = true)]
async fn a_tombstone_goes_wherever_outputs_can_go_if_events_are_the_keys() {
    let config = Config {
        by_item: false,
        plan: |plan| {
            let target = crate::model::Target::Topic("aside".into());
            plan.nodes[0].branches.insert("b".into(), target);
        },
        ..BY_ITEM
    };
    let world = play(&config, &[sent("d", "x"), deleted("d")]).await;
    assert_eq!(world.written(), ["out d x", "out d -", "aside d -"]);
}

#[tokio::test(start_paused = true)]
async fn tombstones_can_be_dropped_or_kept_as_dead_letters() {
    let records = [sent("d", "x"), deleted("d"), Sent { key: None, payload: None, headers: &[] }];
    let of = async |tombstones| {
        let mut written = play(&Config { tombstones, by_item: false, ..BY_ITEM }, &records).await.written();
        written.sort();
        written
    };
    assert_eq!(of(Tombstones::Drop).await, ["dead - -", "out d x"], "a record without key deletes nothing");
    assert_eq!(of(Tombstones::DeadLetter).await, ["dead - -", "dead d -", "out d x"]);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_tombstones_stop_nothing() {
    let records = vec![deleted("d"); 11_000];
    let world = play(&Config { by_item: false, ..BY_ITEM }, &records).await;
    assert_eq!(*world.committed.lock().unwrap(), 11_000);
}

#[tokio::test(start_paused = true)]
async fn a_document_can_be_named_by_a_header_or_in_the_payload() {
    let by_header = Config { document: DocumentName::Header("doc".into()), ..BY_ITEM };
    let named = |payload| Sent { key: Some("k"), payload: Some(payload), headers: &[("doc", "a/b")] };
    let world = play(&by_header, &[named("split x y"), named("z"), sent("k", "unnamed")]).await;
    assert_eq!(world.index(), ["dead k unnamed", "out a%2Fb/s0.0 z"]);
    let by_pointer = Config { document: DocumentName::Pointer("/id".into()), ..BY_ITEM };
    let world = play(&by_pointer, &[sent("k", r#"{"id":7}"#), sent("k", r#"{"id":null}"#), deleted("k")]).await;
    assert_eq!(world.written(), [r#"out 7/s0.0 {"id":7}"#, r#"dead k {"id":null}"#, "dead k -"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_without_key_is_a_document_of_its_own() {
    let world = play(&BY_ITEM, &[Sent { key: None, payload: Some("split x y"), headers: &[] }]).await;
    assert_eq!(world.index(), ["out in:0:0/s0.0 x", "out in:0:0/s0.1 y"]);
}
