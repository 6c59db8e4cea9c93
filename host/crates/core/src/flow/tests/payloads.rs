//! Payloads that are objects: read before the first stage, and outputs that are stored before they are delivered.

use std::sync::Arc;

use super::book::{MemoryBook, MemoryObjects};
use super::play::{Arrive, Assign, Moment, Play, Replay, Stop, Wait};
use super::seconds;
use crate::model::{JobId, KeptOutput, PayloadText, StoredPayload};

fn of(what: &str, effects: &[String]) -> Vec<String> {
    effects.iter().filter(|line| line.contains(what)).cloned().collect()
}

/// An event that refers to its payload.
fn referring(reference: &str) -> Moment {
    let header: &'static str = format!("gristmill-payload={reference}").leak();
    Replay(0, 1, "", vec![header].leak())
}

async fn played(objects: &Arc<MemoryObjects>, event: Moment) -> Vec<String> {
    let play = Play { objects: Some(Arc::clone(objects)), log_calls: true, ..Play::default() };
    play.effects(&[Assign(0), event, Wait(seconds(60)), Stop]).await
}

fn other(stored: &StoredPayload, change: impl FnOnce(&mut StoredPayload)) -> String {
    let mut stored = stored.clone();
    change(&mut stored);
    stored.to_string()
}

#[tokio::test(start_paused = true)]
async fn a_stage_gets_the_bytes_that_its_event_refers_to() {
    let (objects, stored) = MemoryObjects::with("p/x", "split a b");
    let effects = played(&objects, referring(&stored.to_string())).await;
    assert_eq!(effects[..3], ["0s call split a b #1", "0s out a", "0s out b"]);
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_not_the_one_referred_to_is_a_dead_letter_with_its_reference() {
    let (objects, stored) = MemoryObjects::with("p/x", "split a b");
    for (reference, code) in [
        (other(&stored, |stored| stored.name = "p/y".parse().unwrap()), "payload-gone"),
        (other(&stored, |stored| stored.sha256 = [0; 32]), "bad-payload"),
        (other(&stored, |stored| stored.size -= 1), "bad-payload"),
        (other(&stored, |stored| stored.size += 1), "bad-payload"),
        (other(&stored, |stored| stored.size = 1 << 40), "job-too-large"),
        ("../x".to_owned(), "bad-payload"),
    ] {
        let effects = played(&objects, referring(&reference)).await;
        assert_eq!(effects[0], format!("0s dead  {code}"), "{reference}");
    }
    // Without a place for objects, too.
    let history = [Assign(0), referring(&stored.to_string()), Wait(seconds(1)), Stop];
    assert_eq!(Play::default().effects(&history).await[0], "0s dead  bad-payload");
}

#[tokio::test(start_paused = true)]
async fn an_object_store_that_is_away_is_waited_for_and_nothing_is_lost() {
    let (objects, stored) = MemoryObjects::with("p/x", "a payload of some length");
    *objects.silent.lock().unwrap() = 3;
    let effects = played(&objects, referring(&stored.to_string())).await;
    assert_eq!((of("out", &effects).len(), of("dead", &effects).len()), (1, 0), "{effects:?}");
    *objects.silent.lock().unwrap() = 3;
    let effects = played(&objects, Arrive(0, 2, "a text of some length")).await;
    assert!(!of("out", &effects)[0].starts_with("0s"), "{effects:?}");
    assert_eq!(of("dead", &effects).len(), 0);
}

#[tokio::test(start_paused = true)]
async fn large_outputs_are_objects_and_small_ones_are_not() {
    let (objects, _) = MemoryObjects::with("p/x", "");
    let effects = played(&objects, Arrive(0, 1, "split small 123456789")).await;
    assert_eq!(of("out", &effects), ["0s out small", "0s out "], "no payload, and not null");
    let stored: Vec<_> =
        objects.objects.lock().unwrap().keys().filter(|name| name.contains("output")).cloned().collect();
    assert!(stored.len() == 1 && stored[0].ends_with("/output-1-1"), "{stored:?}");
}

#[tokio::test(start_paused = true)]
async fn the_result_of_a_submitted_job_is_in_its_record_or_an_object() {
    const SUBMITTED: &[&str] = &["gristmill-submitted=00000000-0001-7000-8000-000000000000;1"];
    let (book, (objects, _)) = (Arc::new(MemoryBook::default()), MemoryObjects::with("p/x", ""));
    let job = JobId::submitted(1, &[0; 10]);
    book.submit(&job, PayloadText::Inline(b"split small 123456789"));
    let play = Play { book: Some(Arc::clone(&book)), objects: Some(objects), ..Play::default() };
    play.effects(&[Assign(0), Replay(0, 1, "split small 123456789", SUBMITTED), Wait(seconds(1)), Stop]).await;
    let outputs = book.record(job.as_str()).told.first_outputs;
    assert_eq!(outputs[0].kept, Some(KeptOutput::Inline("small".into())));
    assert!(matches!(&outputs[1].kept, Some(KeptOutput::Object(stored)) if stored.size == 9), "{outputs:?}");
    assert_eq!(outputs[1].size, 9);
}
