//! Random changes from two hosts: what is stored is what the rule says when it is applied to them in some order, and versions
//! only grow.

use std::collections::BTreeMap;
use std::sync::Arc;

use gristmill_core::model::{
    Act, Claim, Ended, EventDigest, JobId, JobNote, JobRecord, Phase, Position, Run, Standing, Timestamp,
};
use gristmill_core::ports::Wanted;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::records::{note, place, submission};
use super::world::{Kind, Records, World};

#[derive(Debug, Clone)]
enum Step {
    Claim(Claim),
    Note(Box<JobNote>),
    Ask(JobId, Act),
    Settled(Position),
}

const AT: Timestamp = Timestamp(1_900_000_000_000);
const JOBS: u32 = 4;

fn step() -> impl Strategy<Value = Step> {
    let job = (0..JOBS).prop_map(|number| submission(number).job);
    let run = (1..3_u32).prop_map(Run);
    let claim = (0..JOBS, run.clone(), 0..3_u128, any::<bool>()).prop_map(|(number, run, position, is_forged)| {
        let submission = submission(number);
        let event = if is_forged { EventDigest([77; 32]) } else { submission.event };
        Step::Claim(Claim { job: submission.job, run, place: place(position), event, at: AT })
    });
    let note = (job.clone(), run, 0..3_u128, 0..100_u8, 0..6_u8).prop_map(|(job, run, position, percent, phase)| {
        let mut note = JobNote { run, ..note(&job, position, percent) };
        if phase > 3 {
            note.standing = Standing::at(if phase == 4 { Phase::Settling } else { Phase::Ended });
            note.ended = Some(if percent % 2 == 0 { Ended::Completed } else { Ended::Failed });
        }
        Step::Note(Box::new(note))
    });
    let retry = Act::Retry { from_stage: None, event: EventDigest([5; 32]) };
    let ask = (job, prop_oneof![Just(Act::Cancel), Just(retry)]).prop_map(|(job, act)| Step::Ask(job, act));
    prop_oneof![3 => claim, 5 => note, 2 => ask, 1 => (0..4_u128).prop_map(|below| Step::Settled(Position(below)))]
}

/// Does the step; says what became of it.
async fn take(store: &dyn Records, step: &Step) -> String {
    match step {
        Step::Claim(claim) => format!("{:?}", store.claim(claim).await.unwrap()),
        Step::Note(note) => format!("{:?}", store.note(std::slice::from_ref(note)).await.unwrap()),
        Step::Ask(job, act) => format!("{:?}", store.ask(job, act, AT).await.unwrap()),
        Step::Settled(below) => {
            format!("{:?}", store.settled_before(&place(0).partition, *below, AT).await.unwrap())
        }
    }
}

/// The rule itself.
fn apply(records: &mut BTreeMap<JobId, JobRecord>, step: &Step) -> String {
    match step {
        Step::Claim(claim) => match records.get_mut(&claim.job) {
            Some(record) => format!("{:?}", record.claim(claim)),
            None => "Unknown".into(),
        },
        Step::Note(note) => {
            records.entry(note.job.clone()).or_insert_with(|| JobRecord::heard(note)).apply(note);
            "()".into()
        }
        Step::Ask(job, act) => match records.get_mut(job) {
            Some(record) => format!("{:?}", record.act(act, AT)),
            None => "Unknown".into(),
        },
        Step::Settled(below) => {
            for record in records.values_mut() {
                if record.place.as_ref().is_some_and(|place| place.position < *below) {
                    record.settled(AT);
                }
            }
            "()".into()
        }
    }
}

async fn found(store: &dyn Records) -> BTreeMap<JobId, JobRecord> {
    let mut found = BTreeMap::new();
    for number in 0..JOBS {
        let job = submission(number).job;
        if let Some((record, _)) = store.find(&job, Wanted::Record).await.unwrap() {
            found.insert(job, record);
        }
    }
    found
}

/// A step by one host, then one by another: exactly the rule.
async fn in_turn(kind: Kind, rounds: u32) {
    let mut runner = TestRunner::default();
    for _ in 0..rounds {
        let steps = proptest::collection::vec((step(), any::<bool>()), 1..40).new_tree(&mut runner).unwrap().current();
        let world = World::new(kind).await;
        let (one, two) = (world.records().await, world.records().await);
        let mut records = BTreeMap::new();
        for number in 0..2 {
            one.submit(vec![submission(number)]).await.unwrap();
            records.insert(submission(number).job, JobRecord::of(submission(number)));
        }
        for (index, (step, is_first)) in steps.iter().enumerate() {
            let host = if *is_first { &one } else { &two };
            let done = take(&**host, step).await;
            assert_eq!(done, apply(&mut records, step), "step {index} of {steps:#?}");
        }
        assert_eq!(found(&*one).await, records, "{steps:#?}");
    }
}

/// Notes by two hosts at the same time: whatever the order, a job is as far as the one that is furthest.
async fn at_once(kind: Kind) {
    let world = World::new(kind).await;
    let hosts = [world.records().await, world.records().await];
    let tasks: Vec<_> = (0..2_usize)
        .map(|host| {
            let store = Arc::clone(&hosts[host]);
            tokio::spawn(async move {
                for percent in (0..90_u8).filter(|percent| usize::from(percent % 2) == host) {
                    let notes: Vec<JobNote> =
                        (0..JOBS).map(|number| note(&submission(number).job, 1, percent)).collect();
                    store.note(&notes).await.unwrap();
                }
            })
        })
        .collect();
    let mut before: BTreeMap<JobId, JobRecord> = BTreeMap::new();
    let is_running = |tasks: &[tokio::task::JoinHandle<()>]| !tasks.iter().all(tokio::task::JoinHandle::is_finished);
    while is_running(&tasks) {
        let now = found(&*hosts[0]).await;
        for (job, record) in &before {
            let later = &now[job];
            assert!(later.version >= record.version && later.standing >= record.standing, "{record:?} {later:?}");
        }
        before = now;
    }
    for task in tasks {
        task.await.unwrap();
    }
    for record in found(&*hosts[1]).await.into_values() {
        assert_eq!((record.standing.percent.get(), record.version), (89, 91));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_follows_the_rule() {
    in_turn(Kind::Memory, 300).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_follows_the_rule() {
    in_turn(Kind::Sqlite, 10).await;
    at_once(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_follows_the_rule() {
    in_turn(Kind::Postgres, 15).await;
    at_once(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_follows_the_rule() {
    in_turn(Kind::Redis, 15).await;
    at_once(Kind::Redis).await;
}
