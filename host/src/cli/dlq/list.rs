//! `gristmill dlq list`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::SystemTime;

use serde_json::json;

use super::args::List;
use super::choice::Filter;
use super::letter::Letter;
use super::{Desk, letters, moment, print};
use crate::app::Failure;
use gristmill_core::model::printable;

/// One line for each letter, and the totals.
pub(super) async fn list(args: &List) -> Result<(), Failure> {
    let desk = Desk::open(&args.target)?;
    let filter = Filter::new(&args.filters, &[], SystemTime::now());
    let found = desk.find(|letter| filter.takes(letter)).await?;
    let mut text = String::new();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for letter in &found.letters {
        let replayed = found.replayed.contains(&letter.place);
        if replayed && !args.all {
            continue;
        }
        *reasons.entry(&letter.reason).or_default() += 1;
        let line = if args.json { json_line(letter, replayed) } else { line(letter, replayed) };
        let _ = writeln!(text, "{line}");
    }
    if !args.json {
        text.push_str(&totals(&reasons));
    }
    print(&text)
}

/// A letter on one line, for people.
pub(super) fn line(letter: &Letter, replayed: bool) -> String {
    let or_none = |text: &str| if text.is_empty() { "-".to_owned() } else { printable(text) };
    let since = if replayed { "  (replayed since)" } else { "" };
    format!(
        "{:<9} {}  {:<20} {:<12} attempts {}  replays {}  {}  {}{since}",
        letter.place.to_string(),
        moment::show(letter.last_attempt),
        or_none(&letter.reason),
        or_none(&letter.stage),
        letter.attempts,
        letter.replays,
        or_none(&letter.job),
        or_none(&letter.error).replace('\t', " "),
    )
}

fn json_line(letter: &Letter, replayed: bool) -> String {
    let line = json!({
        "partition": letter.place.partition(),
        "offset": letter.place.offset(),
        "last_attempt": letter.last_attempt,
        "first_attempt": letter.first_attempt,
        "reason": letter.reason,
        "stage": Some(&letter.stage).filter(|stage| !stage.is_empty()),
        "attempts": letter.attempts,
        "replays": letter.replays,
        "job": Some(&letter.job).filter(|job| !job.is_empty()),
        "error": letter.error,
        "replayed": replayed,
    });
    line.to_string()
}

fn totals(reasons: &BTreeMap<&str, usize>) -> String {
    let all: usize = reasons.values().sum();
    let mut text = letters(all);
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

    fn letter() -> Letter {
        Letter {
            place: "0/17".parse().unwrap(),
            job: "p/in/0/4".into(),
            reason: "llm-timeout".into(),
            stage: String::new(),
            attempts: 3,
            replays: 1,
            first_attempt: None,
            last_attempt: 1_763_712_000_000,
            error: "too \u{1b}[31mslow\nand red".into(),
        }
    }

    #[test]
    fn a_letter_is_one_line_that_no_terminal_obeys() {
        let expected = "0/17      2025-11-21T08:00:00Z  llm-timeout          -            attempts 3  replays 1  \
                        p/in/0/4  too \u{fffd}[31mslow and red  (replayed since)";
        assert_eq!(line(&letter(), true), expected);
    }

    #[test]
    fn json_says_what_is_not_there() {
        let value: serde_json::Value = serde_json::from_str(&json_line(&letter(), false)).unwrap();
        assert_eq!((&value["stage"], &value["offset"], &value["replayed"]), (&json!(null), &json!(17), &json!(false)));
    }

    #[test]
    fn the_totals_are_by_reason() {
        assert_eq!(totals(&BTreeMap::new()), "0 letters\n");
        assert_eq!(totals(&BTreeMap::from([("trap", 1)])), "1 letter: 1 trap\n");
        assert_eq!(totals(&BTreeMap::from([("trap", 2), ("a", 3)])), "5 letters: 3 a, 2 trap\n");
    }
}
