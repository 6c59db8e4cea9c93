//! A run as it is shown: all of what is new, and of the rest the difference to the last run.

use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use super::transcript::Transcript;

/// Lines around a change that are shown with it.
const AROUND: usize = 2;

/// Colours, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Palette {
    pub(super) bold: &'static str,
    pub(super) dim: &'static str,
    pub(super) red: &'static str,
    pub(super) green: &'static str,
    pub(super) off: &'static str,
}

impl Palette {
    /// Those of a terminal.
    pub(super) const COLOURED: Self =
        Self { bold: "\x1b[1m", dim: "\x1b[2m", red: "\x1b[31m", green: "\x1b[32m", off: "\x1b[0m" };
}

/// A sample that was not there in the last run, in full.
pub(super) fn new(sample: &str, now: &Transcript, palette: Palette) -> String {
    let Palette { bold, dim, off, .. } = palette;
    let mut text = format!("{bold}{sample}{off}\n");
    for line in now.lines.iter().filter(|line| line.is_shown) {
        let took = line.took.map(|took| format!("  {dim}{}{off}", milliseconds(took))).unwrap_or_default();
        text.push_str(&format!("  {}{took}\n", line.text));
    }
    text
}

/// A sample that was there, with what is different; one line if nothing is.
pub(super) fn against(sample: &str, before: &Transcript, now: &Transcript, palette: Palette) -> String {
    let Palette { bold, dim, red, green, off } = palette;
    let end = now.lines.last();
    let took = end.and_then(|line| line.took).map(milliseconds).unwrap_or_default();
    if before == now {
        let ending = end.map(|line| &*line.text).unwrap_or_default();
        return format!("{bold}{sample}{off}  {ending}  {dim}{took}  as before{off}\n");
    }
    let mut text = format!("{bold}{sample}{off}  {dim}{took}  changed{off}\n");
    let (old, new) = (compared(before), compared(now));
    let difference = TextDiff::from_slices(&old, &new);
    for (number, group) in difference.grouped_ops(AROUND).iter().enumerate() {
        if number > 0 {
            text.push_str(&format!("  {dim}…{off}\n"));
        }
        for change in group.iter().flat_map(|part| difference.iter_changes(part)) {
            let line = match change.tag() {
                ChangeTag::Equal => format!("    {}\n", change.value()),
                ChangeTag::Delete => format!("  {red}- {}{off}\n", change.value()),
                ChangeTag::Insert => format!("  {green}+ {}{off}\n", change.value()),
            };
            text.push_str(&line);
        }
    }
    text
}

fn compared(transcript: &Transcript) -> Vec<&str> {
    transcript.lines.iter().map(|line| &*line.text).collect()
}

/// With one digit behind the point below ten.
pub(super) fn milliseconds(took: Duration) -> String {
    let milliseconds = took.as_secs_f64() * 1e3;
    if milliseconds < 10.0 { format!("{milliseconds:.1} ms") } else { format!("{milliseconds:.0} ms") }
}

#[cfg(test)]
mod tests {
    use super::super::transcript::Line;
    use super::*;

    fn transcript(lines: &[&str], took: u64) -> Transcript {
        let line =
            |text: &&str| Line { text: (*text).to_owned(), took: Some(Duration::from_millis(took)), is_shown: true };
        Transcript { lines: lines.iter().map(line).collect() }
    }

    #[test]
    fn only_what_is_different_is_shown() {
        let before = transcript(&["a", "b", "c", "d", "e", "1 record"], 20);
        let now = transcript(&["a", "b", "c", "D", "e", "1 record"], 30);
        let expected = "x.json  30 ms  changed\n    b\n    c\n  - d\n  + D\n    e\n    1 record\n";
        assert_eq!(against("x.json", &before, &now, Palette::default()), expected);
    }

    #[test]
    fn another_time_is_no_difference() {
        let (before, now) = (transcript(&["a", "1 record"], 20), transcript(&["a", "1 record"], 3));
        assert_eq!(against("x", &before, &now, Palette::default()), "x  1 record  3.0 ms  as before\n");
    }
}
