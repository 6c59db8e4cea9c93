//! `gristmill dlq list`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::SystemTime;

use serde_json::json;

use super::args::List;
use super::choice::Filter;
use super::dead_letter::DeadLetter;
use super::desk::{Desk, dead_letters, print};
use super::moment;
use crate::app::Failure;
use crate::cli::show;
use gristmill_core::model::printable;

/// Prints one line per dead letter, and the totals.
pub(super) async fn list(args: &List) -> Result<(), Failure> {
    let desk = Desk::open(&args.target)?;
    let filter = Filter::new(&args.filters, &[], SystemTime::now());
    let found = desk.find(|dead_letter| filter.matches(dead_letter)).await?;
    let mut text = String::new();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for dead_letter in &found.dead_letters {
        let replayed = found.replayed.contains(&dead_letter.place);
        if replayed && !args.all {
            continue;
        }
        *reasons.entry(&dead_letter.reason).or_default() += 1;
        let line = if args.json { json_line(dead_letter, replayed) } else { line(dead_letter, replayed) };
        let _ = writeln!(text, "{line}");
    }
    if !args.json {
        text.push_str(&totals(&reasons));
    }
    print(&text)
}

/// A dead letter on one line, for humans.
pub(super) fn line(dead_letter: &DeadLetter, replayed: bool) -> String {
    let or_none = |text: &str| if text.is_empty() { "-".to_owned() } else { printable(text) };
    let since = if replayed { "  (replayed since)" } else { "" };
    format!(
        "{:<9} {}  {:<20} {:<12} attempts {}  replays {}  {}  {}{since}",
        dead_letter.place.to_string(),
        moment::show(dead_letter.last_attempt),
        or_none(&dead_letter.reason),
        or_none(&dead_letter.stage),
        dead_letter.attempts,
        dead_letter.replays,
        or_none(&dead_letter.job),
        or_none(&dead_letter.error).replace('\t', " "),
    )
}

fn json_line(dead_letter: &DeadLetter, replayed: bool) -> String {
    let line = json!({
        "partition": dead_letter.place.partition(),
        "offset": show::offset(dead_letter.place.position()),
        "last_attempt": dead_letter.last_attempt,
        "first_attempt": dead_letter.first_attempt,
        "reason": dead_letter.reason,
        "stage": Some(&dead_letter.stage).filter(|stage| !stage.is_empty()),
        "attempts": dead_letter.attempts,
        "replays": dead_letter.replays,
        "job": Some(&dead_letter.job).filter(|job| !job.is_empty()),
        "error": dead_letter.error,
        "replayed": replayed,
    });
    line.to_string()
}

fn totals(reasons: &BTreeMap<&str, usize>) -> String {
    let all: usize = reasons.values().sum();
    let mut text = dead_letters(all);
    for (index, (reason, count)) in reasons.iter().enumerate() {
        let separator = if index == 0 { ": " } else { ", " };
        let _ = write!(text, "{separator}{count} {}", printable(reason));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dead_letter() -> DeadLetter {
        DeadLetter {
            place: "0/17".parse().unwrap(),
            job: "p/in/0/4".into(),
            reason: "llm-timeout".into(),
            stage: String::new(),
            attempts: 3,
            replays: 1,
            first_attempt: None,
            last_attempt: 1_763_712_000_000,
            error: "too \u{1b}[31mslow\nand red".into(),
            first_place: None,
        }
    }

    #[test]
    fn a_dead_letter_is_one_line_without_control_characters() {
        let expected = "0/17      2025-11-21T08:00:00Z  llm-timeout          -            attempts 3  replays 1  \
                        p/in/0/4  too \u{fffd}[31mslow and red  (replayed since)";
        assert_eq!(line(&dead_letter(), true), expected);
    }

    #[test]
    fn json_has_null_for_missing_fields() {
        let value: serde_json::Value = serde_json::from_str(&json_line(&dead_letter(), false)).unwrap();
        assert_eq!((&value["stage"], &value["offset"], &value["replayed"]), (&json!(null), &json!(17), &json!(false)));
    }

    #[test]
    fn the_totals_are_by_reason() {
        assert_eq!(totals(&BTreeMap::new()), "0 dead letters\n");
        assert_eq!(totals(&BTreeMap::from([("trap", 1)])), "1 dead letter: 1 trap\n");
        assert_eq!(totals(&BTreeMap::from([("trap", 2), ("a", 3)])), "5 dead letters: 3 a, 2 trap\n");
    }
}
