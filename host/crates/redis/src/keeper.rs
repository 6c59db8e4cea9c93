//! What a member of a group does beside reading: it says that it lives and works, acknowledges, and looks after entries that
//! would be lost with their consumer.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use gristmill_core::model::Position;
use gristmill_core::ports::Start;
use redis::RedisResult;
use tokio::time::Instant;

use super::claims::{Others, Renewed, renew};
use super::client::Link;
use super::counts::{Counts, Seen};
use super::entry::id;
use super::group::{self, Begin};
use super::lag::Look;
use super::ledger::Ledger;
use super::member::{Member, NoName, join};
use super::scripts::Scripts;
use super::settings::{Consumer, Creation};

/// How many entries are acknowledged by one command.
const ACKNOWLEDGED: usize = 500;

/// A stream and a group on it.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) stream: Arc<str>,
    pub(super) group: Arc<str>,
}

impl Names {
    pub(super) fn both(&self) -> (&str, &str) {
        (&self.stream, &self.group)
    }
}

/// How a group is joined and kept.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) consumer: Consumer,
    pub(super) start: Start,
    pub(super) creation: Creation,
    pub(super) claim_after: Duration,
    /// How long a name is kept for a host that has fallen silent.
    pub(super) name_kept: Duration,
    /// How often entries in work are said to be in work.
    pub(super) renewal: Duration,
}

/// What was found at a beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// All is well.
    Alive {
        /// How many hosts live in the group.
        hosts: usize,
        /// How many entries are not settled, if it was looked and is known.
        unsettled: Option<u64>,
        /// Whether entries were made pending again that nobody has.
        found: bool,
    },
    /// Another host has our name.
    NameLost,
}

/// A member of a group.
pub(super) struct Keeper {
    pub(super) names: Names,
    pub(super) counts: Arc<Counts>,
    link: Link,
    scripts: Scripts,
    terms: Terms,
    member: Member,
    others: Others,
    renewed: Instant,
    trimmed_unread: u64,
}

impl Keeper {
    /// Creates the group if it is missing, and takes a name in it. Returns how many hosts live there.
    pub(super) async fn join(
        mut link: Link,
        names: Names,
        terms: Terms,
        counts: Arc<Counts>,
    ) -> Result<(Self, usize), NoName> {
        let scripts = Scripts::new();
        group::create(&mut link, names.both(), Begin::At(terms.start), terms.creation).await?;
        let (member, holding) = join(&mut link, &scripts, names.both(), &terms.consumer, terms.name_kept).await?;
        tracing::info!(stream = &*names.stream, group = &*names.group, consumer = member.name, "joined the group");
        let (others, renewed) = (Others::default(), Instant::now());
        let keeper = Self { names, counts, link, scripts, terms, member, others, renewed, trimmed_unread: 0 };
        Ok((keeper, holding.used))
    }

    /// Takes another name, after ours was lost.
    pub(super) async fn rejoin(&mut self) -> Result<usize, NoName> {
        let Terms { consumer, name_kept, .. } = &self.terms;
        let (member, holding) = join(&mut self.link, &self.scripts, self.names.both(), consumer, *name_kept).await?;
        self.member = member;
        tracing::warn!(consumer = self.member.name, "joined the group again");
        Ok(holding.used)
    }

    /// What this host is called.
    pub(super) fn consumer(&self) -> &str {
        &self.member.name
    }

    /// Says that the host lives and what it has in work, and looks after others, each when it is due.
    pub(super) async fn beat(&mut self, ledger: &mut Ledger) -> RedisResult<Beat> {
        let holding = self.member.hold(&mut self.link, &self.scripts).await?;
        if !holding.is_ours {
            tracing::warn!(
                consumer = self.member.name,
                "another host has taken the name of this one, which was silent"
            );
            return Ok(Beat::NameLost);
        }
        let (mut found, mut unsettled) = (false, None);
        if self.renewed.elapsed() >= self.terms.renewal {
            self.renew(ledger).await?;
            found = self.look_after_others().await?;
            self.renewed = Instant::now();
        }
        let (stream, group) = self.names.both();
        if let Some(look) = Look::at(&mut self.link, &self.scripts, stream, group).await? {
            unsettled = look.unsettled();
            self.note_trimmed(look.trimmed_unread());
        }
        Ok(Beat::Alive { hosts: holding.used, unsettled, found })
    }

    /// Says which entries are in work, so that nobody takes them.
    pub(super) async fn renew(&mut self, ledger: &mut Ledger) -> RedisResult<()> {
        let held = ledger.ours();
        let renewed = renew(&mut self.link, &self.scripts, self.names.both(), &self.member.name, &held).await?;
        let Renewed { taken, restored, lost } = renewed;
        let stream = &*self.names.stream;
        for position in &taken {
            ledger.taken(*position);
        }
        if !taken.is_empty() {
            tracing::warn!(
                stream,
                count = taken.len(),
                first = %taken[0],
                "entries in work here were claimed by another consumer; their outputs may be written twice"
            );
        }
        if !restored.is_empty() {
            tracing::warn!(
                stream,
                count = restored.len(),
                first = %restored[0],
                "entries in work here were not pending any more, because their consumer or group was deleted; they are again"
            );
        }
        if !lost.is_empty() {
            tracing::debug!(stream, count = lost.len(), "entries in work here were deleted from the stream");
        }
        let (taken, restored) = (taken.len() as u64, restored.len() as u64);
        self.counts.add(Seen { taken, restored, ..Seen::default() });
        Ok(())
    }

    /// Takes over what was pending with consumers that were deleted. Returns whether there was something.
    async fn look_after_others(&mut self) -> RedisResult<bool> {
        let mut found = false;
        for (name, pending) in self.others.look(&mut self.link, self.names.both(), &self.member).await? {
            let (scripts, consumer) = (&self.scripts, &self.member.name);
            let renewed = renew(&mut self.link, scripts, self.names.both(), consumer, &pending).await?;
            let count = renewed.restored.len();
            if count > 0 {
                let stream = &*self.names.stream;
                tracing::warn!(
                    stream,
                    consumer = name,
                    count,
                    "a consumer was deleted with entries pending; they are done here"
                );
            }
            self.counts.add(Seen { restored: count as u64, ..Seen::default() });
            found |= count > 0;
            self.member.forget(&mut self.link, &name).await?;
        }
        Ok(found)
    }

    fn note_trimmed(&mut self, unread: u64) {
        if unread > self.trimmed_unread {
            let count = unread - self.trimmed_unread;
            tracing::error!(
                stream = &*self.names.stream,
                count,
                "entries were trimmed before the group has read them: they are lost"
            );
            self.counts.add(Seen { trimmed: count, ..Seen::default() });
        }
        self.trimmed_unread = unread;
    }

    /// Acknowledges entries that were trimmed while they were pending: there is nothing left to work on.
    pub(super) async fn give_up(&mut self, trimmed: &[Position]) -> RedisResult<()> {
        self.note_lost(trimmed);
        self.acknowledge_these(trimmed).await
    }

    /// Counts and logs entries that are pending, but no longer in the stream.
    pub(super) fn note_lost(&self, trimmed: &[Position]) {
        let [first, ..] = trimmed else { return };
        let (stream, count) = (&*self.names.stream, trimmed.len());
        tracing::error!(stream, count, %first, "entries were trimmed or deleted before they were done: they are lost");
        self.counts.add(Seen { trimmed: count as u64, ..Seen::default() });
    }

    /// Acknowledges what is owed.
    pub(super) async fn acknowledge(&mut self, ledger: &mut Ledger) -> RedisResult<()> {
        loop {
            let owed = ledger.owed(ACKNOWLEDGED);
            if owed.is_empty() {
                return Ok(());
            }
            self.acknowledge_these(&owed).await?;
            ledger.acknowledged(&owed);
        }
    }

    async fn acknowledge_these(&mut self, positions: &[Position]) -> RedisResult<()> {
        let (stream, group) = self.names.both();
        for chunk in positions.chunks(ACKNOWLEDGED) {
            let mut acknowledge = redis::cmd("XACK");
            acknowledge.arg(stream).arg(group);
            for position in chunk {
                acknowledge.arg(id(*position));
            }
            match acknowledge.query_async::<u64>(&mut self.link).await {
                Ok(count) if count == chunk.len() as u64 => {}
                Ok(count) => {
                    tracing::debug!(
                        stream,
                        sent = chunk.len(),
                        count,
                        "some entries were acknowledged by others before"
                    );
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// How often these entries were delivered, which we have pending.
    pub(super) async fn deliveries(&mut self, positions: &[Position]) -> RedisResult<BTreeMap<Position, NonZeroU32>> {
        let (Some(first), Some(last)) = (positions.iter().min(), positions.iter().max()) else {
            return Ok(BTreeMap::new());
        };
        let (between, most) = ((*first, *last), positions.len());
        group::deliveries(&mut self.link, self.names.both(), &self.member.name, between, most).await
    }

    /// Creates the group again, which was deleted or lost, and makes what is in work pending again.
    pub(super) async fn restore(&mut self, ledger: &mut Ledger) -> RedisResult<()> {
        let (stream, group) = self.names.both();
        let look = Look::at(&mut self.link, &self.scripts, stream, group).await?;
        let begin = Begin::again(ledger.newest(), look.map(|look| look.last), self.terms.start);
        tracing::warn!(
            stream,
            group,
            ?begin,
            "the group is gone: it was deleted, or Redis has lost data; it is created again"
        );
        group::create(&mut self.link, self.names.both(), begin, self.terms.creation).await?;
        self.renew(ledger).await
    }

    /// Frees the name. What is still pending is left to others at once.
    pub(super) async fn leave(&mut self) -> RedisResult<()> {
        let (names, claim_after) = (self.names.both(), self.terms.claim_after);
        match self.member.leave(&mut self.link, &self.scripts, names, claim_after).await? {
            Some(0) => {}
            Some(pending) => tracing::info!(pending, "left the group; what is pending can be claimed at once"),
            None => tracing::debug!("the name was another host's already"),
        }
        Ok(())
    }
}
