//! Records of jobs, as the flow writes them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use gristmill_core::model::{
    Claim, Claimed, Ended, EventDigest, EventId, ItemId, JobId, JobNote, JobRecord, MOST_MOMENTS, Moment, MomentKind,
    Partition, Percent, Phase, Position, Run, Stamp, Standing, Status, Submission, Submitted, Timestamp, Told,
};
use gristmill_core::ports::Wanted;

use super::world::{Records, World, job};

/// Long enough for a machine that does many other things.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) fn place(position: u128) -> EventId {
    EventId { partition: Partition { topic: "in".into(), index: 0 }, position: Position(position) }
}

/// A job that was submitted, a different one for each number, at the same moment.
pub(super) fn submission(number: u32) -> Submission {
    let mut random = [0; 10];
    random[6..].copy_from_slice(&number.to_be_bytes());
    Submission {
        job: JobId::submitted(1_764_150_000_000, &random),
        owner: None,
        batch: None,
        once: None,
        event: EventDigest([u8::try_from(number % 251).unwrap(); 32]),
        attributes: Vec::new(),
        webhook: None,
        at: Timestamp(1_764_150_000_000),
    }
}

pub(super) fn claim(submission: &Submission, position: u128) -> Claim {
    let (job, event) = (submission.job.clone(), submission.event);
    Claim { job, run: Run::FIRST, place: place(position), event, at: Timestamp(2_000_000_000_000) }
}

/// A note of a running job that has come so far.
pub(super) fn note(job: &JobId, position: u128, percent: u8) -> JobNote {
    JobNote {
        job: job.clone(),
        run: Run::FIRST,
        place: place(position),
        first: Stamp { place: place(position), time: Timestamp(5) },
        standing: Standing { percent: Percent::new(percent), ..Standing::at(Phase::Running) },
        ended: None,
        told: Told { attempts: percent.into(), ..Told::default() },
        moments: Vec::new(),
        at: Timestamp(2_000_000_000_001),
    }
}

/// The note of its end.
pub(super) fn end(job: &JobId, position: u128, ended: Ended) -> JobNote {
    JobNote { standing: Standing::at(Phase::Ended), ended: Some(ended), ..note(job, position, 0) }
}

pub(super) async fn record(store: &dyn Records, job: &JobId) -> JobRecord {
    store.find(job, Wanted::Record).await.unwrap().expect("there is a record").0
}

pub(super) async fn the_first_event_that_proves_itself_is_the_only_one(world: &World) {
    let (one, two) = (world.records().await, world.records().await);
    let submitted = submission(1);
    assert_eq!(one.submit(vec![submitted.clone()]).await.unwrap(), [Submitted::New]);
    let forged = Claim { event: EventDigest([99; 32]), ..claim(&submitted, 7) };
    assert_eq!(two.claim(&forged).await.unwrap(), Claimed::Unknown);
    assert_eq!(two.claim(&claim(&submission(2), 7)).await.unwrap(), Claimed::Unknown);
    assert_eq!(two.find(&submission(2).job, Wanted::Record).await.unwrap(), None, "a claim makes no record");
    let granted = Claimed::Granted { first: None, from_stage: None };
    let places = join_all((0..20).map(|position| {
        let (host, submitted) = (Arc::clone(if position % 2 == 0 { &one } else { &two }), submitted.clone());
        async move { host.claim(&claim(&submitted, position)).await.unwrap() }
    }));
    let claimed = places.await;
    let first = claimed.iter().position(|claimed| *claimed == granted).expect("one is granted");
    assert_eq!(claimed.iter().filter(|claimed| **claimed == Claimed::Repeat).count(), 19);
    let again = one.claim(&claim(&submitted, first as u128)).await.unwrap();
    assert_eq!(again, granted, "the same event comes again after a crash");
    assert_eq!(Status::of(&record(&*two, &submitted.job).await), Status::Running);
}

pub(super) async fn notes_of_jobs_without_a_record_make_one_and_never_run_backwards(world: &World) {
    let (one, two) = (world.records().await, world.records().await);
    let jobs: Vec<JobId> = (0..30).map(job).collect();
    let notes: Vec<JobNote> = jobs.iter().map(|job| note(job, 1, 40)).collect();
    one.note(&notes).await.unwrap();
    // A host that has taken over is not yet as far, and tells something else.
    two.note(&[note(&jobs[3], 1, 10)]).await.unwrap();
    let behind = record(&*one, &jobs[3]).await;
    assert_eq!((behind.standing.percent.get(), behind.told.attempts), (40, 10));
    assert!(behind.version > record(&*one, &jobs[4]).await.version);
    two.note(&[end(&jobs[3], 1, Ended::Completed), note(&jobs[4], 1, 50)]).await.unwrap();
    one.note(&[end(&jobs[3], 1, Ended::Failed), note(&jobs[3], 1, 99)]).await.unwrap();
    let over = record(&*two, &jobs[3]).await;
    assert_eq!((over.ended, over.standing.percent), (Some(Ended::Completed), Percent::ALL));
    assert_eq!(record(&*one, &jobs[4]).await.standing.percent.get(), 50);
}

pub(super) async fn hosts_that_note_the_same_new_jobs_at_once_agree(world: &World) {
    let hosts = [world.records().await, world.records().await];
    let tasks = (0..40_u8).map(|number| {
        let host = Arc::clone(&hosts[usize::from(number % 2)]);
        tokio::spawn(async move {
            let mut jobs: Vec<JobId> = (0..10).map(job).collect();
            if number % 3 == 0 {
                jobs.reverse();
            }
            let notes: Vec<JobNote> = jobs.iter().map(|job| note(job, 1, number)).collect();
            // Two hosts may be in each other's way for a while.
            let deadline = tokio::time::Instant::now() + PATIENCE;
            while let Err(error) = host.note(&notes).await {
                assert!(tokio::time::Instant::now() < deadline, "{error}");
            }
        })
    });
    join_all(tasks.collect::<Vec<_>>()).await.into_iter().for_each(Result::unwrap);
    for number in 0..10 {
        let record = record(&*hosts[0], &job(number)).await;
        assert_eq!(record.standing.percent.get(), 39);
        assert!(record.version >= 41, "one more with each of 40 notes: {}", record.version);
    }
}

pub(super) async fn a_history_is_kept_up_to_its_bound(world: &World) {
    let store = world.records().await;
    let moment = |number: u32, run: u32| Moment {
        at: Timestamp(number.into()),
        run: Run(run),
        stage: "s".into(),
        item: ItemId::recorded("i".into()),
        milliseconds: 1,
        what: MomentKind::Attempt(number, None),
    };
    let mut expected = Vec::new();
    for round in 0..12_u32 {
        let moments: Vec<Moment> = (0..100).map(|number| moment(round * 100 + number, 1)).collect();
        expected.extend(moments.clone());
        store.note(&[JobNote { moments, ..note(&job(1), 1, 1) }]).await.unwrap();
    }
    expected.truncate(MOST_MOMENTS);
    let later = JobNote { run: Run(2), moments: vec![moment(7, 2)], ..note(&job(1), 1, 1) };
    store.note(&[later]).await.unwrap();
    expected.push(moment(7, 2));
    // Of an earlier run.
    store.note(&[JobNote { moments: vec![moment(8, 1)], ..note(&job(1), 1, 1) }]).await.unwrap();
    let (record, history) = store.find(&job(1), Wanted::History).await.unwrap().unwrap();
    assert_eq!((record.run, history.len()), (Run(2), expected.len()));
    assert!(history == expected, "the oldest first");
    assert_eq!(store.find(&job(1), Wanted::Record).await.unwrap().unwrap().1, []);
}

pub(super) async fn what_is_settling_ends_below_what_a_group_has_committed(world: &World) {
    let (one, two) = (world.records().await, world.records().await);
    let settling = |position: u128, index: u32| {
        let mut place = place(position);
        place.partition.index = index;
        let standing = Standing::at(Phase::Settling);
        JobNote { standing, ended: Some(Ended::Completed), place, ..note(&job(position + u128::from(index) * 7), 1, 0) }
    };
    let high = 1 << 80;
    let notes = [settling(5, 0), settling(9, 0), settling(10, 0), settling(high, 0), settling(5, 1)];
    one.note(&notes).await.unwrap();
    for _ in 0..2 {
        two.settled_before(&place(0).partition, Position(10), Timestamp(9)).await.unwrap();
    }
    let mut over = Vec::new();
    for note in &notes {
        over.push(record(&*one, &note.job).await.standing.phase == Phase::Ended);
    }
    assert_eq!(over, [true, true, false, false, false]);
    two.settled_before(&place(0).partition, Position(high + 1), Timestamp(9)).await.unwrap();
    assert_eq!(Status::of(&record(&*one, &notes[3].job).await), Status::Completed);
    assert_eq!(Status::of(&record(&*one, &notes[4].job).await), Status::Running, "of another partition");
}

pub(super) async fn records_survive_reopening(world: &World) {
    let store = world.records().await;
    store.submit(vec![submission(1)]).await.unwrap();
    store.note(&[note(&job(1), 1, 40)]).await.unwrap();
    let before = [record(&*store, &submission(1).job).await, record(&*store, &job(1)).await];
    drop(store);
    let store = world.records().await;
    assert_eq!([record(&*store, &submission(1).job).await, record(&*store, &job(1)).await], before);
}

pub(super) async fn a_job_is_known_to_be_published(world: &World) {
    let store = world.records().await;
    store.submit(vec![submission(1)]).await.unwrap();
    store.published(&[(submission(1).job, Run(1)), (submission(2).job, Run(1))], Timestamp(9)).unwrap();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while Status::of(&record(&*store, &submission(1).job).await) != Status::Queued {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(store.find(&submission(2).job, Wanted::Record).await.unwrap(), None);
}
