//! Deletes what is too old, in small steps; of the hosts of a pipeline one at a time.

use std::time::{Duration, Instant};

use deadpool_postgres::Transaction;
use tokio_postgres::Error;

use super::answers;
use super::statement::{execute, query};
use crate::settings::ServerSettings;

/// Time between the starts of two sweeps, unless jobs are kept for less.
const EVERY: Duration = Duration::from_secs(60);
/// Maximum jobs, documents and answers deleted in one step.
const STEP: i64 = 256;
/// A sweep also begins when this part of the bytes that answers may take was written since the last one.
const CROWDED: i64 = 8;
/// The first key of the lock that a host holds in a step; the second is of the pipeline.
const LOCK: i32 = 0x4772_6973;

const TRY_LOCK: &str = "SELECT pg_try_advisory_xact_lock($1, hashtext($2))";

const ENDED: &str = "
    WITH old AS (
        SELECT id FROM gristmill.job WHERE pipeline = $1 AND ended < now() - make_interval(secs => $2)
        ORDER BY ended LIMIT $3 FOR UPDATE SKIP LOCKED
    ), gone AS (DELETE FROM gristmill.kept k USING old WHERE k.job = old.id)
    DELETE FROM gristmill.job j USING old WHERE j.id = old.id";

const UNFINISHED: &str = "
    WITH old AS (
        SELECT id FROM gristmill.job
        WHERE pipeline = $1 AND ended IS NULL AND touched < now() - make_interval(secs => $2)
        ORDER BY touched LIMIT $3 FOR UPDATE SKIP LOCKED
    ), gone AS (DELETE FROM gristmill.kept k USING old WHERE k.job = old.id)
    DELETE FROM gristmill.job j USING old WHERE j.id = old.id";

/// Records of jobs, with everything that is written with them.
const RECORDS_OVER: &str = "
    WITH old AS (
        SELECT id FROM gristmill.record WHERE pipeline = $1 AND is_over AND touched < now() - make_interval(secs => $2)
        ORDER BY touched LIMIT $3 FOR UPDATE SKIP LOCKED
    ), attributes AS (DELETE FROM gristmill.attribute a USING old WHERE a.record = old.id),
    keys AS (DELETE FROM gristmill.once o USING old WHERE o.record = old.id),
    moments AS (DELETE FROM gristmill.moment m USING old WHERE m.record = old.id),
    acts AS (DELETE FROM gristmill.act a USING old WHERE a.record = old.id),
    deliveries AS (DELETE FROM gristmill.delivery d USING old WHERE d.record = old.id)
    DELETE FROM gristmill.record r USING old WHERE r.id = old.id";

/// The same for those of unfinished jobs.
const RECORDS_UNFINISHED: &str = "
    WITH old AS (
        SELECT id FROM gristmill.record
        WHERE pipeline = $1 AND NOT is_over AND touched < now() - make_interval(secs => $2)
        ORDER BY touched LIMIT $3 FOR UPDATE SKIP LOCKED
    ), attributes AS (DELETE FROM gristmill.attribute a USING old WHERE a.record = old.id),
    keys AS (DELETE FROM gristmill.once o USING old WHERE o.record = old.id),
    moments AS (DELETE FROM gristmill.moment m USING old WHERE m.record = old.id),
    acts AS (DELETE FROM gristmill.act a USING old WHERE a.record = old.id),
    deliveries AS (DELETE FROM gristmill.delivery d USING old WHERE d.record = old.id)
    DELETE FROM gristmill.record r USING old WHERE r.id = old.id";

/// Documents that have left nothing in the sink.
const DOCUMENTS: &str = "
    DELETE FROM gristmill.document WHERE id IN (
        SELECT id FROM gristmill.document
        WHERE pipeline = $1 AND empty AND touched < now() - make_interval(secs => $2)
        ORDER BY touched LIMIT $3 FOR UPDATE SKIP LOCKED)";

const COUNTERS: &str = "
    DELETE FROM gristmill.counter WHERE name IN (
        SELECT name FROM gristmill.counter WHERE expires < now() LIMIT $1 FOR UPDATE SKIP LOCKED)";

/// Hosts that have added nothing to what was spent for so long that they have ended.
const WRITERS: &str = "DELETE FROM gristmill.writer WHERE seen < now() - interval '7 days'";

/// When something is deleted, and how much of it.
pub(super) struct Sweep {
    keep_ended: f64,
    keep_unfinished: f64,
    /// How many bytes of answers may stay.
    answers: i64,
    /// How many bytes of them were written since the last sweep began.
    answered: i64,
    every: Duration,
    begun: Option<Instant>,
    under_way: bool,
}

impl Sweep {
    pub(super) fn new(settings: &ServerSettings) -> Self {
        Self {
            keep_ended: settings.keep_ended.as_secs_f64(),
            keep_unfinished: settings.keep_unfinished.as_secs_f64(),
            answers: i64::try_from(settings.max_answers).unwrap_or(i64::MAX),
            answered: 0,
            every: settings.keep_ended.min(EVERY),
            begun: None,
            under_way: false,
        }
    }

    /// Starts a sweep if the last one started long enough ago. Returns whether one is under way.
    pub(super) fn begin_when_due(&mut self) -> bool {
        // Between two sweeps the answers must not grow without bound.
        let crowded = self.answered > self.answers / CROWDED;
        if crowded || self.begun.is_none_or(|begun| begun.elapsed() >= self.every) {
            self.begun = Some(Instant::now());
            self.answered = 0;
            self.under_way = true;
        }
        self.under_way
    }

    /// Notes that answers of this size were written.
    pub(super) fn note_answers(&mut self, bytes: i64) {
        self.answered = self.answered.saturating_add(bytes);
    }

    pub(super) fn under_way(&self) -> bool {
        self.under_way
    }

    /// Waits for the next sweep: this one could not be done.
    pub(super) fn give_up(&mut self) {
        self.under_way = false;
    }

    /// Deletes some of what is too old; the sweep ends when nothing is left to do, or when another host does it.
    pub(super) async fn step(&mut self, transaction: &Transaction<'_>, pipeline: &str) -> Result<(), Error> {
        self.under_way = false;
        let locked = query(transaction, TRY_LOCK, &[&LOCK, &pipeline]).await?;
        if !locked.first().is_some_and(|row| row.get(0)) {
            return Ok(());
        }
        let full = STEP.unsigned_abs();
        let ended = execute(transaction, ENDED, &[&pipeline, &self.keep_ended, &STEP]).await?;
        let unfinished = execute(transaction, UNFINISHED, &[&pipeline, &self.keep_unfinished, &STEP]).await?;
        let over = execute(transaction, RECORDS_OVER, &[&pipeline, &self.keep_ended, &STEP]).await?;
        let unheard = execute(transaction, RECORDS_UNFINISHED, &[&pipeline, &self.keep_unfinished, &STEP]).await?;
        let documents = execute(transaction, DOCUMENTS, &[&pipeline, &self.keep_unfinished, &STEP]).await?;
        let answers = answers::forget(transaction, pipeline, self.answers, STEP).await?;
        let counters = execute(transaction, COUNTERS, &[&STEP]).await?;
        execute(transaction, WRITERS, &[]).await?;
        let deleted = [ended, unfinished, over, unheard, documents, answers, counters];
        self.under_way = deleted.iter().any(|deleted| *deleted >= full);
        Ok(())
    }
}
