//! What happens to the record of a job, step by step.

use super::*;
use crate::model::{Partition, Position};

const DIGEST: EventDigest = EventDigest([7; 32]);

fn place(position: u128) -> EventId {
    EventId { partition: Partition { topic: "in".into(), index: 0 }, position: Position(position) }
}

fn submitted() -> JobRecord {
    JobRecord::of(Submission {
        job: JobId::submitted(1, &[0; 10]),
        owner: None,
        batch: None,
        once: None,
        event: DIGEST,
        attributes: Vec::new(),
        webhook: None,
        at: Timestamp(1),
    })
}

fn claim(position: u128) -> Claim {
    let job = submitted().job;
    Claim { job, run: Run::FIRST, place: place(position), event: DIGEST, at: Timestamp(2) }
}

fn note(phase: Phase, percent: u8) -> JobNote {
    JobNote {
        job: submitted().job,
        run: Run::FIRST,
        place: place(4),
        first: Stamp { place: place(4), time: Timestamp(1) },
        standing: Standing { percent: Percent::new(percent), ..Standing::at(phase) },
        ended: (phase == Phase::Ended).then_some(Ended::Completed),
        told: Told::default(),
        moments: Vec::new(),
        at: Timestamp(3),
    }
}

#[test]
fn the_first_event_is_that_of_the_job_however_often_it_comes() {
    let mut record = submitted();
    let granted = Claimed::Granted { first: None, from_stage: None };
    assert_eq!(record.claim(&claim(4)), granted);
    assert_eq!(record.claim(&claim(4)), granted);
    assert_eq!(record.claim(&claim(5)), Claimed::Repeat);
    let forged = Claim { event: EventDigest([8; 32]), ..claim(4) };
    assert_eq!(record.claim(&forged), Claimed::Unknown);
    record.apply(&note(Phase::Ended, 0));
    assert_eq!(record.claim(&claim(4)), Claimed::Over);
}

#[test]
fn a_host_that_takes_over_never_makes_it_run_backwards() {
    let mut record = submitted();
    record.apply(&note(Phase::Running, 60));
    let told = Told { waiting: Some(Waiting { why: "a limit".into(), until: None }), ..Told::default() };
    record.apply(&JobNote { told, ..note(Phase::Running, 10) });
    assert_eq!(record.standing.percent.get(), 60);
    // But why it waits is known at once.
    assert!(record.told.waiting.is_some());
}

#[test]
fn the_end_stays_and_only_then_it_is_all_done() {
    let mut record = submitted();
    assert!(record.apply(&note(Phase::Ended, 75)));
    assert_eq!(record.standing.percent, Percent::ALL);
    let ended = record.clone();
    assert!(!record.apply(&note(Phase::Running, 99)));
    assert!(!record.apply(&JobNote { ended: Some(Ended::Failed), ..note(Phase::Ended, 0) }));
    assert_eq!(record, ended);
}

#[test]
fn an_event_that_waits_is_cancelled_when_it_comes() {
    let mut record = submitted();
    assert_eq!(record.act(&Act::Cancel, Timestamp(2)), Acted::Done(Run::FIRST));
    assert_eq!(record.claim(&claim(4)), Claimed::Over);
    assert_eq!(record.ended, Some(Ended::Cancelled));
    assert_eq!(record.act(&Act::Cancel, Timestamp(3)), Acted::Conflict(Phase::Ended));
}

#[test]
fn a_job_whose_host_died_after_it_was_asked_to_cancel_ends_when_its_event_comes_again() {
    let mut record = submitted();
    record.claim(&claim(4));
    record.apply(&note(Phase::Running, 60));
    record.act(&Act::Cancel, Timestamp(4));
    assert_eq!(record.claim(&claim(4)), Claimed::Over);
    assert_eq!((record.standing.phase, record.ended), (Phase::Ended, Some(Ended::Cancelled)));
}

#[test]
fn a_retry_is_a_run_of_its_own_and_late_notes_of_the_run_before_change_nothing() {
    let mut record = submitted();
    let retry = Act::Retry { from_stage: Some("b".into()), event: EventDigest([9; 32]) };
    assert_eq!(record.act(&retry, Timestamp(2)), Acted::Conflict(Phase::Accepted));
    record.apply(&JobNote { ended: Some(Ended::Failed), ..note(Phase::Ended, 40) });
    assert_eq!(record.act(&retry, Timestamp(4)), Acted::Done(Run(2)));
    let again = record.clone();
    assert_eq!(record.act(&retry, Timestamp(5)), Acted::Done(Run(2)));
    assert!(!record.apply(&note(Phase::Ended, 0)));
    assert_eq!(record, again);
    let of_run = Claim { run: Run(2), event: EventDigest([9; 32]), ..claim(8) };
    let first = Some(Stamp { place: place(4), time: Timestamp(1) });
    assert_eq!(record.claim(&of_run), Claimed::Granted { first, from_stage: Some("b".into()) });
}

#[test]
fn the_event_of_a_run_before_is_a_repeat_and_no_job_of_its_own() {
    let ended = JobNote { ended: Some(Ended::Failed), ..note(Phase::Ended, 40) };
    let retried = |event| {
        let mut record = submitted();
        record.claim(&claim(4));
        record.apply(&ended);
        record.act(&Act::Retry { from_stage: None, event }, Timestamp(4));
        record
    };
    // It comes again because its host died before it was settled, or it was published twice.
    assert_eq!(retried(DIGEST).claim(&claim(4)), Claimed::Repeat);
    assert_eq!(retried(DIGEST).claim(&claim(5)), Claimed::Repeat);
    // After edits, too, whichever of them it is.
    let mut edited = retried(EventDigest([9; 32]));
    let of_second = Claim { run: Run(2), event: EventDigest([9; 32]), ..claim(6) };
    assert!(matches!(edited.claim(&of_second), Claimed::Granted { .. }));
    edited.apply(&JobNote { run: Run(2), place: place(6), ..ended.clone() });
    let third = Act::Retry { from_stage: None, event: EventDigest([10; 32]) };
    assert_eq!(edited.act(&third, Timestamp(5)), Acted::Done(Run(3)));
    assert_eq!(edited.earlier_place, Some(place(6)));
    for before in [claim(4), claim(5), of_second.clone(), Claim { place: place(7), ..of_second }] {
        assert_eq!(edited.claim(&before), Claimed::Repeat, "{before:?}");
    }
    assert_eq!(edited.claim(&Claim { event: EventDigest([8; 32]), ..claim(5) }), Claimed::Unknown);
    let mut edited = retried(EventDigest([9; 32]));
    assert_eq!(edited.claim(&Claim { run: Run(3), ..claim(4) }), Claimed::Unknown, "of a run that is still to come");
    assert_eq!((edited.run, edited.standing.phase), (Run(2), Phase::Accepted));
}

#[test]
fn a_retry_that_was_not_published_gives_way_to_another_one() {
    let retry = |digest| Act::Retry { from_stage: None, event: EventDigest([digest; 32]) };
    let mut record = submitted();
    record.claim(&claim(4));
    record.apply(&JobNote { ended: Some(Ended::Failed), ..note(Phase::Ended, 40) });
    assert_eq!(record.act(&retry(9), Timestamp(4)), Acted::Done(Run(2)));
    // The edited input is nowhere: it runs with what there was before.
    assert_eq!(record.act(&retry(7), Timestamp(5)), Acted::Done(Run(3)));
    let late = Claim { run: Run(2), event: EventDigest([9; 32]), ..claim(8) };
    assert_eq!(record.claim(&late), Claimed::Repeat, "its event came after all");
    record.published(Run(3), Timestamp(6));
    assert_eq!(record.act(&retry(9), Timestamp(7)), Acted::Conflict(Phase::Queued));
}

#[test]
fn every_change_is_seen_by_its_version() {
    let mut record = submitted();
    record.published(Run::FIRST, Timestamp(2));
    assert_eq!((record.version, record.standing.phase), (2, Phase::Queued));
    record.published(Run::FIRST, Timestamp(2));
    assert_eq!(record.version, 2);
    record.apply(&note(Phase::Running, 1));
    assert_eq!(record.version, 3);
}

#[test]
fn what_waits_for_its_transaction_is_over_once_that_is_known_to_be_committed() {
    let mut record = submitted();
    assert!(!record.settled(Timestamp(2)));
    let settling = JobNote { ended: Some(Ended::Completed), ..note(Phase::Settling, 99) };
    assert!(!record.apply(&settling));
    assert!(record.settled(Timestamp(4)));
    assert_eq!((record.standing.phase, record.standing.percent), (Phase::Ended, Percent::ALL));
    assert!(!record.settled(Timestamp(5)));
}

#[test]
fn neither_the_stage_nor_what_it_cost_runs_backwards_with_a_host_that_takes_over() {
    let mut record = submitted();
    let told = |name: &str, calls| Told {
        stage: Some(StageAt { name: name.into(), index: 1, of: 2, items: crate::model::StageCount::default() }),
        spent: Spent { calls, ..Spent::default() },
        ..Told::default()
    };
    record.apply(&JobNote { told: told("second", 3), ..note(Phase::Running, 60) });
    record.apply(&JobNote { told: told("first", 0), ..note(Phase::Running, 10) });
    assert_eq!((record.told.stage.as_ref().unwrap().name.as_str(), record.told.spent.calls), ("second", 3));
    record.apply(&JobNote { told: told("third", 4), ..note(Phase::Running, 70) });
    assert_eq!((record.told.stage.as_ref().unwrap().name.as_str(), record.told.spent.calls), ("third", 4));
}
