//! Whose fault a failed request is: its own, or that of the target it was sent to. Pure: order takes the place of time.
//!
//! One failure does not tell. A firewall that refuses one document answers exactly as it would with a wrong key, and one
//! request that breaks its server looks like a server that is down. What tells them apart is what others get meanwhile:
//! a target that answers them is not the problem.

use std::collections::HashMap;
use std::sync::Arc;

use super::JobId;

/// How a request failed, as far as that leaves open whose fault it is. Failures that are certainly the request's own
/// (malformed, too long, filtered), or that may have been paid for (no complete answer in time), have no sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It was never sent: no name, no connection, no room. So it cannot be the cause.
    Unreached,
    /// The target broke over it, or is broken: a server's error, a lost connection.
    Broken,
    /// The target turned it away: a wrong key or address, no money, or something in the request.
    Refused,
    /// The target has had too many requests, or too large ones.
    Limited,
}

/// What others got from the target since the request began, or since it was last found at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// A request of someone else began after that and was answered.
    Answered,
    /// None was.
    Silent,
    /// Nobody else has asked since it was found at fault, and that by an answer to someone who began after it had failed.
    Absent,
}

/// Whose fault a failed request is. In the order of patience: of several, the last one decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blame {
    /// The request's: its target answers others.
    Request,
    /// A limit's that lets others through.
    UnevenLimit,
    /// A limit's that lets nobody through.
    Limit,
    /// The target's: it answers nobody.
    Dependency,
}

impl Sign {
    /// The rule.
    #[must_use]
    pub fn judge(self, others: Others) -> Blame {
        match (self, others) {
            (Self::Unreached, _) | (Self::Broken | Self::Refused, Others::Silent) => Blame::Dependency,
            // At the end of a topic nobody is left to give evidence again and again.
            (Self::Broken | Self::Refused, Others::Answered | Others::Absent) => Blame::Request,
            (Self::Limited, Others::Answered) => Blame::UnevenLimit,
            // Limits last long by nature, so old evidence says nothing.
            (Self::Limited, Others::Silent | Others::Absent) => Blame::Limit,
        }
    }
}

/// Who makes a request. Requests of one item are never evidence about one another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Requester {
    /// The job.
    pub job: JobId,
    /// The stage.
    pub stage: Arc<str>,
    /// The item.
    pub item: Arc<str>,
}

/// A request under way: its place in the order in which the requests of a target began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn(u64);

/// How many failed requesters a ledger remembers. Those that failed longest ago are forgotten first: their next failure
/// is judged like their first.
const MOST: usize = 4_096;

/// The recent results of one target.
#[derive(Debug, Default)]
pub struct Ledger {
    turns: u64,
    asked: Latest,
    answered: Latest,
    /// Requesters whose last request failed.
    failed: HashMap<Requester, Mark>,
}

/// What remains of a requester's failures.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// Answers to requests that began after this turn are evidence.
    since: u64,
    /// The same at its last failure: for requests that ran beside the one that failed then.
    earlier: u64,
    /// The last turn when it failed first.
    first: u64,
    /// The last turn when it failed last.
    last: u64,
    /// Whether someone was answered who began after it had failed.
    suspect: bool,
}

impl Ledger {
    /// A request begins. One that never ends, because its call was dropped, changes nothing.
    pub fn begin(&mut self, who: &Requester) -> Turn {
        self.turns += 1;
        self.asked.note(who, self.turns);
        Turn(self.turns)
    }

    /// A request was answered.
    pub fn answered(&mut self, who: &Requester, turn: Turn) {
        self.failed.remove(who);
        self.answered.note(who, turn.0);
    }

    /// A request failed. Each time that it is found at fault takes evidence of its own, as long as others ask; while its
    /// target is at fault, all evidence since its first failure counts, so that an answer that takes long is not missed.
    pub fn failed(&mut self, who: &Requester, turn: Turn, sign: Sign) -> Blame {
        let new = Mark { since: turn.0, earlier: turn.0, first: self.turns, last: self.turns, suspect: false };
        let mut mark = self.failed.get(who).copied().unwrap_or(new);
        let beside = turn.0 <= mark.last;
        let since = if beside { mark.earlier } else { mark.since };
        let answered = self.answered.of_others(who);
        let others = if answered > since {
            mark.suspect |= answered > mark.first;
            Others::Answered
        } else if mark.suspect && self.asked.of_others(who) <= since {
            Others::Absent
        } else {
            Others::Silent
        };
        let blame = sign.judge(others);
        mark.earlier = since;
        mark.last = self.turns;
        if matches!(blame, Blame::Request | Blame::UnevenLimit) {
            mark.since = self.turns;
        }
        self.failed.insert(who.clone(), mark);
        if self.failed.len() > MOST {
            self.forget_oldest();
        }
        blame
    }

    /// Forgets a job that has ended.
    pub fn forget(&mut self, job: &JobId) {
        if !self.failed.is_empty() {
            self.failed.retain(|who, _| who.job != *job);
        }
    }

    fn forget_oldest(&mut self) {
        let oldest = self.failed.iter().min_by_key(|(_, mark)| mark.last).map(|(who, _)| who.clone());
        if let Some(who) = oldest {
            self.failed.remove(&who);
        }
    }
}

/// The latest turn of all requesters but one, whichever that is.
#[derive(Debug, Default)]
struct Latest {
    newest: Option<(Requester, u64)>,
    /// The newest of all requesters but that one.
    second: u64,
}

impl Latest {
    fn note(&mut self, who: &Requester, turn: u64) {
        match &mut self.newest {
            Some((newest, at)) if newest == who => *at = turn.max(*at),
            Some((_, at)) if *at > turn => self.second = turn.max(self.second),
            newest => self.second = newest.replace((who.clone(), turn)).map_or(0, |(_, at)| at),
        }
    }

    /// 0 if there is none.
    fn of_others(&self, who: &Requester) -> u64 {
        match &self.newest {
            Some((newest, at)) if newest != who => *at,
            _ => self.second,
        }
    }
}

#[cfg(test)]
mod tests;
