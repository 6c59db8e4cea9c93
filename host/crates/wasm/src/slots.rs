//! Room for instances: how many calls run at a time, and which instances wait for their next one.
//!
//! An instance that waits takes room but no turn: a call that has its turn and finds no room throws the one away that
//! waits longest, whichever stage it is of. So idle instances never keep another stage from working, and the two kinds
//! together never are more than the pool of the engine has room for.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as Moment};

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

use super::instance::Instance;

/// An instance that waited longer than this is not worth its memory.
const LONGEST_IDLE: Duration = Duration::from_secs(60);

/// All instances of the process. Its lock is for moments, never held across an await or the end of an instance: stages
/// of all pipelines come here from many tasks.
pub(super) struct Slots {
    turns: Semaphore,
    most: usize,
    rooms: Mutex<Rooms>,
    stages: AtomicU64,
}

#[derive(Default)]
struct Rooms {
    /// Instances that run or wait, or that someone is about to make or to throw away.
    taken: usize,
    /// Those that wait, longest first.
    idle: VecDeque<Idle>,
}

struct Idle {
    stage: StageId,
    since: Moment,
    instance: Instance,
}

/// Tells the stages of the process apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StageId(u64);

/// What kind of instance a call may run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// One that no item has seen.
    Fresh,
    /// One that waits, if there is one.
    Idle,
}

/// The turn of one call, with room for its instance.
pub(super) struct Slot<'a> {
    slots: &'a Slots,
    /// One that waited, or what the call put here; it ends with the slot.
    pub(super) instance: Option<Instance>,
    has_room: bool,
    /// Declared last: given back when the room is free.
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
        // The one that worked last: its memory is warm, and those that are not needed grow old.
        let waiting = rooms.idle.iter().rposition(|idle| wish == Wish::Idle && idle.stage == stage);
        if let Some(idle) = waiting.and_then(|index| rooms.idle.remove(index)) {
            slot.instance = Some(idle.instance);
        } else if rooms.taken < self.most {
            rooms.taken += 1;
        } else {
            // Its room is taken over. There is one: no more calls have a turn than there is room.
            let oldest = rooms.idle.pop_front();
            drop(rooms);
            drop(oldest);
        }
        Ok(slot)
    }

    /// Throws away what waits for a stage that will not be called again.
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
    /// Ends the call, but not its instance: that waits for the next one.
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
        // The instance first: its room is free only then.
        self.instance = None;
        if self.has_room {
            self.slots.rooms().taken -= 1;
        }
    }
}
