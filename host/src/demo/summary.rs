//! The table at the end of the demo, and what to try next.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use crate::settings::Pipeline;

/// Counts by kind.
type Counts = BTreeMap<String, usize>;

/// The counts of the demo.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// Event to file name.
    pub(super) names: BTreeMap<String, String>,
    pub(super) chunks: usize,
    pub(super) records: usize,
    pub(super) answers: usize,
    pub(super) tokens: usize,
    pub(super) masked: Counts,
    /// Document, reason, message.
    pub(super) dead_letters: Vec<(String, String, String)>,
}

impl Numbers {
    pub(super) fn table(&self, documents: usize, elapsed: Duration) -> String {
        let masked: usize = self.masked.values().sum();
        let kinds: Vec<String> = self.masked.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let mut table = String::new();
        let mut row = |what: &str, number: usize, detail: &str| {
            let _ = writeln!(table, "  {what:<22} {number:>6}   {detail}");
        };
        row("documents", documents, &format!("in {:.1} s", elapsed.as_secs_f64()));
        row("chunks", self.chunks, "");
        row("personal data hidden", masked, &kinds.join(", "));
        row("model answers", self.answers, &format!("{} tokens", self.tokens));
        row("records written", self.records, "");
        row("dead letters", self.dead_letters.len(), "");
        for (document, code, message) in &self.dead_letters {
            let _ = writeln!(table, "      {document}: {code} ({message})");
        }
        format!("\n{table}")
    }
}

/// What to do after the demo.
pub(super) const NEXT: &str = "\
What to try next:
  gristmill demo --keep                                   keep it running, and send your own documents
  gristmill run examples/documents/pipeline.toml          the same pipeline from its file
  gristmill check examples/events/pipeline.toml           show what a pipeline consists of
  README.md, \"Your first stage\"                            write your own stage";

/// What to try while the demo keeps running.
pub(super) fn still_running(brokers: &str, pipeline: &Pipeline, file: &Path) -> String {
    let file = file.display();
    let (source, sink, dead) = (&pipeline.source.topic, &pipeline.sink.topic, &pipeline.dead_letter.topic);
    format!(
        "Running until Ctrl-C. In another terminal, try:
  gristmill send {source} FILE… --brokers {brokers} --pipeline {file}
  gristmill tail {sink} --brokers {brokers}
  gristmill tail {dead} --brokers {brokers}"
    )
}
