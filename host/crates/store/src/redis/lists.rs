//! Records of jobs, found and listed.

use std::collections::BTreeSet;

use bytes::Bytes;
use redis::Value;

use super::Redis;
use super::names::{Names, hex, listed};
use super::records::{decode, read};
use crate::health::Failure;
use crate::records;
use gristmill_core::model::{JobFilter, JobId, JobQuery, JobRecord, Moment, Run, Summary};
use gristmill_core::ports::{ActNumber, AskedToCancel, Wanted};

/// The largest answer to [`Acts::asked`](gristmill_core::ports::Acts::asked).
const MOST_ACTS: usize = 1_000;
/// How many members of a list are read at once, at least.
const PAGE: usize = 200;
/// What a member begins with, before its job.
const TIME_DIGITS: usize = 16;

impl Redis {
    /// The record of a job, and its history if that is wanted. A moment that cannot be read is left out.
    pub(super) async fn record(
        &self,
        job: &JobId,
        wanted: Wanted,
    ) -> Result<Option<(JobRecord, Vec<Moment>)>, Failure> {
        let value: Option<Vec<u8>> =
            self.link.ask(redis::cmd("HGET").arg(self.names.record(job)).arg("record")).await?;
        let Some(record) = value.map(decode).transpose()? else { return Ok(None) };
        if wanted == Wanted::Record {
            return Ok(Some((record, Vec::new())));
        }
        let mut commands = redis::pipe();
        for run in 1..=record.run.0 {
            commands.cmd("LRANGE").arg(self.names.moments(job, Run(run))).arg(0).arg(-1);
        }
        let mut moments = Vec::new();
        for answer in self.link.ask_all(&mut commands).await? {
            let values: Vec<Vec<u8>> = read(Some(answer))?;
            moments.extend(values.into_iter().filter_map(|value| records::decode_moment(Bytes::from(value))));
        }
        Ok(Some((record, moments)))
    }

    /// A part of the list.
    pub(super) async fn part(&self, query: &JobQuery) -> Result<Vec<JobRecord>, Failure> {
        let JobQuery { filter, after, most } = query;
        let most = usize::try_from(*most).unwrap_or(usize::MAX);
        let mut pages = Pages::of(&self.names, filter);
        pages.below = after.as_ref().map(|after| listed(after.created, &after.job));
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(page) = self.page(&mut pages, most.max(PAGE)).await?
        {
            taken.extend(page.into_iter().filter(|record| filter.takes(record)));
        }
        taken.truncate(most);
        Ok(taken)
    }

    /// How many there are, and how far. For a batch one command answers that.
    pub(super) async fn sum(&self, filter: &JobFilter) -> Result<Summary, Failure> {
        if let (Some(batch), []) = (&filter.batch, filter.attributes.as_slice()) {
            let counted: Vec<String> =
                self.link.ask(redis::cmd("HVALS").arg(self.names.batch(&records::batch(batch)))).await?;
            return Ok(sum(&counted, filter));
        }
        let (mut summary, mut pages) = (Summary::default(), Pages::of(&self.names, filter));
        while let Some(page) = self.page(&mut pages, 1_000).await? {
            page.iter().filter(|record| filter.takes(record)).for_each(|record| summary.add(record));
        }
        Ok(summary)
    }

    /// The next records of the lists; `None` at the end.
    async fn page(&self, pages: &mut Pages, most: usize) -> Result<Option<Vec<JobRecord>>, Failure> {
        let mut commands = redis::pipe();
        let below = pages.below.as_ref().map_or_else(|| "+".to_owned(), |below| format!("({below}"));
        for list in &pages.lists {
            commands.cmd("ZREVRANGEBYLEX").arg(list).arg(&below).arg("-").arg("LIMIT").arg(0).arg(most);
        }
        let mut members = BTreeSet::new();
        for answer in self.link.ask_all(&mut commands).await? {
            members.extend(read::<Vec<String>>(Some(answer))?);
        }
        // Each list has given its first ones, so these are the first ones of all.
        let members: Vec<String> = members.into_iter().rev().take(most).collect();
        let Some(last) = members.last() else { return Ok(None) };
        pages.below = Some(last.clone());
        let mut commands = redis::pipe();
        for job in members.iter().filter_map(|member| JobId::read(member.get(TIME_DIGITS..)?)) {
            commands.cmd("HGET").arg(self.names.record(&job)).arg("record");
        }
        let mut records = Vec::new();
        for answer in self.link.ask_all(&mut commands).await? {
            // One that is gone is on its way out of the lists.
            if answer != Value::Nil {
                records.push(decode(read(Some(answer))?)?);
            }
        }
        Ok(Some(records))
    }

    /// The cancellations after this number.
    pub(super) async fn acts_after(&self, after: ActNumber) -> Result<Vec<AskedToCancel>, Failure> {
        let mut find = redis::cmd("ZRANGEBYSCORE");
        find.arg(self.names.acts()).arg(format!("({}", after.0)).arg("+inf").arg("WITHSCORES");
        let found: Vec<(String, u64)> = self.link.ask(find.arg("LIMIT").arg(0).arg(MOST_ACTS)).await?;
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let mut runs = redis::cmd("HMGET");
        runs.arg(self.names.runs_of_acts());
        for (job, _) in &found {
            runs.arg(job);
        }
        let runs: Vec<Option<u32>> = self.link.ask(&runs).await?;
        let asked = found.into_iter().zip(runs).filter_map(|((job, number), run)| {
            Some(AskedToCancel { number: ActNumber(number), job: JobId::read(&job)?, run: Run(run?) })
        });
        Ok(asked.collect())
    }
}

/// How far lists were read.
struct Pages {
    lists: Vec<String>,
    below: Option<String>,
}

impl Pages {
    /// The lists with the fewest records of which others are to be left out.
    fn of(names: &Names, filter: &JobFilter) -> Self {
        let JobFilter { statuses, owner, batch, attributes } = filter;
        let lists = match (batch, attributes.first(), owner) {
            (Some(batch), ..) => vec![names.list_of_batch(&records::batch(batch))],
            (None, Some(attribute), _) => vec![names.list_of_attribute(&records::attribute(attribute))],
            (None, None, Some(owner)) => vec![names.list_of_owner(&records::owner(owner))],
            (None, None, None) if statuses.is_empty() => vec![names.list_of_all()],
            (None, None, None) => {
                statuses.iter().map(|status| names.list_of_status(records::number(*status))).collect()
            }
        };
        Self { lists, below: None }
    }
}

/// By the values of the hash of a batch.
fn sum(counted: &[String], filter: &JobFilter) -> Summary {
    let owner = filter.owner.as_ref().map(|owner| hex(&records::owner(owner)));
    let mut summary = Summary::default();
    for value in counted {
        let mut words = value.splitn(3, ' ');
        let mut number = || words.next().and_then(|word| word.parse::<i64>().ok());
        let (Some(status), Some(percent)) = (number().and_then(records::status), number()) else { continue };
        let is_theirs = owner.as_ref().is_none_or(|owner| words.next() == Some(owner.as_str()));
        if is_theirs && (filter.statuses.is_empty() || filter.statuses.contains(&status)) {
            summary.by_status[status as usize] += 1;
            summary.percent += percent.unsigned_abs();
        }
    }
    summary
}

#[cfg(test)]
mod tests {
    use gristmill_core::model::Status;

    use super::*;

    #[test]
    fn a_batch_is_summed_up_by_status_and_owner() {
        let owner = gristmill_core::model::Owner { tenant: "t".into(), subject: "s".into() };
        let theirs = hex(&records::owner(&owner));
        let counted = [format!("2 40 {theirs}"), "4 100 ".to_owned(), format!("4 100 {theirs}"), "junk".to_owned()];
        let of = |filter| sum(&counted, &filter);
        assert_eq!(
            (of(JobFilter::default()).by_status, of(JobFilter::default()).percent),
            ([0, 0, 1, 0, 2, 0, 0], 240)
        );
        let filter = JobFilter { owner: Some(owner), ..JobFilter::default() };
        assert_eq!(of(filter.clone()).percent, 140);
        assert_eq!(of(JobFilter { statuses: vec![Status::Running], ..filter }).percent, 40);
    }
}
