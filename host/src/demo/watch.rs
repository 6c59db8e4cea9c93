//! Prints a line for every step of every item, and counts for the summary.

use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::summary::Numbers;
use crate::console;
use gristmill_core::model::{Failed, Outcome, Output};
use gristmill_core::ports::{Call, End, FlowEvent, Observer, StageError};

/// Prints what it observes. The lock is held only while counting, never while printing.
pub(super) struct Watch {
    /// When the first event was taken.
    started: OnceLock<Instant>,
    numbers: Mutex<Numbers>,
    ended: watch::Sender<usize>,
    coloured: bool,
}

impl Watch {
    pub(super) fn new(plain: bool) -> Self {
        Self {
            started: OnceLock::new(),
            numbers: Mutex::default(),
            ended: watch::Sender::new(0),
            coloured: !plain && std::io::stdout().is_terminal(),
        }
    }

    /// Returns when this many jobs have ended.
    pub(super) async fn ended(&self, jobs: usize) {
        // The sender lives in `self`.
        let _ = self.ended.subscribe().wait_for(|ended| *ended >= jobs).await;
    }

    pub(super) fn summary(&self, documents: usize) -> String {
        self.numbers().table(documents, self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        self.started.get_or_init(Instant::now).elapsed()
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, document: &str, stage: &str, elapsed: Duration, what: &str) {
        let at = self.elapsed().as_secs_f64();
        let (dim, bold, off) = if self.coloured { ("\x1b[2m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
        let took = format!("{} ms", elapsed.as_millis());
        let line = format!("{dim}{at:7.2} s{off}  {bold}{document:<25}{off} {stage:<9} {dim}{took:>8}{off}  {what}\n");
        // What cannot be shown is counted all the same.
        let _ = console::print(&line);
    }
}

impl Observer for Watch {
    fn observe(&self, event: &FlowEvent<'_>) {
        match event {
            FlowEvent::JobStarted { event, .. } => {
                self.started.get_or_init(Instant::now);
                let name = event.key.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
                self.numbers().names.insert(event.id.to_string(), name.into_owned());
            }
            FlowEvent::Attempt { call, stage, elapsed, result } => {
                let mut numbers = self.numbers();
                if let Ok(Outcome::Emit(outputs)) = result {
                    numbers.count(stage, outputs);
                }
                let document = numbers.name(call);
                drop(numbers);
                self.line(&document, stage, *elapsed, &describe(result));
            }
            FlowEvent::JobEnded { job, elapsed, end, .. } => {
                let mut numbers = self.numbers();
                let document = numbers.document(job);
                let what = match end {
                    End::Emitted(records) => {
                        numbers.records += records;
                        format!("in the output topic: {records} records")
                    }
                    End::Deleted(tombstones) => format!("deleted: {tombstones} tombstones"),
                    End::Dropped(code) => format!("dropped: {code}"),
                    End::DeadLettered(Failed { failure, .. }) => {
                        numbers.dead_letters.push((document.clone(), failure.code.clone(), failure.message.clone()));
                        format!("in the dead letters: {}", failure.code)
                    }
                };
                drop(numbers);
                self.line(&document, "done", *elapsed, &what);
                self.ended.send_modify(|ended| *ended += 1);
            }
            _ => {}
        }
    }
}

/// The result of a step in a few words.
fn describe(result: &Result<Outcome, StageError>) -> String {
    match result {
        Ok(Outcome::Emit(outputs)) => match outputs.as_slice() {
            [one] => noteworthy(one),
            many => format!("{} items", many.len()),
        },
        Ok(Outcome::Drop(code)) => format!("dropped: {code}"),
        Ok(Outcome::Reject(failure)) => format!("rejected: {failure}"),
        Err(error) => format!("failed: {error}"),
    }
}

/// An output in a few words, from the attributes that are of interest to the user.
fn noteworthy(output: &Output) -> String {
    let (mut parts, mut masked) = (Vec::new(), Vec::new());
    for attribute in &output.attributes {
        match attribute.name.split_once('.') {
            Some(("sanitize", "total")) if attribute.value == "0" => parts.push("nothing personal".into()),
            Some(("sanitize", kind)) if is_personal(kind) => masked.push(format!("{kind} {}", attribute.value)),
            Some(("extract", "pages")) => parts.push(format!("{} pages", attribute.value)),
            Some(("enrich", "model")) => parts.push(format!("by {}", attribute.value)),
            _ => {}
        }
    }
    if !masked.is_empty() {
        parts.push(format!("hidden: {}", masked.join(", ")));
    }
    parts.push(format!("{} bytes", output.payload.len()));
    parts.join(", ")
}

/// Whether this attribute of the sanitize stage counts a kind of personal data.
fn is_personal(attribute: &str) -> bool {
    attribute != "total" && !attribute.starts_with("artifacts.")
}

impl Numbers {
    /// The document of a call, with the chunk's number once there is one.
    fn name(&self, call: &Call) -> String {
        let document = self.document(&call.job);
        let ordinal = call.item.attributes.iter().find(|attribute| attribute.name == "chunk.ordinal");
        match ordinal {
            Some(ordinal) => format!("{document} #{}", ordinal.value),
            None => document,
        }
    }

    fn document(&self, job: &gristmill_core::model::JobId) -> String {
        let event = job.as_str().split_once('/').map_or("", |(_, event)| event);
        self.names.get(event).cloned().unwrap_or_else(|| event.to_owned())
    }

    fn count(&mut self, stage: &str, outputs: &[Output]) {
        if stage == "chunk" {
            self.chunks += outputs.len();
        }
        for attribute in outputs.iter().flat_map(|output| &output.attributes) {
            let Some((of, what)) = attribute.name.split_once('.') else { continue };
            let number: usize = attribute.value.parse().unwrap_or(0);
            match (of, what) {
                ("enrich", "model") => self.answers += 1,
                ("enrich", "input-tokens" | "output-tokens") => self.tokens += number,
                ("sanitize", kind) if is_personal(kind) => {
                    *self.masked.entry(kind.to_owned()).or_default() += number;
                }
                _ => {}
            }
        }
    }
}
