//! Whether an endpoint is asked at all for now. Pure: time is passed in.
//!
//! - After a rate limit it is left alone for as long as it said.
//! - One that answers nobody, because it is away or has no money, is only probed. This is the ledger's judgement and nothing
//!   else: a failure that is the request's own does not count here, nor does one that says that the server is well.

use std::time::Duration;

use gristmill_core::model::{Blame, BudgetScope, ChatFailure, Requester};
use tokio::time::Instant;

use crate::delay::LONGEST;

/// So many different requesters must fail in a row before a server is taken to be away. One that is at fault fails alone,
/// and others must get through to show that.
const IN_A_ROW: usize = 3;
/// How often a server that is away is probed; one without money at first.
const PROBE: Duration = Duration::from_secs(5);
/// The longest between two probes of a server without money.
const RARE_PROBE: Duration = LONGEST;
/// The first pause after a rate limit that does not say how long; doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest of these.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Why a call is not sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Turned {
    pub(crate) failure: ChatFailure,
    pub(crate) blame: Blame,
}

/// Whether an endpoint is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Yes.
    Open,
    /// Not for this long: a limit was met.
    Limited(Duration),
    /// Only a probe once in a while, the next one after this long: it answers nobody.
    Away(Duration),
}

/// What has changed by the result of a call, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is only probed from now on.
    Away,
    /// It is asked as usual again.
    Back,
}

/// What an endpoint's recent results say about it.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    pause: Option<Pause>,
    /// Who failed, each once, and when that call began. An answer to a call that began later speaks against it.
    failed: Vec<(Requester, Instant)>,
    away: Option<Away>,
}

/// A limit was met.
#[derive(Debug)]
struct Pause {
    begun: Instant,
    until: Instant,
    message: String,
    /// How many in a row did not say how long.
    unhinted: u32,
}

/// It answers nobody.
#[derive(Debug)]
struct Away {
    why: Why,
    message: String,
    since: Instant,
    /// When the next probe may be sent.
    probe: Instant,
    interval: Duration,
    /// Who sent the last one. It lets others go first: if it is the one at fault, they show that.
    prober: Option<Requester>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It breaks, cannot be reached, or does not answer in time.
    Outage,
    /// The account has no money, or has used up a quota that lasts.
    Account,
}

impl Why {
    /// The time between two probes, after this one.
    fn next(self, interval: Duration) -> Duration {
        match self {
            Self::Outage => PROBE,
            Self::Account => interval.saturating_mul(2).min(RARE_PROBE),
        }
    }
}

impl Standing {
    /// Whether it is asked now.
    pub(crate) fn asked(&self, now: Instant) -> Asked {
        match (&self.pause, &self.away) {
            (Some(pause), _) if pause.until > now => Asked::Limited(pause.until - now),
            (_, Some(away)) => Asked::Away(away.probe.saturating_duration_since(now)),
            _ => Asked::Open,
        }
    }

    /// Why this requester's call is not sent now, if so.
    pub(crate) fn turned_away(&self, who: &Requester, now: Instant) -> Option<Turned> {
        if let Some(pause) = self.pause.as_ref().filter(|pause| pause.until > now) {
            let (message, after) = (pause.message.clone(), Some(pause.until - now));
            return Some(Turned { failure: ChatFailure::RateLimited { message, after }, blame: Blame::Limit });
        }
        let away = self.away.as_ref()?;
        let own_turn = if away.prober.as_ref() == Some(who) { away.probe + PROBE } else { away.probe };
        let wait = own_turn.saturating_duration_since(now);
        if wait.is_zero() {
            return None;
        }
        let message = format!("{}; until it answers, it is asked only once in a while", away.message);
        let after = Some(wait);
        let failure = match away.why {
            Why::Outage => ChatFailure::Unavailable { message, after },
            Why::Account => ChatFailure::RateLimited { message, after },
        };
        // Like a server that was not reached: it was not asked, so the request cannot be the cause.
        Some(Turned { failure, blame: Blame::Dependency })
    }

    /// A call is sent. If it is a probe, the next one waits.
    pub(crate) fn sent(&mut self, who: &Requester, now: Instant) {
        if let Some(away) = &mut self.away {
            away.probe = now + away.interval;
            away.interval = away.why.next(away.interval);
            away.prober = Some(who.clone());
        }
    }

    /// A call that began then was answered.
    pub(crate) fn answered(&mut self, began: Instant) -> Option<Change> {
        // One that was under way when the limit was met says nothing about it.
        if self.pause.as_ref().is_some_and(|pause| pause.begun < began) {
            self.pause = None;
        }
        let paid = self.away.take_if(|away| away.why == Why::Account && away.since < began).is_some();
        self.reached(began).or(paid.then_some(Change::Back))
    }

    /// A call that began then failed.
    pub(crate) fn failed(
        &mut self,
        who: &Requester,
        began: Instant,
        (failure, blame): (&ChatFailure, Option<Blame>),
        now: Instant,
    ) -> Option<Change> {
        let answers_nobody = blame == Some(Blame::Dependency);
        match failure {
            ChatFailure::RateLimited { message, after } => {
                self.pause(message, *after, began, now);
                self.reached(began)
            }
            ChatFailure::BudgetExhausted { scope: BudgetScope::Account, message } if answers_nobody => {
                self.away(Why::Account, message, PROBE, now)
            }
            ChatFailure::Unavailable { message, after } if answers_nobody => {
                self.lost((who, began), message, after.unwrap_or_default(), now)
            }
            ChatFailure::Timeout(message) => self.lost((who, began), message, Duration::ZERO, now),
            // It was read, understood and decided upon.
            ChatFailure::ContextLengthExceeded { .. }
            | ChatFailure::ContentFiltered(_)
            | ChatFailure::InvalidOutput { .. }
            | ChatFailure::InvalidRequest(_) => self.reached(began),
            ChatFailure::BudgetExhausted { .. }
            | ChatFailure::Unavailable { .. }
            | ChatFailure::Denied(_)
            | ChatFailure::Misconfigured(_) => None,
        }
    }

    /// The server was there for a call that began then, whatever it said.
    fn reached(&mut self, began: Instant) -> Option<Change> {
        self.failed.retain(|(_, failed)| *failed > began);
        let is_there = self.failed.len() < IN_A_ROW;
        let back = self.away.take_if(|away| is_there && away.why == Why::Outage).is_some();
        back.then_some(Change::Back)
    }

    fn lost(
        &mut self,
        (who, began): (&Requester, Instant),
        message: &str,
        after: Duration,
        now: Instant,
    ) -> Option<Change> {
        if self.failed.len() < IN_A_ROW && self.failed.iter().all(|(failed, _)| failed != who) {
            self.failed.push((who.clone(), began));
        }
        match self.failed.len() < IN_A_ROW && self.away.is_none() {
            true => None,
            false => self.away(Why::Outage, message, after.max(PROBE), now),
        }
    }

    /// Begins a time of probes, or notes what another failure in it says.
    fn away(&mut self, why: Why, message: &str, first: Duration, now: Instant) -> Option<Change> {
        if let Some(away) = self.away.as_mut().filter(|away| away.why == why) {
            message.clone_into(&mut away.message);
            if first > PROBE {
                away.probe = away.probe.max(now + first);
            }
            return None;
        }
        let told = self.away.is_some();
        let interval = why.next(first);
        let message = message.to_owned();
        self.away = Some(Away { why, message, since: now, probe: now + first, interval, prober: None });
        (!told).then_some(Change::Away)
    }

    /// A limit was met. Each failure's own time counts, and the one that ends last. Without one the pauses grow, but only
    /// with those calls that were sent after the last: many are under way when a limit is met.
    fn pause(&mut self, message: &str, after: Option<Duration>, began: Instant, now: Instant) {
        let after = after.filter(|after| !after.is_zero());
        let earlier = self.pause.take();
        let (mut unhinted, again) = match &earlier {
            Some(pause) => (pause.unhinted, pause.begun < began),
            None => (0, true),
        };
        let wait = match after {
            Some(after) => after,
            None => {
                unhinted += u32::from(again);
                FIRST_PAUSE.saturating_mul(1 << unhinted.saturating_sub(1).min(10)).min(LONGEST_PAUSE)
            }
        };
        let new = Pause { begun: now, until: now + wait, message: message.to_owned(), unhinted };
        self.pause = Some(match earlier {
            Some(longer) if longer.until >= new.until => Pause { unhinted, ..longer },
            _ => new,
        });
    }
}

#[cfg(test)]
mod tests;
