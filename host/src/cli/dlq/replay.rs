//! `gristmill dlq replay`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::SystemTime;

use super::args::Replay;
use super::choice::{Bounds, Chosen, Filter, choose};
use super::dead_letter::{DeadLetter, Place, Replaying};
use super::desk::{Desk, dead_letters, print};
use super::{list, moment, show};
use crate::app::Failure;
use gristmill_core::model::Size;
use gristmill_core::ports::Group;

/// The most events per write.
const BATCH_EVENTS: usize = 500;
/// The bytes of events per write; one event may exceed it.
const BATCH_BYTES: usize = 16 << 20;

/// Sends the events of dead letters again, and prints what was done.
pub(super) async fn replay(args: &Replay) -> Result<(), Failure> {
    let desk = Desk::open(&args.target)?;
    check_stage(&desk, args.from_stage.as_deref())?;
    let now = SystemTime::now();
    let filter = Filter::new(&args.filters, &args.places, now);
    let found = desk.find(|dead_letter| filter.matches(dead_letter)).await?;
    if let Some(missing) =
        args.places.iter().find(|place| !found.dead_letters.iter().any(|dead_letter| dead_letter.place == **place))
    {
        return Err(Failure::Running(show::none_at(&desk, *missing)));
    }
    let bounds = Bounds {
        pipeline: &desk.pipeline.name,
        max_replays: args.max_replays,
        limit: args.limit.map_or(usize::MAX, |limit| usize::try_from(limit.get()).unwrap_or(usize::MAX)),
        again: args.again,
    };
    let chosen = choose(found.dead_letters, &found.replayed, bounds);
    let source = &desk.pipeline.source.topic;
    if args.dry_run {
        let mut text = String::new();
        for dead_letter in &chosen.dead_letters {
            let _ = writeln!(text, "{}", list::line(dead_letter, found.replayed.contains(&dead_letter.place)));
        }
        let would = dead_letters(chosen.dead_letters.len());
        let _ = writeln!(text, "{would} would be replayed to {source}{}", chosen.skipped(bounds));
        return print(&text);
    }
    let replaying = Replaying {
        source: source.shared(),
        dead_letters: desk.pipeline.dead_letter.topic.shared(),
        from_stage: args.from_stage.clone(),
        now: moment::milliseconds(now),
    };
    let replayed = write_all(&desk, &replaying, &chosen).await?;
    let from = args.from_stage.as_ref().map_or(String::new(), |stage| format!(", starting over from stage {stage}"));
    print(&format!("{} replayed to {source}{from}{}\n", dead_letters(replayed), chosen.skipped(bounds)))
}

fn check_stage(desk: &Desk, stage: Option<&str>) -> Result<(), Failure> {
    let names: Vec<&str> = desk.pipeline.stages.iter().map(|stage| &*stage.name).collect();
    match stage {
        Some(stage) if !names.contains(&stage) => Err(Failure::Setup(anyhow::anyhow!(
            "--from-stage: the pipeline {} has no stage {stage:?}; its stages are {}",
            desk.pipeline.name,
            names.join(", ")
        ))),
        _ => Ok(()),
    }
}

/// Reads the topic again for the events, because they may not all fit into memory. Returns how many were sent.
async fn write_all(desk: &Desk, replaying: &Replaying, chosen: &Chosen) -> Result<usize, Failure> {
    let mut repeats: BTreeMap<&str, Vec<&DeadLetter>> = BTreeMap::new();
    for repeat in &chosen.repeats {
        repeats.entry(&repeat.job).or_default().push(repeat);
    }
    let mut wanted: BTreeMap<Place, &DeadLetter> =
        chosen.dead_letters.iter().map(|dead_letter| (dead_letter.place, dead_letter)).collect();
    if wanted.is_empty() {
        return Ok(0);
    }
    let (mut sent, mut bytes, mut batch) = (0, 0, Vec::new());
    let mut records = desk.records().await?;
    while !wanted.is_empty() {
        let Some(event) = records.next().await.transpose()? else { break };
        let Some(dead_letter) = wanted.remove(&Place::of(&event)) else { continue };
        bytes += event.size();
        let repeats = repeats.remove(dead_letter.job.as_str()).unwrap_or_default();
        let dead_letters = [dead_letter].into_iter().chain(repeats);
        let mut group = vec![replaying.event(dead_letter, &event)];
        group.extend(dead_letters.map(|dead_letter| replaying.mark(dead_letter, event.key.clone())));
        batch.push(group);
        if batch.len() >= BATCH_EVENTS || bytes >= BATCH_BYTES {
            sent += write(desk, std::mem::take(&mut batch)).await?;
            bytes = 0;
        }
    }
    sent += write(desk, batch).await?;
    Ok(sent)
}

/// Writes events and their marks: an event and its marks are written together or not at all.
async fn write(desk: &Desk, batch: Vec<Group>) -> Result<usize, Failure> {
    let count = batch.len();
    let group = Some(desk.pipeline.group());
    desk.broker.write(batch, group, &|_| {}).await.map_err(|error| {
        anyhow::Error::new(error).context("not all events were replayed; run the command again for the rest")
    })?;
    Ok(count)
}
