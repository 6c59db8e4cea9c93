//! The way of a sample through the stages, as lines. Without times, so that two runs can be compared.

use std::fmt::Write as _;
use std::time::Duration;

use gristmill_core::model::{Output, printable};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The most lines of a payload in a transcript; a digest stands for the rest.
const PAYLOAD_LINES: usize = 200;
/// The most lines of a payload that are shown of something new.
const SHOWN_LINES: usize = 8;
/// The most outputs of a step that are shown of something new.
const SHOWN_OUTPUTS: usize = 5;
/// The longest line, in characters.
const LONGEST_LINE: usize = 160;
/// The most outputs of one step that are in a transcript.
const OUTPUTS: usize = 200;

/// What happened to a sample.
#[derive(Debug, Clone, Default)]
pub(super) struct Path {
    /// Each attempt of each stage, in the order in which they ended.
    pub(super) steps: Vec<Step>,
    /// How it ended; `None` if it has not.
    pub(super) end: Option<Ended>,
    /// From the event to the end.
    pub(super) took: Duration,
}

/// One attempt of a stage at an item.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// The route to the item: empty for the event itself, then `stage.ordinal`, with slashes between.
    pub(super) item: String,
    pub(super) stage: String,
    pub(super) attempt: u32,
    pub(super) took: Duration,
    pub(super) result: Came,
}

/// What came of an attempt.
#[derive(Debug, Clone)]
pub(super) enum Came {
    Emitted(Vec<Output>),
    Dropped(String),
    Rejected(String),
    Failed(String),
}

/// How a sample ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    Emitted(usize),
    Deleted(usize),
    Dropped(String),
    DeadLettered(String),
}

/// The lines of a sample's way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Transcript {
    pub(super) lines: Vec<Line>,
}

/// A line of a transcript.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) text: String,
    /// How long it took; of a step.
    pub(super) took: Option<Duration>,
    /// Whether it is shown when all is new; otherwise only in a difference.
    pub(super) is_shown: bool,
}

/// Two runs never take equally long.
impl PartialEq for Line {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Line {}

impl Path {
    /// The way as lines, in an order that does not depend on which item was faster: along the routes, then by the order of the
    /// `stages` of the pipeline.
    pub(super) fn transcript(&self, stages: &[String]) -> Transcript {
        let mut steps: Vec<&Step> = self.steps.iter().collect();
        let place = |step: &Step| stages.iter().position(|stage| *stage == step.stage);
        steps.sort_by(|one, other| {
            let of = |step: &Step| (place(step), step.attempt);
            route(&one.item).cmp(&route(&other.item)).then(of(one).cmp(&of(other)))
        });
        let mut lines = Vec::new();
        for step in steps {
            step.write(&mut lines);
        }
        lines.push(Line { text: self.ending(), took: Some(self.took).filter(|_| self.end.is_some()), is_shown: true });
        Transcript { lines }
    }

    /// How it ended, in a few words.
    pub(super) fn ending(&self) -> String {
        match &self.end {
            None => "not ended".to_owned(),
            Some(Ended::Emitted(1)) => "1 record".to_owned(),
            Some(Ended::Emitted(records)) => format!("{records} records"),
            Some(Ended::Deleted(tombstones)) => format!("deleted: {tombstones} tombstones"),
            Some(Ended::Dropped(code)) => format!("dropped: {}", printable(code)),
            Some(Ended::DeadLettered(failure)) => format!("dead letter: {}", printable(failure)),
        }
    }
}

/// The parts of a route, with numbers as numbers.
fn route(item: &str) -> Vec<(&str, u64)> {
    let parts = item.split('/').filter(|part| !part.is_empty());
    parts
        .map(|part| part.rsplit_once('.').map_or((part, 0), |(stage, number)| (stage, number.parse().unwrap_or(0))))
        .collect()
}

impl Step {
    fn write(&self, lines: &mut Vec<Line>) {
        let came = match &self.result {
            Came::Emitted(outputs) if outputs.len() == 1 => "1 item".to_owned(),
            Came::Emitted(outputs) => format!("{} items", outputs.len()),
            Came::Dropped(code) => format!("dropped: {}", printable(code)),
            Came::Rejected(failure) => format!("rejected: {}", printable(failure)),
            Came::Failed(error) => format!("failed: {}", printable(error)),
        };
        let mut text = format!("{:<12} ", self.stage);
        if !self.item.is_empty() {
            let _ = write!(text, "{} ", printable(&self.item));
        }
        if self.attempt > 1 {
            let _ = write!(text, "attempt {} ", self.attempt);
        }
        let text = text + "→ " + &came;
        lines.push(Line { text, took: Some(self.took), is_shown: true });
        let Came::Emitted(outputs) = &self.result else { return };
        for (number, output) in outputs.iter().enumerate().take(OUTPUTS) {
            write(output, number < SHOWN_OUTPUTS, lines);
        }
        if outputs.len() > SHOWN_OUTPUTS {
            let text = format!("  … {} items in all", outputs.len());
            lines.push(Line { text, took: None, is_shown: true });
        }
    }
}

fn write(output: &Output, is_shown: bool, lines: &mut Vec<Line>) {
    let mut head = format!("  {}", printable(output.content_type.as_deref().unwrap_or("no media type")));
    if let Some(branch) = &output.branch {
        let _ = write!(head, ", branch {}", printable(branch));
    }
    lines.push(Line { text: head, took: None, is_shown });
    for attribute in &output.attributes {
        let text = cut(&format!("    {} = {}", printable(&attribute.name), printable(&attribute.value)));
        lines.push(Line { text, took: None, is_shown: false });
    }
    let payload = payload_lines(&output.payload);
    for (number, line) in payload.iter().take(PAYLOAD_LINES).enumerate() {
        lines.push(Line {
            text: cut(&format!("    {}", printable(line))),
            took: None,
            is_shown: is_shown && number < SHOWN_LINES,
        });
    }
    let line = |text, is_shown| Line { text, took: None, is_shown };
    if payload.len() > SHOWN_LINES {
        lines.push(line(format!("    … {} lines in all", payload.len()), is_shown));
    }
    if payload.len() > PAYLOAD_LINES || payload.iter().any(|line| line.chars().count() > LONGEST_LINE) {
        let digest = Sha256::digest(&output.payload);
        let short: String = digest[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        lines.push(line(format!("    all of it: {} bytes, sha256 {short}", output.payload.len()), false));
    }
}

/// JSON with one value a line, text as it is, and of anything else its length.
fn payload_lines(payload: &[u8]) -> Vec<String> {
    let Ok(text) = std::str::from_utf8(payload) else {
        let digest = Sha256::digest(payload);
        let short: String = digest[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        return vec![format!("({} bytes, sha256 {short})", payload.len())];
    };
    match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => {
            let pretty = serde_json::to_string_pretty(&value).unwrap_or_else(|_| text.to_owned());
            pretty.lines().map(str::to_owned).collect()
        }
        _ => text.lines().map(str::to_owned).collect(),
    }
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(payload: &'static [u8]) -> Output {
        Output {
            payload: payload.into(),
            content_type: Some("application/json".into()),
            key: None,
            headers: Vec::new(),
            attributes: Vec::new(),
            branch: None,
        }
    }

    fn step(item: &str, stage: &str, result: Came) -> Step {
        Step { item: item.into(), stage: stage.into(), attempt: 1, took: Duration::ZERO, result }
    }

    fn texts(transcript: &Transcript) -> Vec<&str> {
        transcript.lines.iter().map(|line| &*line.text).collect()
    }

    #[test]
    fn items_are_in_order_whichever_was_faster() {
        let steps = vec![
            step("cut.10", "ask", Came::Dropped("none".into())),
            step("cut.2", "ask", Came::Failed("timeout: too slow".into())),
            step("", "cut", Came::Emitted(vec![output(b"{\"a\":1}")])),
        ];
        let path = Path { steps, end: Some(Ended::DeadLettered("timeout: too slow".into())), took: Duration::ZERO };
        let expected = [
            "cut          → 1 item",
            "  application/json",
            "    {",
            "      \"a\": 1",
            "    }",
            "ask          cut.2 → failed: timeout: too slow",
            "ask          cut.10 → dropped: none",
            "dead letter: timeout: too slow",
        ];
        assert_eq!(texts(&path.transcript(&["cut".into(), "ask".into()])), expected);
    }

    #[test]
    fn a_difference_behind_what_is_shown_is_a_difference() {
        let long = |end: &str| Path {
            steps: vec![step(
                "",
                "a",
                Came::Emitted(vec![Output { payload: (("x\n").repeat(1_000) + end).into(), ..output(b"") }]),
            )],
            ..Path::default()
        };
        assert_ne!(long("a").transcript(&[]), long("b").transcript(&[]));
        let wide = |end: &str| Path {
            steps: vec![step(
                "",
                "a",
                Came::Emitted(vec![Output { payload: ("x".repeat(1_000) + end).into(), ..output(b"") }]),
            )],
            ..Path::default()
        };
        assert_ne!(wide("a").transcript(&[]), wide("b").transcript(&[]));
        assert_ne!(texts(&wide("a").transcript(&[])), Vec::<&str>::new());
    }

    #[test]
    fn a_payload_cannot_control_the_terminal() {
        let path = Path {
            steps: vec![step("", "a", Came::Emitted(vec![output(b"a\x1b[2Jb\xff"), output(b"a\x1b[2Jb")]))],
            ..Path::default()
        };
        assert!(texts(&path.transcript(&[])).iter().all(|line| !line.contains('\x1b')));
    }
}
