//! The way into an endpoint: one for each, which all targets and pipelines of the host share. Calls that it can answer for
//! itself, because the provider is limited or away, fail at once; others wait for their turn within the limits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gristmill_core::model::{Blame, ChatFailure, Portion, Requester, Usage};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::delay::LONGEST;
use crate::load::{Expected, Load};
use crate::permits::{Permit, Share};
use crate::rates::{Dimension, Rates, Seat};
use crate::room::Room;
use crate::settings::LimitSettings;
use crate::standing::{Change, Standing, Turned};

/// How long a call waits whose host has nothing of a limit.
const NO_PART: Duration = Duration::from_secs(1);

/// What all targets of an endpoint share.
#[derive(Default)]
pub(crate) struct Gate {
    /// Locked because many calls come and go. Never held across a wait.
    state: Mutex<State>,
    /// Who holds it is next: calls go in the order in which they came, and only the first looks for room. Fair.
    turn: tokio::sync::Mutex<()>,
    /// There may be room for the first one.
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// By the number that each was given.
    seats: Vec<(u64, Seat)>,
    newest: u64,
    rates: Rates,
    expected: Expected,
    standing: Standing,
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics midway through a change, so a poisoned state is still consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        let state = &mut *state;
        change(state);
        state.rates.set(state.seats.iter().map(|(_, seat)| seat), Instant::now());
        self.changed.notify_one();
    }
}

/// The right of one target to ask an endpoint. What it declares counts as long as it lives.
pub(crate) struct Entry {
    gate: Arc<Gate>,
    seat: u64,
}

/// Who wants in.
pub(crate) struct Visit<'a> {
    /// The target, for messages.
    pub(crate) target: &'a str,
    pub(crate) who: &'a Requester,
    /// The text of the request, in bytes.
    pub(crate) size: usize,
    /// The most tokens that the answer may have, if the request says so.
    pub(crate) most_output: Option<u32>,
}

impl Entry {
    pub(crate) fn new(gate: Arc<Gate>, limits: LimitSettings) -> Self {
        let mut seat = 0;
        gate.change(|state| {
            state.newest += 1;
            seat = state.newest;
            state.seats.push((seat, Seat { limits, portion: None }));
        });
        Self { gate, seat }
    }

    /// The pipeline of this target does this much of its group's work here from now on.
    pub(crate) fn share(&self, portion: Portion) {
        self.gate.change(|state| {
            for (_, seat) in state.seats.iter_mut().filter(|(number, _)| *number == self.seat) {
                seat.portion = Some(portion);
            }
        });
    }

    /// Why a call is not sent now, whatever room there is.
    pub(crate) fn turned_away(&self, who: &Requester) -> Option<Turned> {
        self.gate.state().standing.turned_away(who, Instant::now())
    }

    /// Waits for the right to one call, at most this long: for those that came before, for room within the limits, and for
    /// one of the `permits`. A wait that is known to be longer fails at once. Cancel-safe: nothing is taken before it returns.
    ///
    /// # Errors
    /// The failure of a call that was not sent.
    pub(crate) async fn admit<'a>(
        &'a self,
        visit: Visit<'a>,
        permits: &'a Share,
        longest: Duration,
    ) -> Result<Admitted<'a>, Turned> {
        let until = Instant::now() + longest;
        if let Ok(passed) = timeout(longest, self.pass(&visit, permits, until)).await {
            return passed;
        }
        let waits = {
            let state = &mut *self.gate.state();
            state.rates.wait(state.expected.load(visit.size, visit.most_output), Instant::now())
        };
        Err(match waits {
            Some(waits) => used_up(visit.target, waits),
            None => all_in_flight(visit.target, permits.most(), longest),
        })
    }

    async fn pass<'a>(&'a self, visit: &Visit<'a>, permits: &'a Share, until: Instant) -> Result<Admitted<'a>, Turned> {
        let _turn = self.gate.turn.lock().await;
        let mut permit = None;
        loop {
            let wait = match self.step(visit, permit.take()) {
                Step::Admitted(admitted) => return Ok(admitted),
                Step::Turned(turned) => return Err(turned),
                Step::Fits => {
                    permit = Some(permits.permit().await);
                    continue;
                }
                Step::Waits(waits) if waits.1 > until.saturating_duration_since(Instant::now()) => {
                    return Err(used_up(visit.target, waits));
                }
                Step::Waits((_, wait)) => wait,
            };
            tokio::select! {
                () = sleep(wait) => {}
                () = self.gate.changed.notified() => {}
            }
        }
    }

    /// Looks whether there is room, and takes it if there is a permit too: while that was waited for, things may have changed.
    fn step<'a>(&'a self, visit: &Visit<'a>, permit: Option<Permit<'a>>) -> Step<'a> {
        let state = &mut *self.gate.state();
        let now = Instant::now();
        if let Some(turned) = state.standing.turned_away(visit.who, now) {
            return Step::Turned(turned);
        }
        let taken = state.expected.load(visit.size, visit.most_output);
        if let Some(waits) = state.rates.wait(taken, now) {
            return Step::Waits(waits);
        }
        let Some(permit) = permit else { return Step::Fits };
        state.rates.take(taken, now);
        state.standing.sent(visit.who, now);
        let Visit { target, who, size, .. } = *visit;
        let gate = &*self.gate;
        Step::Admitted(Admitted { gate, target, who, size, taken, began: now, _permit: permit })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.gate.change(|state| state.seats.retain(|(number, _)| *number != self.seat));
    }
}

enum Step<'a> {
    Admitted(Admitted<'a>),
    Turned(Turned),
    /// There is room, but no permit yet.
    Fits,
    Waits((Dimension, Duration)),
}

/// The right to one call. What was taken for it stays taken if it is dropped: nobody knows what became of the call.
pub(crate) struct Admitted<'a> {
    gate: &'a Gate,
    target: &'a str,
    who: &'a Requester,
    size: usize,
    taken: Load,
    began: Instant,
    _permit: Permit<'a>,
}

impl Admitted<'_> {
    /// The call was answered.
    pub(crate) fn answered(self, usage: &Usage, room: &Room) {
        self.end(self.taken.settled(usage), |state, now| {
            state.expected.learn(self.size, usage);
            state.rates.lower(&room.0, now);
            state.standing.answered(self.began)
        });
    }

    /// The call failed, and this is whose fault that is.
    pub(crate) fn failed(self, failure: &ChatFailure, blame: Option<Blame>) {
        let used = match failure {
            // What broke on the way may have been counted, and no answer in time is often one that comes too late.
            ChatFailure::Unavailable { .. } | ChatFailure::Timeout(_) => self.taken,
            ChatFailure::ContentFiltered(_) | ChatFailure::InvalidOutput { .. } => self.taken,
            _ => self.taken.without_tokens(),
        };
        self.end(used, |state, now| state.standing.failed(self.who, self.began, (failure, blame), now));
    }

    fn end(&self, used: Load, note: impl FnOnce(&mut State, Instant) -> Option<Change>) {
        let change = {
            let state = &mut *self.gate.state();
            let now = Instant::now();
            state.rates.settle(self.taken, used, now);
            note(state, now)
        };
        self.gate.changed.notify_one();
        let target = self.target;
        match change {
            Some(Change::Away) => {
                tracing::warn!(
                    target,
                    "a model server answers nobody: it is asked only once in a while until it answers"
                );
            }
            Some(Change::Back) => tracing::info!(target, "a model server answers again"),
            None => {}
        }
    }
}

fn used_up(target: &str, (dimension, wait): (Dimension, Duration)) -> Turned {
    let key = dimension.key();
    let (message, after) = match wait == Duration::MAX {
        // Between two assignments; the next one may come at once.
        true => (format!("this host has no part of `{key}` of {target} for now"), NO_PART),
        false => (format!("this host's part of `{key}` of {target} is used up for {wait:.1?}"), wait.min(LONGEST)),
    };
    Turned { failure: ChatFailure::RateLimited { message, after: Some(after) }, blame: Blame::Limit }
}

fn all_in_flight(target: &str, most: usize, longest: Duration) -> Turned {
    let message = format!(
        "all {most} concurrent calls allowed for {target} are in flight, and none ended within {longest:?}; \
         `max_concurrent` of the model sets the limit"
    );
    Turned { failure: ChatFailure::RateLimited { message, after: None }, blame: Blame::Limit }
}

#[cfg(test)]
mod tests;
