//! Records of topics, and what they count as.

use bytes::Bytes;
use gristmill_core::model::{Generation, Header, Partition, Position, Timestamp};

use super::*;

const BOUNDS: Bounds = Bounds { outputs: 100, missing: 2 };

fn record(topic: &str, offset: u128, headers: &[(&'static str, &str)]) -> Event {
    let header = |(name, value): &(&'static str, &str)| Header {
        name: (*name).into(),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
    };
    Event {
        id: EventId { partition: Partition { topic: topic.into(), index: 0 }, position: Position(offset) },
        generation: Generation::default(),
        key: Some(Bytes::from_static(b"k")),
        payload: Some(Bytes::from_static(b"v")),
        headers: headers.iter().map(header).collect(),
        timestamp: Timestamp(0),
        deliveries: None,
        fault: None,
    }
}

fn output(job: &str, item: &str, digest: &str) -> Event {
    record("out", 0, &[("gristmill-job-id", job), ("gristmill-item-id", item), ("gristmill-output-sha256", digest)])
}

fn dead(offset: u128, job: &str, reason: &str) -> Event {
    record("dead", offset, &[("gristmill-job-id", job), ("failure_reason", reason)])
}

fn count(outputs: &[Event], letters: &[Event], events: &[Event]) -> Totals {
    counted(&[], outputs, letters, events)
}

fn counted(expected: &[Expected], outputs: &[Event], letters: &[Event], events: &[Event]) -> Totals {
    let mut count = Count::new("p", BOUNDS, expected);
    outputs.iter().for_each(|record| count.output(record).unwrap());
    letters.iter().for_each(|record| count.dead_letter(record).unwrap());
    events.iter().for_each(|record| count.event(record));
    count.end()
}

#[test]
fn every_event_is_enriched_dead_or_missing() {
    let outputs = [output("p/in/0/1", "a", "1"), output("p/in/0/1", "b", "1"), output("p/in/0/2", "c", "1")];
    let letters = [dead(0, "p/in/0/3", "trap"), dead(1, "p/in/0/2", "trap")];
    let events: Vec<Event> = (1..=7).map(|offset| record("in", offset, &[])).collect();
    let totals = count(&outputs, &letters, &events);
    assert_eq!((totals.events, totals.enriched, totals.missing, totals.outputs), (7, 2, 4, 3));
    assert_eq!(totals.dead_lettered, BTreeMap::from([("trap".into(), 1)]), "one of the two has outputs since");
    let missing: Vec<String> = totals.missing_events.iter().map(ToString::to_string).collect();
    assert_eq!(missing, ["in/0/4", "in/0/5"], "only so many are named");
    assert!((totals.rate().unwrap() - 2.0 / 7.0).abs() < 1e-9);
    assert_eq!(count(&[], &[], &[]).rate(), None);
}

#[test]
fn what_is_expected_to_be_dropped_is_not_missing_but_counts_if_it_has_left_something() {
    let beat = |offset| record("in", offset, &[("kind", "heartbeat")]);
    let events = [record("in", 0, &[]), beat(1), beat(2), beat(3), record("in", 4, &[])];
    let (outputs, letters) =
        ([output("p/in/0/0", "a", "1"), output("p/in/0/2", "b", "1")], [dead(0, "p/in/0/3", "trap")]);
    let totals = counted(&["kind=heartbeat".parse().unwrap()], &outputs, &letters, &events);
    assert_eq!((totals.events, totals.enriched, totals.dropped, totals.missing), (4, 2, 1, 1));
    assert_eq!(totals.dead_lettered.get("trap"), Some(&1));
}

#[test]
fn a_repeat_is_the_same_item_of_the_same_job() {
    let outputs = [
        output("p/in/0/1", "a", "1"),
        output("p/in/0/1", "a", "1"),
        output("p/in/0/1", "a", "2"),
        // A later generation of the same document.
        output("p/in/0/2", "a", "1"),
    ];
    let totals = count(&outputs, &[], &[]);
    assert_eq!((totals.outputs, totals.repeats, totals.differing_repeats), (4, 1, 1));
    assert_eq!(totals.gone, 2, "their events are not in the topic");
}

#[test]
fn values_are_compared_where_there_is_no_digest() {
    let item = |payload: &'static [u8]| {
        let record = record("out", 0, &[("gristmill-job-id", "p/in/0/1"), ("gristmill-item-id", "a")]);
        Event { payload: Some(Bytes::from_static(payload)), ..record }
    };
    let totals = count(&[item(b"x"), item(b"x"), item(b"y")], &[], &[]);
    assert_eq!((totals.repeats, totals.differing_repeats), (1, 1));
}

#[test]
fn deletes_and_replays_are_no_events_of_their_own() {
    let delete = Event { payload: None, ..record("in", 1, &[]) };
    let replay = record("in", 2, &[("gristmill-replay-of", "dead/0/5")]);
    let claimed = record("in", 3, &[("gristmill-replay-of", "dead/0/6")]);
    let totals = count(
        &[output("p/in/0/0", "a", "1")],
        &[dead(5, "p/in/0/0", "trap")],
        &[record("in", 0, &[]), delete, replay, claimed],
    );
    assert_eq!((totals.events, totals.enriched, totals.deletes, totals.replays, totals.missing), (2, 1, 1, 1, 1));
}

#[test]
fn what_others_wrote_does_not_count() {
    let foreign = [output("q/in/0/1", "a", "1"), record("out", 1, &[]), output("p/in/0/01", "a", "1")];
    let tombstone = Event { payload: None, ..output("p/in/0/1", "a", "1") };
    let letters = [dead(0, "q/in/0/1", "trap"), record("dead", 1, &[("gristmill-replayed", "0/0")])];
    let totals = count(&[&foreign[..], &[tombstone]].concat(), &letters, &[record("in", 1, &[])]);
    assert_eq!((totals.outputs, totals.missing, totals.enriched), (0, 1, 0));
}

#[test]
fn submitted_jobs_are_those_of_the_events_that_name_them() {
    let ids: Vec<String> = (1..=6).map(|number| JobId::submitted(1, &[number; 10]).to_string()).collect();
    let event = |offset, named: &str| record("in", offset, &[("gristmill-submitted", named)]);
    let run = |index: usize, run: u32| format!("{};{run}", ids[index]);
    let elsewhere =
        [("gristmill-job-id", ids[5].as_str()), ("failure_reason", "trap"), ("gristmill-first-place", "q/in/0/1")];
    let outputs = [
        output(&ids[0], "a", "1"),
        output(&ids[0], "b", "1"),
        output(&ids[1], "a", "1"),
        output("p/in/0/5", "a", "1"),
        // Of a pipeline that writes to the same topic.
        output(&ids[4], "a", "1"),
    ];
    let letters = [dead(0, &ids[1], "trap"), dead(1, &ids[2], "trap"), record("dead", 2, &elsewhere)];
    let events = [
        event(0, &run(0, 1)),
        // It failed, and was retried with success.
        event(1, &run(1, 1)),
        event(2, &run(1, 2)),
        event(3, &run(2, 1)),
        event(4, &run(3, 1)),
        // Names a job that is not its own, and is one of its own therefore.
        event(5, &run(0, 7)),
        event(6, "no id;1"),
    ];
    let totals = count(&outputs, &letters, &events);
    assert_eq!((totals.events, totals.enriched, totals.missing, totals.replays), (6, 3, 2, 1));
    assert_eq!((totals.dead_lettered.get("trap"), totals.outputs, totals.gone), (Some(&1), 4, 0));
    let missing: Vec<String> = totals.missing_events.iter().map(ToString::to_string).collect();
    assert_eq!(missing, ["in/0/4", "in/0/6"]);
}

#[test]
fn memory_is_bounded() {
    let mut count = Count::new("p", Bounds { outputs: 2, missing: 0 }, &[]);
    for item in ["a", "b"] {
        count.output(&output("p/in/0/1", item, "1")).unwrap();
    }
    assert_eq!(count.output(&output("p/in/0/1", "c", "1")), Err(TooMany(2)));
    let mut count = Count::new("p", Bounds { outputs: 1_000_000, missing: 0 }, &[]);
    for offset in 0..3 * REASONS as u128 {
        count.dead_letter(&dead(offset, &format!("p/in/0/{offset}"), &format!("r{offset}"))).unwrap();
    }
    assert!(count.reasons.len() <= REASONS + 1, "{}", count.reasons.len());
}
