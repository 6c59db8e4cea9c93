//! `gristmill dlq show`.

use std::fmt::Write;

use anyhow::anyhow;

use super::args::Show;
use super::dead_letter::{DeadLetter, Entry, Place};
use super::desk::{Desk, print};
use super::moment;
use crate::app::Failure;
use crate::cli::show;
use gristmill_core::model::{Event, printable};

/// Prints one dead letter: how it failed, and the whole record.
pub(super) async fn show(args: &Show) -> Result<(), Failure> {
    let desk = Desk::open(&args.target)?;
    let (mut found, mut replayed) = (None, false);
    let mut records = desk.records().await?;
    while let Some(event) = records.next().await.transpose()? {
        match Entry::of(&event) {
            Entry::DeadLetter(dead_letter) if dead_letter.place == args.place => found = Some((dead_letter, event)),
            // A mark comes after its dead letter, but maybe in another partition.
            Entry::Replayed(place) => replayed |= place == args.place,
            Entry::DeadLetter(_) | Entry::Other => {}
        }
    }
    let Some((dead_letter, event)) = found else { return Err(Failure::Running(none_at(&desk, args.place))) };
    print(&format(&dead_letter, &event, replayed))
}

/// The error if there is no dead letter at a place.
pub(super) fn none_at(desk: &Desk, place: Place) -> anyhow::Error {
    let topic = &desk.pipeline.dead_letter.topic;
    anyhow!("no dead letter at {place} in {topic}; `gristmill dlq list` shows their places")
}

fn format(dead_letter: &DeadLetter, event: &Event, replayed: bool) -> String {
    let mut text = String::new();
    let mut row = |what: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "{what:<14} {}", printable(value));
        }
    };
    row("job", &dead_letter.job);
    row("reason", &dead_letter.reason);
    row("error", &dead_letter.error);
    row("stage", &dead_letter.stage);
    row("attempts", &dead_letter.attempts.to_string());
    row("first attempt", &dead_letter.first_attempt.map(moment::show).unwrap_or_default());
    row("last attempt", &moment::show(dead_letter.last_attempt));
    row("replays before", &dead_letter.replays.to_string());
    row("replayed since", if replayed { "yes" } else { "no" });
    row("event's time", &moment::show(event.timestamp.0));
    let _ = write!(text, "\n{}", show::text(event, false));
    text
}
