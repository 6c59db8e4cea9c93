//! What jobs keep: the tables of jobs and of what is kept of each.

use std::collections::BTreeMap;

use bytes::Bytes;
use deadpool_postgres::Transaction;
use tokio_postgres::Row;

use super::failure::failure;
use super::statement::{execute, query};
use crate::codec;
use crate::health::Failure;
use crate::request::{self, Request};
use gristmill_core::ports::{JobState, Kept, Key};

/// Creates missing jobs. One that is replayed after its end is unfinished again. In the order of their names, as everywhere
/// here, so that two hosts do not wait for each other.
const TOUCH: &str = "
    INSERT INTO gristmill.job AS j (pipeline, name)
    SELECT $1::text, name FROM unnest($2::text[]) AS name ORDER BY name
    ON CONFLICT (pipeline, name) DO UPDATE SET touched = now(), ended = NULL, state = NULL
        WHERE j.ended IS NOT NULL OR j.touched < now() - interval '1 second'";

/// Keeps what is not kept yet, and tells which of the values that was.
const KEEP: &str = "
    WITH given AS (
        SELECT j.id AS job, g.key, g.value, g.place
        FROM unnest($2::text[], $3::bytea[], $4::bytea[]) WITH ORDINALITY AS g (name, key, value, place)
        JOIN gristmill.job j ON j.pipeline = $1 AND j.name = g.name
    ), new AS (
        INSERT INTO gristmill.kept (job, key, value)
        SELECT job, key, value FROM given ORDER BY job, key
        ON CONFLICT (job, key) DO NOTHING
        RETURNING job, key
    )
    SELECT given.place FROM given JOIN new USING (job, key)";

const EARLIER: &str = "
    SELECT g.place, k.value
    FROM unnest($2::text[], $3::bytea[]) WITH ORDINALITY AS g (name, key, place)
    JOIN gristmill.job j ON j.pipeline = $1 AND j.name = g.name
    JOIN gristmill.kept k ON k.job = j.id AND k.key = g.key";

/// Replaces what this version cannot read, unless another host was faster.
const REPLACE: &str = "
    UPDATE gristmill.kept k SET value = g.value
    FROM unnest($2::text[], $3::bytea[], $4::bytea[], $5::bytea[]) AS g (name, key, value, old)
    JOIN gristmill.job j ON j.pipeline = $1 AND j.name = g.name
    WHERE k.job = j.id AND k.key = g.key AND k.value = g.old";

const END: &str = "
    WITH old AS (
        SELECT j.id, g.state
        FROM unnest($2::text[], $3::smallint[]) AS g (name, state)
        JOIN gristmill.job j ON j.pipeline = $1 AND j.name = g.name
        ORDER BY j.name FOR UPDATE OF j
    )
    UPDATE gristmill.job j SET ended = now(), state = old.state FROM old WHERE j.id = old.id";

pub(super) const RECALL: &str = "
    SELECT k.value FROM gristmill.kept k JOIN gristmill.job j ON j.id = k.job
    WHERE j.pipeline = $1 AND j.name = $2 AND k.key = $3";

/// Each with the place of its job among those that were asked about, counted from 1.
pub(super) const KEYS: &str = "
    SELECT g.place, k.key
    FROM unnest($2::text[]) WITH ORDINALITY AS g (name, place)
    JOIN gristmill.job j ON j.pipeline = $1 AND j.name = g.name
    JOIN gristmill.kept k ON k.job = j.id";

pub(super) const ALL_OF_JOB: &str = "
    SELECT k.value FROM gristmill.kept k JOIN gristmill.job j ON j.id = k.job
    WHERE j.pipeline = $1 AND j.name = $2";

/// A value of a batch that is to be kept.
#[derive(Clone, Copy)]
struct Given<'a> {
    name: &'a str,
    key: &'a [u8],
    value: &'a [u8],
}

/// The keys of each job, from the rows of [`KEYS`].
pub(super) fn keys(jobs: usize, rows: &[Row]) -> Vec<Vec<Key>> {
    let mut keys = vec![Vec::new(); jobs];
    for row in rows {
        let place = usize::try_from(row.get::<_, i64>(0) - 1).ok();
        let key = <[u8; 32]>::try_from(row.get::<_, &[u8]>(1)).ok();
        if let (Some(of_job), Some(key)) = (place.and_then(|place| keys.get_mut(place)), key) {
            of_job.push(Key(key));
        }
    }
    keys
}

/// Keeps the values of the batch and notes the ends of its jobs. Returns the earlier value, if any, for each row to keep.
pub(super) async fn write(
    transaction: &Transaction<'_>,
    pipeline: &str,
    batch: &[Request],
) -> Result<Vec<Option<Kept>>, Failure> {
    // The last word about each job: its end, unless something was kept after that.
    let mut jobs: BTreeMap<&str, Option<JobState>> = BTreeMap::new();
    let mut kept_of: Vec<&str> = Vec::new();
    // Each key once; whoever comes second in a batch gets the value of the first.
    let mut places: BTreeMap<(&str, &[u8]), usize> = BTreeMap::new();
    let mut given = Vec::new();
    let mut asked = Vec::new();
    for request in batch {
        match request {
            Request::Keep { rows, .. } => {
                for request::Row { job, key, value } in rows {
                    let name = job.as_str();
                    jobs.insert(name, None);
                    kept_of.push(name);
                    let place = *places.entry((name, &key.0)).or_insert(given.len());
                    asked.push((place, place == given.len()));
                    if place == given.len() {
                        given.push(Given { name, key: &key.0, value });
                    }
                }
            }
            Request::Ended { job, state, .. } => {
                jobs.insert(job.as_str(), Some(*state));
            }
            _ => {}
        }
    }
    let mut earlier = Vec::new();
    if !given.is_empty() {
        kept_of.sort_unstable();
        kept_of.dedup();
        execute(transaction, TOUCH, &[&pipeline, &kept_of]).await.map_err(|error| failure(&error))?;
        earlier = keep(transaction, pipeline, &given).await?;
    }
    end(transaction, pipeline, &jobs).await.map_err(|error| failure(&error))?;
    Ok(asked.into_iter().map(|(place, is_first)| earlier_for(&earlier, &given, place, is_first)).collect())
}

/// The earlier value for a request: that of the store, or of the first request of the batch for the same key.
fn earlier_for(earlier: &[Option<Kept>], given: &[Given<'_>], place: usize, is_first: bool) -> Option<Kept> {
    match earlier.get(place).cloned().flatten() {
        Some(kept) => Some(kept),
        None if is_first => None,
        None => codec::decode(Bytes::copy_from_slice(given.get(place)?.value)),
    }
}

/// The earlier value, if any, for each that was given.
async fn keep(
    transaction: &Transaction<'_>,
    pipeline: &str,
    given: &[Given<'_>],
) -> Result<Vec<Option<Kept>>, Failure> {
    let failed = |error: tokio_postgres::Error| failure(&error);
    let names: Vec<&str> = given.iter().map(|given| given.name).collect();
    let keys: Vec<&[u8]> = given.iter().map(|given| given.key).collect();
    let values: Vec<&[u8]> = given.iter().map(|given| given.value).collect();
    let new = query(transaction, KEEP, &[&pipeline, &names, &keys, &values]).await.map_err(failed)?;
    let mut earlier = vec![None; given.len()];
    if new.len() == given.len() {
        return Ok(earlier);
    }
    let mut is_kept = vec![false; given.len()];
    for row in new {
        mark(&mut is_kept, row.get(0));
    }
    let old: Vec<usize> = (0..given.len()).filter(|place| !is_kept[*place]).collect();
    let names: Vec<&str> = old.iter().map(|place| given[*place].name).collect();
    let keys: Vec<&[u8]> = old.iter().map(|place| given[*place].key).collect();
    let rows = query(transaction, EARLIER, &[&pipeline, &names, &keys]).await.map_err(failed)?;
    if rows.len() != old.len() {
        return Err(Failure::Transient("what was kept was deleted in the same moment".to_owned()));
    }
    let mut unreadable = Vec::new();
    for row in rows {
        let place = usize::try_from(row.get::<_, i64>(0) - 1).ok().and_then(|place| old.get(place).copied());
        let (Some(place), value) = (place, row.get::<_, Vec<u8>>(1)) else { continue };
        match codec::decode(Bytes::from(value.clone())) {
            Some(kept) => earlier[place] = Some(kept),
            None => unreadable.push((place, value)),
        }
    }
    replace(transaction, pipeline, given, &unreadable).await?;
    Ok(earlier)
}

async fn replace(
    transaction: &Transaction<'_>,
    pipeline: &str,
    given: &[Given<'_>],
    unreadable: &[(usize, Vec<u8>)],
) -> Result<(), Failure> {
    if unreadable.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = unreadable.iter().map(|(place, _)| given[*place].name).collect();
    let keys: Vec<&[u8]> = unreadable.iter().map(|(place, _)| given[*place].key).collect();
    let values: Vec<&[u8]> = unreadable.iter().map(|(place, _)| given[*place].value).collect();
    let old: Vec<&[u8]> = unreadable.iter().map(|(_, old)| old.as_slice()).collect();
    let replaced = execute(transaction, REPLACE, &[&pipeline, &names, &keys, &values, &old]).await;
    match replaced.map_err(|error| failure(&error))? {
        count if usize::try_from(count) == Ok(unreadable.len()) => Ok(()),
        _ => Err(Failure::Transient("another host replaced the same value".to_owned())),
    }
}

/// Marks the place, counted from 1.
fn mark(places: &mut [bool], ordinal: i64) {
    if let Some(place) = usize::try_from(ordinal - 1).ok().and_then(|place| places.get_mut(place)) {
        *place = true;
    }
}

/// A job of which nothing is kept has no row, and needs none.
async fn end(
    transaction: &Transaction<'_>,
    pipeline: &str,
    jobs: &BTreeMap<&str, Option<JobState>>,
) -> Result<(), tokio_postgres::Error> {
    let (mut names, mut states): (Vec<&str>, Vec<i16>) = (Vec::new(), Vec::new());
    for (name, state) in jobs {
        let state = match state {
            None => continue,
            Some(JobState::Emitted) => 1,
            Some(JobState::Dropped) => 2,
            Some(JobState::DeadLettered) => 3,
        };
        names.push(name);
        states.push(state);
    }
    if names.is_empty() {
        return Ok(());
    }
    execute(transaction, END, &[&pipeline, &names, &states]).await.map(drop)
}
