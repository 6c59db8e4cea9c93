//! The answers of unfinished jobs, in bounded memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use gristmill_core::model::{Canonical, ChatResponse, Embedding, JobId};
use gristmill_core::ports::{Edition, Key};

/// Identifies a call within a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum CallKey {
    /// A call the stage gave a name: one call in this job, whichever item or attempt makes it.
    Named {
        /// The stage.
        stage: Arc<str>,
        /// The stage's name for the call.
        name: String,
        /// How often the job was restarted from some stage.
        edition: Edition,
    },
    /// The `repeat`-th call with this request for an item.
    Nth {
        /// The stage.
        stage: Arc<str>,
        /// The item.
        item: Arc<str>,
        /// The fingerprint of the request.
        request: [u8; 32],
        /// How many equal calls came before it.
        repeat: u32,
        /// How often the job was restarted from some stage.
        edition: Edition,
    },
    /// The vector of one text. It is the same for every item and at every time, so it is paid for once in a job.
    Vector {
        /// The stage.
        stage: Arc<str>,
        /// The fingerprint of the text with what shapes its vector.
        request: [u8; 32],
        /// How often the job was restarted from some stage.
        edition: Edition,
    },
}

impl CallKey {
    /// The key under which a store keeps the answer. Do not change the encoding: stores find answers by it.
    pub(super) fn stored(&self) -> Key {
        let mut to = Canonical::digest("gristmill call 2");
        match self {
            Self::Named { stage, name, edition } => {
                to.kind(0);
                to.text(stage);
                to.text(name);
                to.number(edition.0.into());
            }
            Self::Nth { stage, item, request, repeat, edition } => {
                to.kind(1);
                to.text(stage);
                to.text(item);
                to.bytes(request);
                to.number((*repeat).into());
                to.number(edition.0.into());
            }
            Self::Vector { stage, request, edition } => {
                to.kind(2);
                to.text(stage);
                to.bytes(request);
                to.number(edition.0.into());
            }
        }
        Key(to.finish())
    }
}

/// The slot of one answer: empty until it has been paid for. Callers that ask for it in the meantime wait.
pub(super) type Slot = Arc<Answer<ChatResponse>>;
/// The slot of one vector.
pub(super) type VectorSlot = Arc<Answer<Embedding>>;

/// One answer of a job.
#[derive(Debug)]
pub(super) struct Answer<T> {
    /// The answer every caller gets.
    pub(super) told: OnceCell<T>,
    /// The paid answer that could not be stored yet. Locked because the next caller must be able to take it.
    paid: Mutex<Option<T>>,
}

impl<T> Default for Answer<T> {
    fn default() -> Self {
        Self { told: OnceCell::new(), paid: Mutex::new(None) }
    }
}

impl<T: Clone> Answer<T> {
    /// The paid answer that is not stored yet.
    pub(super) fn paid(&self) -> Option<T> {
        self.paid.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers a paid answer until it is stored; `None` clears it.
    pub(super) fn note_paid(&self, answer: Option<T>) {
        *self.paid.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }
}

/// The rough size of a slot without its texts.
const SLOT_BYTES: usize = 512;

/// All answers, bounded in bytes. The oldest jobs are evicted first, each as a whole: keeping some of a job's answers
/// would save nothing, as the stage asks again for the missing ones. A job with a paid answer that is not stored yet
/// stays, above the bound if it must: the flow takes no further events meanwhile.
pub(super) struct Memory {
    limit: usize,
    bytes: usize,
    jobs: HashMap<JobId, Answers>,
    /// The same jobs by age.
    ages: BTreeMap<u64, JobId>,
    next_age: u64,
}

struct Answers {
    age: u64,
    bytes: usize,
    slots: HashMap<CallKey, Slot>,
    vectors: HashMap<CallKey, VectorSlot>,
}

impl Answers {
    fn wait_for_the_store(&self) -> bool {
        self.slots.values().any(|slot| slot.paid().is_some()) || self.vectors.values().any(|slot| slot.paid().is_some())
    }
}

impl Memory {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, bytes: 0, jobs: HashMap::new(), ages: BTreeMap::new(), next_age: 0 }
    }

    /// Returns the slot of this call's answer and the jobs evicted to make room for it.
    pub(super) fn slot(&mut self, job: &JobId, key: CallKey) -> (Slot, Vec<JobId>) {
        let answers = self.answers(job);
        if let Some(slot) = answers.slots.get(&key) {
            return (Arc::clone(slot), Vec::new());
        }
        let slot = Slot::default();
        let name = match &key {
            CallKey::Named { name, .. } => name.len(),
            CallKey::Nth { .. } | CallKey::Vector { .. } => 0,
        };
        answers.slots.insert(key, Arc::clone(&slot));
        (slot, self.grow(job, SLOT_BYTES + name))
    }

    /// The same for a vector.
    pub(super) fn vector_slot(&mut self, job: &JobId, key: CallKey) -> (VectorSlot, Vec<JobId>) {
        let answers = self.answers(job);
        if let Some(slot) = answers.vectors.get(&key) {
            return (Arc::clone(slot), Vec::new());
        }
        let slot = VectorSlot::default();
        answers.vectors.insert(key, Arc::clone(&slot));
        (slot, self.grow(job, SLOT_BYTES))
    }

    fn answers(&mut self, job: &JobId) -> &mut Answers {
        let age = self.next_age;
        self.jobs.entry(job.clone()).or_insert_with(|| {
            self.next_age += 1;
            self.ages.insert(age, job.clone());
            Answers { age, bytes: 0, slots: HashMap::new(), vectors: HashMap::new() }
        })
    }

    /// Counts an answer that was put into a slot of this job. Returns the jobs evicted to make room for it.
    pub(super) fn filled(&mut self, job: &JobId, response: &ChatResponse) -> Vec<JobId> {
        let id = response.provider_request_id.as_ref().map_or(0, String::len);
        self.grow(job, response.text.len() + response.model.len() + id)
    }

    /// Drops the answers of a job.
    pub(super) fn forget(&mut self, job: &JobId) {
        if let Some(answers) = self.jobs.remove(job) {
            self.ages.remove(&answers.age);
            self.bytes -= answers.bytes;
        }
    }

    /// Counts bytes that a job holds now. Returns the jobs evicted to make room for them.
    pub(super) fn grow(&mut self, job: &JobId, bytes: usize) -> Vec<JobId> {
        // A job that was already evicted holds nothing.
        if let Some(answers) = self.jobs.get_mut(job) {
            answers.bytes += bytes;
            self.bytes += bytes;
        }
        let mut gone = Vec::new();
        while self.bytes > self.limit {
            let may_go = |job: &&JobId| !self.jobs.get(*job).is_some_and(Answers::wait_for_the_store);
            let Some(oldest) = self.ages.values().find(may_go).cloned() else {
                break;
            };
            self.forget(&oldest);
            gone.push(oldest);
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{job, response};
    use super::*;

    fn key(name: &str) -> CallKey {
        CallKey::Named { stage: "s".into(), name: name.into(), edition: Edition(0) }
    }

    fn fill(memory: &mut Memory, position: u128, bytes: usize) -> Vec<JobId> {
        let (slot, mut gone) = memory.slot(&job(position), key("k"));
        let response = response(&"x".repeat(bytes));
        slot.told.set(response.clone()).unwrap();
        gone.extend(memory.filled(&job(position), &response));
        gone
    }

    fn remembers(memory: &mut Memory, position: u128) -> bool {
        memory.jobs.contains_key(&job(position))
    }

    #[test]
    fn different_calls_are_stored_under_different_keys() {
        let nth = |stage: &str, item: &str, request, repeat, edition| CallKey::Nth {
            stage: stage.into(),
            item: item.into(),
            request: [request; 32],
            repeat,
            edition: Edition(edition),
        };
        let keys = [
            nth("s", "i", 0, 0, 0),
            nth("t", "i", 0, 0, 0),
            nth("s", "j", 0, 0, 0),
            nth("si", "", 0, 0, 0),
            nth("s", "i", 1, 0, 0),
            nth("s", "i", 0, 1, 0),
            nth("s", "i", 0, 0, 1),
            key("k"),
            key("l"),
            CallKey::Named { stage: "t".into(), name: "k".into(), edition: Edition(0) },
            CallKey::Named { stage: "s".into(), name: "k".into(), edition: Edition(1) },
            CallKey::Vector { stage: "s".into(), request: [0; 32], edition: Edition(0) },
            CallKey::Vector { stage: "t".into(), request: [0; 32], edition: Edition(0) },
            CallKey::Vector { stage: "s".into(), request: [1; 32], edition: Edition(0) },
            CallKey::Vector { stage: "s".into(), request: [0; 32], edition: Edition(1) },
        ];
        for (index, one) in keys.iter().enumerate() {
            for other in &keys[..index] {
                assert_ne!(one.stored(), other.stored(), "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn the_encoding_of_stored_keys_stays() {
        let hex = |key: Key| key.0.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(key("k").stored()), "ff9f89dd790494a9e03a9260315e3dac4f552d1e724619406cb69bea7a0d04d2");
    }

    #[test]
    fn whole_jobs_give_way_the_oldest_first() {
        let mut memory = Memory::new(10_000);
        assert!(fill(&mut memory, 1, 3_000).is_empty());
        assert!(fill(&mut memory, 2, 3_000).is_empty());
        assert_eq!(fill(&mut memory, 3, 4_000), [job(1)]);
        assert!(!remembers(&mut memory, 1) && remembers(&mut memory, 2) && remembers(&mut memory, 3));
    }

    #[test]
    fn a_paid_answer_that_is_not_stored_yet_is_not_evicted() {
        let mut memory = Memory::new(10_000);
        let (slot, _) = memory.slot(&job(1), key("k"));
        slot.note_paid(Some(response("paid")));
        assert!(fill(&mut memory, 2, 6_000).is_empty());
        assert_eq!(fill(&mut memory, 3, 6_000), [job(2)]);
        assert!(remembers(&mut memory, 1), "the oldest of all");
        slot.note_paid(None);
        assert_eq!(fill(&mut memory, 4, 6_000), [job(1), job(3)]);
    }

    #[test]
    fn a_job_above_the_whole_bound_is_not_remembered() {
        let mut memory = Memory::new(1_000);
        assert_eq!(fill(&mut memory, 1, 2_000), [job(1)]);
        assert_eq!(memory.bytes, 0);
    }

    #[test]
    fn empty_slots_count_too() {
        let mut memory = Memory::new(10 * (SLOT_BYTES + 1));
        for name in 0..100 {
            let _slot = memory.slot(&job(name), key("k"));
            assert!(memory.bytes <= memory.limit);
        }
        assert_eq!(memory.jobs.len(), 10);
    }

    #[test]
    fn nothing_is_left_of_a_forgotten_job() {
        let mut memory = Memory::new(10_000);
        fill(&mut memory, 1, 3_000);
        memory.forget(&job(1));
        assert_eq!((memory.bytes, memory.jobs.len(), memory.ages.len()), (0, 0, 0));
        memory.forget(&job(1));
        assert!(memory.filled(&job(1), &response("late")).is_empty());
        assert_eq!(memory.bytes, 0, "an answer that comes too late is not counted");
    }
}
