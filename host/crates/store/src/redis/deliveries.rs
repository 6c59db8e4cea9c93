//! The webhooks that are to be sent.

use std::collections::HashMap;

use super::link::Link;
use super::names::{Names, name_of_delivery};
use super::records::{decode, read};
use super::scripts::{call, milliseconds};
use crate::health::Failure;
use crate::records::{DeliveryChange, Done};
use gristmill_core::model::{JobId, JobRecord, Run, Timestamp};
use gristmill_core::ports::{Delivery, Tried};

/// Makes a change.
pub(super) async fn change(link: &Link, names: &Names, change: &DeliveryChange) -> Result<Done, Failure> {
    match change {
        DeliveryChange::Due { now, lease, most } => {
            let mut due = call(&link.scripts().due, &[&names.due(), &names.leased()]);
            due.arg(names.deliveries()).arg(now.0).arg(milliseconds(*lease)).arg(*most);
            let taken: Vec<String> = link.ask(&due).await?;
            with_records(link, names, &taken).await.map(Done::Due)
        }
        DeliveryChange::Tried { job, run, tried: Tried { at, status, error }, next } => {
            let mut note = tried(link, names, job, *run, *next);
            note.arg(at.0).arg(status.map(|status| status.to_string()).unwrap_or_default());
            note.arg(error.as_ref().map(|error| format!("e{error}")).unwrap_or_default());
            link.ask::<i64>(&note).await?;
            Ok(Done::Made)
        }
        DeliveryChange::Again { job, now } => {
            let Some(last) = of(link, names, job).await?.pop() else { return Ok(Done::Again(false)) };
            let is_there = link.ask::<i64>(&tried(link, names, job, last.run, Some(*now))).await? == 1;
            Ok(Done::Again(is_there))
        }
    }
}

fn tried(link: &Link, names: &Names, job: &JobId, run: Run, next: Option<Timestamp>) -> redis::Cmd {
    let mut note = call(&link.scripts().tried, &[&names.due(), &names.leased(), &names.delivery(job, run)]);
    note.arg(name_of_delivery(job, run)).arg(next.map(|next| next.0.to_string()).unwrap_or_default());
    note
}

async fn with_records(link: &Link, names: &Names, taken: &[String]) -> Result<Vec<(Delivery, JobRecord)>, Failure> {
    let named = |name: &String| {
        let (run, job) = name.split_once(':')?;
        Some((JobId::read(job)?, Run(run.parse().ok()?)))
    };
    let taken: Vec<(JobId, Run)> = taken.iter().filter_map(named).collect();
    if taken.is_empty() {
        return Ok(Vec::new());
    }
    let mut commands = redis::pipe();
    for (job, run) in &taken {
        commands.cmd("HGETALL").arg(names.delivery(job, *run));
        commands.cmd("HGET").arg(names.record(job)).arg("record");
    }
    let mut answers = link.ask_all(&mut commands).await?.into_iter();
    let mut found = Vec::new();
    for (job, run) in taken {
        let fields: HashMap<String, String> = read(answers.next())?;
        let record: Option<Vec<u8>> = read(answers.next())?;
        if let (Some(delivery), Some(record)) = (delivery(&job, run, &fields), record) {
            found.push((delivery, decode(record)?));
        }
    }
    Ok(found)
}

/// Those of a job, the first run first.
pub(super) async fn of(link: &Link, names: &Names, job: &JobId) -> Result<Vec<Delivery>, Failure> {
    let record: Option<Vec<u8>> = link.ask(redis::cmd("HGET").arg(names.record(job)).arg("record")).await?;
    let Some(record) = record.map(decode).transpose()? else { return Ok(Vec::new()) };
    let runs: Vec<Run> = (1..=record.run.0).map(Run).collect();
    let mut commands = redis::pipe();
    for run in &runs {
        commands.cmd("HGETALL").arg(names.delivery(job, *run));
    }
    let mut found = Vec::new();
    for (run, answer) in runs.into_iter().zip(link.ask_all(&mut commands).await?) {
        found.extend(delivery(job, run, &read(Some(answer))?));
    }
    Ok(found)
}

fn delivery(job: &JobId, run: Run, fields: &HashMap<String, String>) -> Option<Delivery> {
    let number = |field: &str| fields.get(field).and_then(|value| value.parse::<i64>().ok());
    let error = fields.get("error").and_then(|error| error.strip_prefix('e')).map(str::to_owned);
    let status = number("status").and_then(|status| u16::try_from(status).ok());
    Some(Delivery {
        job: job.clone(),
        run,
        url: fields.get("url")?.clone(),
        tries: number("tries").and_then(|tries| u32::try_from(tries).ok()).unwrap_or(0),
        last: number("tried").map(|at| Tried { at: Timestamp(at), status, error }),
        due: number("due").map(Timestamp),
    })
}
