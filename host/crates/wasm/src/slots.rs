//! Room for instances: limits how many calls run at a time, and keeps idle instances for their next call.
//!
//! An idle instance takes room but no turn: a call that has a turn but finds no room discards the instance that has
//! been idle longest, whichever stage it belongs to. So idle instances never keep another stage from working, and
//! running and idle instances together never exceed the engine's pool.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as Moment};

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

use super::instance::Instance;

/// An instance that has been idle for longer is not worth its memory.
const LONGEST_IDLE: Duration = Duration::from_secs(60);

/// All instances of the process. The lock is held only briefly, never across an await or while an instance is dropped:
/// many tasks of all pipelines take it.
pub(super) struct Slots {
    turns: Semaphore,
    most: usize,
    rooms: Mutex<Rooms>,
    stages: AtomicU64,
}

#[derive(Default)]
struct Rooms {
    /// Instances that run, are idle, or are about to be created or discarded.
    taken: usize,
    /// The idle ones, the longest idle first.
    idle: VecDeque<Idle>,
}

struct Idle {
    stage: StageId,
    since: Moment,
    instance: Instance,
}

/// Identifies a stage within the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StageId(u64);

/// What kind of instance a call may run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// One that has not processed any item.
    Fresh,
    /// An idle one, if the stage has one.
    Idle,
}

/// The turn of one call, with room for its instance.
pub(super) struct Slot<'a> {
    slots: &'a Slots,
    /// An idle instance that was taken, or the one the call put here; dropped with the slot.
    pub(super) instance: Option<Instance>,
    has_room: bool,
    /// Declared last: released after the room is free.
    _turn: SemaphorePermit<'a>,
}

impl Slots {
    pub(super) fn new(most: usize) -> Self {
        Self { turns: Semaphore::new(most), most, rooms: Mutex::default(), stages: AtomicU64::new(0) }
    }

    pub(super) fn new_stage(&self) -> StageId {
        StageId(self.stages.fetch_add(1, Ordering::Relaxed))
    }

    /// Waits for a turn. Cancel-safe.
    pub(super) async fn take(&self, stage: StageId, wish: Wish) -> Result<Slot<'_>, AcquireError> {
        let turn = self.turns.acquire().await?;
        let mut slot = Slot { slots: self, instance: None, has_room: true, _turn: turn };
        let mut rooms = self.rooms();
        // The most recently used one: its memory is warm, and instances that are not needed age out.
        let waiting = rooms.idle.iter().rposition(|idle| wish == Wish::Idle && idle.stage == stage);
        if let Some(idle) = waiting.and_then(|index| rooms.idle.remove(index)) {
            slot.instance = Some(idle.instance);
        } else if rooms.taken < self.most {
            rooms.taken += 1;
        } else {
            // Takes over the room of an idle instance. There is one: no more calls have a turn than there is room.
            let oldest = rooms.idle.pop_front();
            drop(rooms);
            drop(oldest);
        }
        Ok(slot)
    }

    /// How many instances run, and how many are idle.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.most.saturating_sub(self.turns.available_permits()), self.rooms().idle.len())
    }

    /// How many there may be.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Discards the idle instances of a stage that will not be called again.
    pub(super) fn forget(&self, stage: StageId) {
        let mut rooms = self.rooms();
        let (gone, left): (VecDeque<Idle>, _) =
            std::mem::take(&mut rooms.idle).into_iter().partition(|idle| idle.stage == stage);
        rooms.idle = left;
        drop(rooms);
        self.throw_away(gone);
    }

    fn throw_away(&self, gone: VecDeque<Idle>) {
        let count = gone.len();
        drop(gone);
        self.rooms().taken -= count;
    }

    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot<'_> {
    /// Ends the call but keeps its instance idle for the next one.
    pub(super) fn keep(mut self, stage: StageId) {
        let Some(instance) = self.instance.take() else { return };
        let now = Moment::now();
        let mut rooms = self.slots.rooms();
        self.has_room = false;
        rooms.idle.push_back(Idle { stage, since: now, instance });
        let old = rooms.idle.pop_front_if(|idle| now.duration_since(idle.since) > LONGEST_IDLE);
        drop(rooms);
        if let Some(old) = old {
            self.slots.throw_away([old].into());
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        // Drop the instance first: only then is its room free.
        self.instance = None;
        if self.has_room {
            self.slots.rooms().taken -= 1;
        }
    }
}
