//! The way into an endpoint: one for each, which all targets and pipelines of the host share. Calls that it can answer for
//! itself, because the provider is limited or away, fail at once; others wait for their turn within the limits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gristmill_core::model::meter::Taken;
use gristmill_core::model::{Blame, ChatFailure, Portion, Requester, Usage};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::delay::LONGEST;
use crate::leases::{Ask, Leases, Next};
use crate::load::{Expected, Load};
use crate::permits::{Permit, Share};
use crate::rates::{Dimension, Rates, Seat};
use crate::room::Room;
use crate::settings::{LimitSettings, Sharing};
use crate::standing::{Asked, Change, Standing, Turned};
use crate::together::Together;

/// How long a call waits whose host has nothing of a limit.
const NO_PART: Duration = Duration::from_secs(1);
/// How long this host keeps to its own part of the limits after the store that counts them for all has not answered.
const ALONE: Duration = Duration::from_secs(5);

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

/// What a target brings.
struct Place {
    number: u64,
    seat: Seat,
    together: Option<Together>,
}

#[derive(Default)]
struct State {
    places: Vec<Place>,
    newest: u64,
    /// This host's part of the limits.
    rates: Rates,
    /// The limits that are this host's alone, where those of all hosts are counted together.
    own: Rates,
    /// What this host has taken of these.
    leases: Leases,
    /// How they are counted together. `None` if no target brings a store that can.
    together: Option<Together>,
    /// Until when the store is not asked, because it did not answer.
    alone_until: Option<Instant>,
    expected: Expected,
    standing: Standing,
}

impl Gate {
    /// Whether calls are let in now, and what is left of the limits that this host counts by itself.
    pub(crate) fn look(&self) -> (Asked, Vec<(&'static str, f64, f64)>) {
        let (state, now) = (&mut *self.state(), Instant::now());
        let rates = if state.together(now).is_some() { &mut state.own } else { &mut state.rates };
        (state.standing.asked(now), rates.left(now))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics midway through a change, so a poisoned state is still consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        let state = &mut *state;
        change(state);
        let (now, seats) = (Instant::now(), state.places.iter().map(|place| &place.seat));
        state.together = state.places.iter().find_map(|place| place.together.clone());
        state.rates.set(seats.clone(), now);
        state.own.set(seats.clone().filter(|seat| seat.limits.share == Sharing::Host), now);
        state.leases.set(seats.map(|seat| &seat.limits), now);
        self.changed.notify_one();
    }
}

impl State {
    /// How limits are counted together, if they are now.
    fn together(&self, now: Instant) -> Option<Together> {
        self.together.clone().filter(|_| self.alone_until.is_none_or(|until| until <= now))
    }

    /// What comes next for a call, by the limits.
    fn next(&mut self, load: Load, within: Duration, now: Instant) -> (Counted, Next) {
        let Some(together) = self.together(now) else {
            return (Counted::Alone, self.rates.wait(load, now).map_or(Next::Fits, Next::Waits));
        };
        let next = match self.own.wait(load, now) {
            Some(waits) => Next::Waits(waits),
            None => self.leases.next(load, within, together.today().0, now),
        };
        (Counted::Together, next)
    }

    fn take(&mut self, counted: Counted, load: Load, now: Instant) {
        match counted {
            Counted::Alone => self.rates.take(load, now),
            Counted::Together => {
                self.own.take(load, now);
                self.leases.take(load);
            }
        }
    }

    fn settle(&mut self, counted: Counted, taken: Load, used: Load, now: Instant) {
        match counted {
            Counted::Alone => self.rates.settle(taken, used, now),
            Counted::Together => {
                self.own.settle(taken, used, now);
                self.leases.settle(taken, used);
            }
        }
    }

    fn lower(&mut self, Room(room): &Room, now: Instant) {
        self.rates.lower(room, now);
        self.own.lower(room, now);
        self.leases.lower(room);
    }
}

/// Where a call counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// In this host's part.
    Alone,
    /// With the calls of all hosts.
    Together,
}

/// The right of one target to ask an endpoint. What it declares counts as long as it lives.
pub(crate) struct Entry {
    gate: Arc<Gate>,
    number: u64,
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
    /// `together` counts the limits with other hosts; without it they are divided by what each does of the work.
    pub(crate) fn new(gate: Arc<Gate>, limits: LimitSettings, together: Option<Together>) -> Self {
        let mut number = 0;
        gate.change(|state| {
            state.newest += 1;
            number = state.newest;
            state.places.push(Place { number, seat: Seat { limits, portion: None }, together });
        });
        Self { gate, number }
    }

    /// The pipeline of this target does this much of its group's work here from now on.
    pub(crate) fn share(&self, portion: Portion) {
        self.gate.change(|state| {
            for place in state.places.iter_mut().filter(|place| place.number == self.number) {
                place.seat.portion = Some(portion);
            }
        });
    }

    /// At least this was used today, `ago` after the day began, before this process. Where limits are counted together, that
    /// is known there.
    pub(crate) fn used_before(&self, earlier: Load, ago: Duration) {
        let (state, now) = (&mut *self.gate.state(), Instant::now());
        let begun = now.checked_sub(ago).unwrap_or(now);
        state.rates.raise(earlier, begun, now);
        state.own.raise(earlier, begun, now);
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
        let (counted, next) = {
            let state = &mut *self.gate.state();
            state.next(state.expected.load(visit.size, visit.most_output), Duration::ZERO, Instant::now())
        };
        Err(match next {
            Next::Waits(waits) => used_up(visit.target, counted, waits),
            Next::Fits | Next::Asks(_) => all_in_flight(visit.target, permits.most(), longest),
        })
    }

    async fn pass<'a>(&'a self, visit: &Visit<'a>, permits: &'a Share, until: Instant) -> Result<Admitted<'a>, Turned> {
        let _turn = self.gate.turn.lock().await;
        let mut permit = None;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let wait = match self.step(visit, left, permit.take()) {
                Step::Admitted(admitted) => return Ok(admitted),
                Step::Turned(turned) => return Err(turned),
                Step::Fits => {
                    permit = Some(permits.permit().await);
                    continue;
                }
                Step::Asks(ask) => {
                    self.ask(visit, &ask).await?;
                    continue;
                }
                Step::Waits(counted, waits) if waits.1 > left => return Err(used_up(visit.target, counted, waits)),
                Step::Waits(_, (_, wait)) => wait,
            };
            tokio::select! {
                () = sleep(wait) => {}
                () = self.gate.changed.notified() => {}
            }
        }
    }

    /// Takes more of a limit that all hosts count together. Without the store, this host keeps to its own part.
    async fn ask(&self, visit: &Visit<'_>, ask: &Ask) -> Result<(), Turned> {
        let Some(together) = self.gate.state().together(Instant::now()) else { return Ok(()) };
        let taken = together.take(ask).await;
        let (state, now) = (&mut *self.gate.state(), Instant::now());
        match taken {
            Some(Taken::Granted { amount, after }) => state.leases.granted(ask, amount, after, now),
            Some(Taken::Short { free_in, .. }) => {
                let wait = free_in.unwrap_or_else(|| together.today().1);
                return Err(used_up(visit.target, Counted::Together, (ask.dimension, wait)));
            }
            None => {
                state.alone_until = Some(now + ALONE);
                let target = visit.target;
                tracing::warn!(
                    target,
                    "the store that counts limits for all hosts does not answer: this host keeps to its own part of them"
                );
            }
        }
        Ok(())
    }

    /// Looks whether there is room, and takes it if there is a permit too: while that was waited for, things may have changed.
    fn step<'a>(&'a self, visit: &Visit<'a>, within: Duration, permit: Option<Permit<'a>>) -> Step<'a> {
        let state = &mut *self.gate.state();
        let now = Instant::now();
        if let Some(turned) = state.standing.turned_away(visit.who, now) {
            return Step::Turned(turned);
        }
        let taken = state.expected.load(visit.size, visit.most_output);
        let counted = match state.next(taken, within, now) {
            (counted, Next::Fits) => counted,
            (counted, Next::Waits(waits)) => return Step::Waits(counted, waits),
            (_, Next::Asks(ask)) => return Step::Asks(ask),
        };
        let Some(permit) = permit else { return Step::Fits };
        state.take(counted, taken, now);
        state.standing.sent(visit.who, now);
        let Visit { target, who, size, .. } = *visit;
        let gate = &*self.gate;
        Step::Admitted(Admitted { gate, target, who, size, counted, taken, began: now, _permit: permit })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.gate.change(|state| state.places.retain(|place| place.number != self.number));
    }
}

enum Step<'a> {
    Admitted(Admitted<'a>),
    Turned(Turned),
    /// There is room, but no permit yet.
    Fits,
    Waits(Counted, (Dimension, Duration)),
    /// More has to be taken of a limit first.
    Asks(Ask),
}

/// The right to one call. What was taken for it stays taken if it is dropped: nobody knows what became of the call.
pub(crate) struct Admitted<'a> {
    gate: &'a Gate,
    target: &'a str,
    who: &'a Requester,
    size: usize,
    counted: Counted,
    taken: Load,
    began: Instant,
    _permit: Permit<'a>,
}

impl Admitted<'_> {
    /// The call was answered.
    pub(crate) fn answered(self, usage: &Usage, room: &Room) {
        self.end(self.taken.settled(usage), |state, now| {
            state.expected.learn(self.size, usage);
            state.lower(room, now);
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
            state.settle(self.counted, self.taken, used, now);
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

fn used_up(target: &str, counted: Counted, (dimension, wait): (Dimension, Duration)) -> Turned {
    let key = dimension.key();
    let (message, after) = match counted {
        // Between two assignments; the next one may come at once.
        Counted::Alone if wait == Duration::MAX => {
            (format!("this host has no part of `{key}` of {target} for now"), NO_PART)
        }
        Counted::Alone => {
            (format!("this host's part of `{key}` of {target} is used up for {wait:.1?}"), wait.min(LONGEST))
        }
        Counted::Together => (format!("`{key}` of {target} is used up by all hosts for {wait:.1?}"), wait.min(LONGEST)),
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
