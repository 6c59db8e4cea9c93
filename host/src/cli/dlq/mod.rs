//! `gristmill dlq`: what is in the dead-letter topic of a pipeline, and how its events are sent again.

mod args;
mod choice;
mod letter;
mod list;
mod moment;
mod replay;
mod show;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;

pub(super) use args::Dlq;
use args::Target;
use letter::{Entry, Letter, Place};

use crate::app::{self, Failure};
use crate::settings::Pipeline;
use gristmill_core::ports::{Broker, Browse, From, Records, Until};

/// Does what was asked.
pub(super) async fn run(command: &Dlq) -> Result<(), Failure> {
    match command {
        Dlq::List(args) => list::list(args).await,
        Dlq::Show(args) => show::show(args).await,
        Dlq::Replay(args) => replay::replay(args).await,
    }
}

/// A pipeline and how its brokers are reached.
struct Desk {
    pipeline: Pipeline,
    broker: Arc<dyn Broker>,
}

/// What is in the topic, up to the end it had while it was read.
#[derive(Default)]
struct Found {
    /// In the order of their last attempts.
    letters: Vec<Letter>,
    /// Those that were replayed since.
    replayed: BTreeSet<Place>,
}

impl Desk {
    fn open(target: &Target) -> Result<Self, Failure> {
        let pipeline = Pipeline::load(&target.pipeline)?;
        let broker = app::reach(target.brokers.as_deref(), Some(&pipeline))?;
        Ok(Self { pipeline, broker })
    }

    /// All records of the topic, from its start to its end.
    async fn records(&self) -> anyhow::Result<Box<dyn Records>> {
        let topic = self.pipeline.dead_letter.topic.shared();
        self.broker.browse(Browse { topic, from: From::Start, until: Until::End }).await
    }

    /// Reads the topic, and keeps of the letters those that are taken.
    async fn find(&self, take: impl Fn(&Letter) -> bool) -> anyhow::Result<Found> {
        let mut found = Found::default();
        let mut records = self.records().await?;
        while let Some(event) = records.next().await.transpose()? {
            match Entry::of(&event) {
                Entry::Letter(letter) if take(&letter) => found.letters.push(letter),
                Entry::Replayed(place) => {
                    found.replayed.insert(place);
                }
                Entry::Letter(_) | Entry::Other => {}
            }
        }
        found.letters.sort_by_key(|letter| (letter.last_attempt, letter.place));
        Ok(found)
    }
}

/// Writes to standard output. A reader that goes away, such as `head`, is no failure.
fn print(text: &str) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Running(anyhow::Error::new(error).context("standard output is gone")))
        }
        _ => Ok(()),
    }
}

fn letters(count: usize) -> String {
    format!("{count} {}", if count == 1 { "letter" } else { "letters" })
}
