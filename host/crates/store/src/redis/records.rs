//! Records of jobs: reads what a batch of changes is about, and writes what is different if nobody has changed it meanwhile; else
//! again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use redis::{Cmd, FromRedisValue, Value};

use super::link::Link;
use super::names::{Names, hex, listed, name_of_delivery, position};
use super::scripts::call;
use super::status;
use super::step::Step;
use crate::health::Failure;
use crate::records::{self, Change, Done, Entry, Row, Working};
use gristmill_core::model::{JobId, JobRecord, MOST_MOMENTS, Run};

/// How often a batch is tried whose records other hosts have changed meanwhile.
const TRIES: u32 = 60;
/// The longest time between two tries, in milliseconds.
const REST: u64 = 20;

/// How records are kept.
pub(super) struct Records {
    pub(super) pipeline: std::sync::Arc<str>,
    /// In milliseconds, as below.
    pub(super) keep_ended: u64,
    pub(super) keep_unfinished: u64,
}

/// What was read.
#[derive(Default)]
struct Loaded {
    working: Working,
    /// Milliseconds since the Unix epoch, by the clock of the server.
    now: u64,
    /// What is known of each record besides itself.
    known: BTreeMap<JobId, Known>,
    /// The values of keys, as they are stored.
    keys: BTreeMap<[u8; 32], Vec<u8>>,
    last_act: String,
}

struct Known {
    status: i16,
    /// The key that it came with.
    once: Option<[u8; 32]>,
}

impl Records {
    /// Makes the changes, in order.
    pub(super) async fn change(&self, link: &Link, names: &Names, changes: &[&Change]) -> Result<Vec<Done>, Failure> {
        for tries in 0..TRIES {
            let mut loaded = load(link, names, changes).await?;
            let done = changes.iter().map(|change| loaded.working.apply(change)).collect();
            let step = self.step(names, &loaded, changes);
            if step.is_empty() || link.ask::<i64>(&step.command(&link.scripts().compare)).await? == 1 {
                return Ok(done);
            }
            let longest = REST.min(u64::from(tries) + 1);
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..=longest))).await;
        }
        Err(Failure::Transient("other hosts changed the same jobs all the time".to_owned()))
    }

    fn step(&self, names: &Names, loaded: &Loaded, changes: &[&Change]) -> Step {
        let mut step = Step::default();
        let mut last_act: u64 = loaded.last_act.parse().unwrap_or(0);
        let mut is_asked = false;
        for entry in loaded.working.changed() {
            self.write(&mut step, names, loaded, entry);
            let job = entry.record.job.as_str();
            for run in &entry.asked {
                last_act += 1;
                is_asked = true;
                step.does("ZADD").word(names.acts()).number(last_act).word(job);
                step.does("HSET").word(names.runs_of_acts()).word(job).number(run.0);
            }
            if entry.forgets_acts() {
                step.does("ZREM").word(names.acts()).word(job);
                step.does("HDEL").word(names.runs_of_acts()).word(job);
            }
        }
        if is_asked {
            step.compares(names.last_act(), "", loaded.last_act.as_bytes());
            step.does("SET").word(names.last_act()).number(last_act);
        }
        // Whatever is below has settled, or its record is gone.
        for change in changes {
            if let Change::Settled(partition, below, _) = change
                && !step.is_empty()
            {
                step.does("ZREMRANGEBYLEX").word(names.settling(partition)).word("-");
                step.word(format!("({}", position(below.0.to_be_bytes())));
            }
        }
        step
    }

    fn write(&self, step: &mut Step, names: &Names, loaded: &Loaded, entry: &Entry) {
        let record = &entry.record;
        let (job, row) = (&record.job, Row::of(record));
        let known = loaded.known.get(job);
        let expected = entry.stored.map(|version| version.to_string()).unwrap_or_default();
        let keep = if row.is_over { self.keep_ended } else { self.keep_unfinished };
        let key = names.record(job);
        step.compares(key.clone(), "version", expected.as_bytes());
        step.does("HSET").word(&key).word("version").number(record.version);
        step.word("record").word(records::encode(record));
        step.does("PEXPIRE").word(&key).number(keep);
        self.write_lists(step, names, entry, &row, known, loaded.now.saturating_add(keep));
        if let Some((partition, place)) = row.settling {
            step.does("ZADD").word(names.settling(&partition)).number(0).word(position(place) + job.as_str());
        }
        status::write(step, names, &self.pipeline, record, keep);
        match (entry.once, known.and_then(|known| known.once)) {
            (Some((once, request)), _) => {
                let before = loaded.keys.get(&once).map_or(&[][..], Vec::as_slice);
                step.compares(names.once(&once), "", before);
                step.does("HSET").word(&key).word("once").word(once);
                step.does("SET").word(names.once(&once)).word([&request[..], job.as_str().as_bytes()].concat());
                step.word("PX").number(keep);
            }
            (None, Some(once)) => step.does("PEXPIRE").word(names.once(&once)).number(keep).end(),
            (None, None) => {}
        }
        for moment in &entry.moments {
            let key = names.moments(job, moment.run);
            step.does("RPUSH").word(&key).word(records::encode_moment(moment));
            step.does("LTRIM").word(&key).number(0).number(MOST_MOMENTS - 1);
        }
        for run in &entry.deliveries {
            let (Some(url), due) = (&record.webhook, record.updated.0.to_string()) else { continue };
            step.does("HSET").word(names.delivery(job, *run)).word("url").word(url).word("tries").word("0");
            step.word("due").word(&due);
            step.does("ZADD").word(names.due()).word(&due).word(name_of_delivery(job, *run));
        }
        for run in (1..=record.run.0).map(Run) {
            step.does("PEXPIRE").word(names.moments(job, run)).number(keep);
            step.does("PEXPIRE").word(names.delivery(job, run)).number(keep);
        }
    }

    fn write_lists(
        &self,
        step: &mut Step,
        names: &Names,
        entry: &Entry,
        row: &Row,
        known: Option<&Known>,
        expires: u64,
    ) {
        let record = &entry.record;
        let member = listed(record.created, &record.job);
        if known.is_none() {
            let mut lists = vec![names.list_of_all()];
            lists.extend(row.owner.iter().map(|owner| names.list_of_owner(owner)));
            lists.extend(row.batch.iter().map(|batch| names.list_of_batch(batch)));
            lists.extend(row.attributes.iter().map(|attribute| names.list_of_attribute(attribute)));
            for list in lists {
                step.does("ZADD").word(list).number(0).word(&member);
            }
        }
        if known.is_none_or(|known| known.status != row.status) {
            if let Some(known) = known {
                step.does("ZREM").word(names.list_of_status(known.status)).word(&member);
            }
            step.does("ZADD").word(names.list_of_status(row.status)).number(0).word(&member);
        }
        if let Some(batch) = &row.batch {
            let owner = row.owner.as_ref().map(hex).unwrap_or_default();
            let counted = format!("{} {} {owner}", row.status, row.percent);
            step.does("HSET").word(names.batch(batch)).word(record.job.as_str()).word(counted);
        }
        step.does("ZADD").word(names.expiry()).number(expires).word(expiring(record, row));
    }
}

/// All that has to be known to take a record from the lists: it stays the same as long as the record is there.
fn expiring(record: &JobRecord, row: &Row) -> String {
    let of = |digest: &Option<[u8; 32]>| digest.as_ref().map(hex).unwrap_or_default();
    let mut lines =
        format!("{}\n{:016x}\n{}\n{}", record.job, records::created(record.created), of(&row.owner), of(&row.batch));
    for attribute in &row.attributes {
        let _ = write!(lines, "\n{}", hex(attribute));
    }
    lines
}

/// What the changes are about. The commands that read it are one journey, after another one for what names more jobs.
async fn load(link: &Link, names: &Names, changes: &[&Change]) -> Result<Loaded, Failure> {
    let mut loaded = Loaded::default();
    let mut jobs: BTreeSet<JobId> = changes.iter().flat_map(|change| change.jobs()).cloned().collect();
    let keys: Vec<[u8; 32]> = changes.iter().flat_map(|change| change.keys()).collect();
    let mut first = redis::pipe();
    first.cmd("TIME").cmd("GET").arg(names.last_act());
    for key in &keys {
        first.cmd("GET").arg(names.once(key));
    }
    for change in changes {
        if let Change::Settled(partition, below, _) = change {
            first.cmd("ZRANGEBYLEX").arg(names.settling(partition)).arg("-");
            first.arg(format!("({}", position(below.0.to_be_bytes())));
        }
    }
    let mut answers = link.ask_all(&mut first).await?.into_iter();
    let (seconds, micros): (u64, u64) = read(answers.next())?;
    loaded.now = seconds * 1_000 + micros / 1_000;
    loaded.last_act = read::<Option<String>>(answers.next())?.unwrap_or_default();
    for key in keys {
        let Some(value) = read::<Option<Vec<u8>>>(answers.next())? else { continue };
        let found = value
            .split_at_checked(32)
            .and_then(|(request, job)| Some((request.try_into().ok()?, JobId::read(std::str::from_utf8(job).ok()?)?)));
        if let Some((request, job)) = found {
            jobs.insert(job.clone());
            loaded.working.load_key(key, job, request);
        }
        loaded.keys.insert(key, value);
    }
    for answer in answers {
        for member in read::<Vec<String>>(Some(answer))? {
            jobs.extend(member.get(32..).and_then(JobId::read));
        }
    }
    let mut second = redis::pipe();
    for job in &jobs {
        second.cmd("HMGET").arg(names.record(job)).arg("record").arg("once");
    }
    if jobs.is_empty() {
        return Ok(loaded);
    }
    for (job, answer) in jobs.into_iter().zip(link.ask_all(&mut second).await?) {
        let (value, once): (Option<Vec<u8>>, Option<Vec<u8>>) = read(Some(answer))?;
        let Some(value) = value else { continue };
        let record = decode(value)?;
        let once = once.and_then(|once| once.try_into().ok());
        loaded.known.insert(job, Known { status: Row::of(&record).status, once });
        loaded.working.load(record);
    }
    Ok(loaded)
}

/// The record.
///
/// # Errors
/// It was written by a newer version.
pub(super) fn decode(value: Vec<u8>) -> Result<JobRecord, Failure> {
    records::decode(Bytes::from(value)).ok_or_else(|| Failure::Broken(records::unreadable("in its keys")))
}

/// What a command has answered.
///
/// # Errors
/// It is something else, as of a server that is none.
pub(super) fn read<T: FromRedisValue>(answer: Option<Value>) -> Result<T, Failure> {
    let strange = || Failure::Transient("it answered something that was not asked".to_owned());
    T::from_redis_value(answer.ok_or_else(strange)?).map_err(|_| strange())
}

/// Deletes some records whose time is over. The answer is how many.
pub(super) fn forget(link: &Link, names: &Names, most: usize) -> Cmd {
    let mut forget = call(&link.scripts().forget, &[&names.expiry()]);
    forget.arg(names.prefix()).arg(most);
    forget
}
