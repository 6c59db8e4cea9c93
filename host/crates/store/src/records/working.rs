//! The records that a batch of changes is about, in memory. Whatever a store is, this is what it does between loading and
//! writing.

use std::collections::BTreeMap;

use gristmill_core::model::{
    Act, Acted, Claimed, JobId, JobNote, JobRecord, Moment, Partition, Phase, Position, Run, Submission, Submitted,
    Timestamp,
};

use super::change::{Change, Done};

/// The records of a batch.
#[derive(Default)]
pub(crate) struct Working {
    /// Boxed, because a map moves its values when others come between them, and these are large.
    records: BTreeMap<JobId, Box<Entry>>,
    /// Which job a key stands for, and with which request it came.
    keys: BTreeMap<[u8; 32], (JobId, [u8; 32])>,
}

/// A record, and what is to be written with it.
pub(crate) struct Entry {
    pub(crate) record: JobRecord,
    /// The version that the store has; `None` if it has none.
    pub(crate) stored: Option<u64>,
    /// What happened.
    pub(crate) moments: Vec<Moment>,
    /// The runs of which somebody is to be told.
    pub(crate) deliveries: Vec<Run>,
    /// The runs that hosts are asked to cancel.
    pub(crate) asked: Vec<Run>,
    /// The key that it came with, and the request.
    pub(crate) once: Option<([u8; 32], [u8; 32])>,
}

impl Entry {
    fn new(record: JobRecord, stored: Option<u64>) -> Self {
        Self { record, stored, moments: Vec::new(), deliveries: Vec::new(), asked: Vec::new(), once: None }
    }

    /// Changes the record. Whoever is to be told of its end is told if it ends with that.
    fn change<T>(&mut self, change: impl FnOnce(&mut JobRecord) -> T) -> T {
        let end = |record: &JobRecord| (record.standing.phase == Phase::Ended).then_some(record.run);
        let before = end(&self.record);
        let changed = change(&mut self.record);
        if let Some(run) = end(&self.record)
            && before != Some(run)
            && self.record.webhook.is_some()
        {
            self.deliveries.push(run);
        }
        changed
    }

    /// Whether somebody asked to cancel it and it is over: nobody has to hear of that any more.
    pub(crate) fn forgets_acts(&self) -> bool {
        self.record.cancel && self.record.standing.phase == Phase::Ended
    }
}

impl Working {
    /// Adds what the store has.
    pub(crate) fn load(&mut self, record: JobRecord) {
        let stored = Some(record.version);
        self.records.insert(record.job.clone(), Box::new(Entry::new(record, stored)));
    }

    /// Adds what the store has under a key.
    pub(crate) fn load_key(&mut self, key: [u8; 32], job: JobId, request: [u8; 32]) {
        self.keys.insert(key, (job, request));
    }

    /// What is different from what the store has, in the order of the jobs.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &Entry> {
        self.records.values().map(|entry| &**entry).filter(|entry| entry.stored != Some(entry.record.version))
    }

    /// Makes a change by the rules of [`JobRecord`].
    pub(crate) fn apply(&mut self, change: &Change) -> Done {
        match change {
            Change::Claim(claim) => {
                let claimed = self.records.get_mut(&claim.job).map(|entry| entry.change(|record| record.claim(claim)));
                Done::Claimed(claimed.unwrap_or(Claimed::Unknown))
            }
            Change::Note(notes) => {
                notes.iter().for_each(|note| self.note(note));
                Done::Made
            }
            Change::Settled(partition, position, at) => {
                self.settle(partition, *position, *at);
                Done::Made
            }
            Change::Ask(job, act, at) => Done::Acted(self.ask(job, act, *at)),
            Change::Submit(submissions) => Done::Submitted(self.submit(submissions)),
            Change::Published(jobs, at) => {
                for (job, run) in jobs {
                    if let Some(entry) = self.records.get_mut(job) {
                        entry.change(|record| record.published(*run, *at));
                    }
                }
                Done::Made
            }
        }
    }

    fn note(&mut self, note: &JobNote) {
        let heard = || Box::new(Entry::new(JobRecord::heard(note), None));
        let entry = self.records.entry(note.job.clone()).or_insert_with(heard);
        let before = entry.record.version;
        entry.change(|record| record.apply(note));
        // A note of an earlier run, or after the end, says nothing new.
        if entry.record.version != before {
            entry.moments.extend(note.moments.iter().cloned());
        }
    }

    fn settle(&mut self, partition: &Partition, position: Position, at: Timestamp) {
        for entry in self.records.values_mut() {
            let place = entry.record.place.as_ref();
            if place.is_some_and(|place| place.partition == *partition && place.position < position) {
                entry.change(|record| record.settled(at));
            }
        }
    }

    fn ask(&mut self, job: &JobId, act: &Act, at: Timestamp) -> Acted {
        let Some(entry) = self.records.get_mut(job) else { return Acted::Unknown };
        let acted = entry.change(|record| record.act(act, at));
        if let (Act::Cancel, Acted::Done(run)) = (act, acted) {
            entry.asked.push(run);
        }
        acted
    }

    /// All or none: if one of them has come before, so has the request that they are in.
    fn submit(&mut self, submissions: &[Submission]) -> Vec<Submitted> {
        let before: Vec<Option<Submitted>> = submissions.iter().map(|submission| self.before(submission)).collect();
        if let Some(first) = before.iter().flatten().next() {
            let other = match first {
                Submitted::Conflict => Submitted::Conflict,
                _ => Submitted::Forgotten,
            };
            return before.into_iter().map(|before| before.unwrap_or_else(|| other.clone())).collect();
        }
        for submission in submissions {
            let once = submission.once.as_ref();
            let once = once.map(|once| (super::once(submission.owner.as_ref(), &once.key), once.request));
            if let Some((key, request)) = once {
                self.keys.insert(key, (submission.job.clone(), request));
            }
            let entry = Entry { once, ..Entry::new(JobRecord::of(submission.clone()), None) };
            self.records.insert(submission.job.clone(), Box::new(entry));
        }
        vec![Submitted::New; submissions.len()]
    }

    fn before(&self, submission: &Submission) -> Option<Submitted> {
        let of = |record: &JobRecord| Submitted::Before {
            job: record.job.clone(),
            is_published: record.standing.phase > Phase::Accepted || record.run > Run::FIRST,
        };
        if let Some(once) = &submission.once
            && let Some((job, request)) = self.keys.get(&super::once(submission.owner.as_ref(), &once.key))
            && let Some(entry) = self.records.get(job)
        {
            return Some(if *request == once.request { of(&entry.record) } else { Submitted::Conflict });
        }
        // A call whose answer was lost.
        let entry = self.records.get(&submission.job)?;
        Some(if entry.record.event == Some(submission.event) { of(&entry.record) } else { Submitted::Conflict })
    }
}

/// Why a store whose record cannot be decoded does not work.
pub(crate) fn unreadable(job: &str) -> String {
    format!(
        "the record of job {job} was written by a newer Gristmill, or is damaged; use that version again: nothing is lost"
    )
}

#[cfg(test)]
mod tests {
    use gristmill_core::model::{EventDigest, IdempotencyKey, Once, Status};

    use super::*;

    fn submission(number: u8, once: Option<(&str, u8)>) -> Submission {
        Submission {
            job: JobId::submitted(1, &[number; 10]),
            owner: None,
            batch: None,
            once: once.map(|(key, request)| Once { key: IdempotencyKey(key.into()), request: [request; 32] }),
            event: EventDigest([number; 32]),
            attributes: Vec::new(),
            webhook: Some("https://example.com".into()),
            at: Timestamp(5),
        }
    }

    fn submitted(working: &mut Working, submissions: &[Submission]) -> Vec<Submitted> {
        match working.apply(&Change::Submit(submissions.to_vec())) {
            Done::Submitted(submitted) => submitted,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_key_wins_once_and_another_request_under_it_is_a_conflict() {
        let mut working = Working::default();
        let first = submission(1, Some(("k", 1)));
        assert_eq!(submitted(&mut working, std::slice::from_ref(&first)), [Submitted::New]);
        let before = Submitted::Before { job: first.job.clone(), is_published: false };
        assert_eq!(submitted(&mut working, &[submission(2, Some(("k", 1)))]), [before]);
        working.apply(&Change::Published(vec![(first.job.clone(), Run::FIRST)], Timestamp(6)));
        let before = Submitted::Before { job: first.job, is_published: true };
        assert_eq!(submitted(&mut working, &[submission(2, Some(("k", 1)))]), [before]);
        assert_eq!(submitted(&mut working, &[submission(3, Some(("k", 2)))]), [Submitted::Conflict]);
        assert_eq!(working.changed().count(), 1);
    }

    #[test]
    fn of_a_request_that_has_come_before_nothing_is_written() {
        let mut working = Working::default();
        submitted(&mut working, &[submission(1, Some(("k", 1))), submission(2, None)]);
        let before = Submitted::Before { job: submission(1, None).job, is_published: false };
        let again = [submission(3, Some(("k", 1))), submission(4, None)];
        assert_eq!(submitted(&mut working, &again), [before, Submitted::Forgotten]);
        assert_eq!(working.changed().count(), 2);
        // The same call again, its answer lost.
        let before = |number| Submitted::Before { job: submission(number, None).job, is_published: false };
        assert_eq!(submitted(&mut working, &[submission(1, None), submission(2, None)]), [before(1), before(2)]);
    }

    #[test]
    fn what_is_deleted_of_a_request_is_not_another_job_of_it() {
        let mut working = Working::default();
        submitted(&mut working, &[submission(2, Some(("l", 1)))]);
        let before = Submitted::Before { job: submission(2, None).job, is_published: false };
        let again = [submission(3, Some(("k", 1))), submission(4, Some(("l", 1)))];
        assert_eq!(submitted(&mut working, &again), [Submitted::Forgotten, before]);
        assert_eq!(working.changed().count(), 1);
    }

    #[test]
    fn who_is_to_be_told_of_an_end_is_told_once() {
        let mut working = Working::default();
        let job = submission(1, None).job;
        submitted(&mut working, &[submission(1, None)]);
        assert_eq!(
            working.apply(&Change::Ask(job.clone(), Act::Cancel, Timestamp(6))),
            Done::Acted(Acted::Done(Run(1)))
        );
        let place = gristmill_core::model::EventId {
            partition: Partition { topic: "in".into(), index: 0 },
            position: Position(1),
        };
        let event = EventDigest([1; 32]);
        let claim = gristmill_core::model::Claim { job, run: Run(1), place, event, at: Timestamp(7) };
        for _ in 0..2 {
            assert_eq!(working.apply(&Change::Claim(claim.clone())), Done::Claimed(Claimed::Over));
        }
        let entry = working.changed().next().unwrap();
        assert_eq!((&entry.deliveries[..], &entry.asked[..]), (&[Run(1)][..], &[Run(1)][..]));
        assert!(entry.forgets_acts());
        assert_eq!(Status::of(&entry.record), Status::Cancelled);
    }
}
