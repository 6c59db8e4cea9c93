//! `gristmill dlq show`.

use std::fmt::Write;

use anyhow::anyhow;

use super::args::Show;
use super::letter::{Entry, Letter, Place};
use super::{Desk, moment, print};
use crate::app::Failure;
use crate::cli::show;
use gristmill_core::model::{Event, printable};

/// Everything of one letter: how it failed, and the record as it is.
pub(super) async fn show(args: &Show) -> Result<(), Failure> {
    let desk = Desk::open(&args.target)?;
    let (mut found, mut replayed) = (None, false);
    let mut records = desk.records().await?;
    while let Some(event) = records.next().await.transpose()? {
        match Entry::of(&event) {
            Entry::Letter(letter) if letter.place == args.place => found = Some((letter, event)),
            // It comes after its letter, but maybe in another partition.
            Entry::Replayed(place) => replayed |= place == args.place,
            Entry::Letter(_) | Entry::Other => {}
        }
    }
    let Some((letter, event)) = found else { return Err(Failure::Running(none_at(&desk, args.place))) };
    print(&told(&letter, &event, replayed))
}

/// There is no letter where the operator says.
pub(super) fn none_at(desk: &Desk, place: Place) -> anyhow::Error {
    let topic = &desk.pipeline.dead_letter.topic;
    anyhow!("there is no dead letter at {place} in {topic}; `gristmill dlq list` shows where they are")
}

fn told(letter: &Letter, event: &Event, replayed: bool) -> String {
    let mut text = String::new();
    let mut row = |what: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "{what:<14} {}", printable(value));
        }
    };
    row("job", &letter.job);
    row("reason", &letter.reason);
    row("error", &letter.error);
    row("stage", &letter.stage);
    row("attempts", &letter.attempts.to_string());
    row("first attempt", &letter.first_attempt.map(moment::show).unwrap_or_default());
    row("last attempt", &moment::show(letter.last_attempt));
    row("replays before", &letter.replays.to_string());
    row("replayed since", if replayed { "yes" } else { "no" });
    row("event's time", &moment::show(event.timestamp.0));
    let _ = write!(text, "\n{}", show::text(event, false));
    text
}
