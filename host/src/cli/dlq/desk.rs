//! What all commands over dead letters share: the pipeline and its broker, the contents of the topic, and the output.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::args::Target;
use super::dead_letter::{DeadLetter, Entry, Place};
use crate::app::{self, Failure};
use crate::console;
use crate::settings::Pipeline;
use gristmill_core::ports::{Broker, Browse, From, Records, Until};

/// A pipeline and its broker.
pub(super) struct Desk {
    pub(super) pipeline: Pipeline,
    pub(super) broker: Arc<dyn Broker>,
}

/// The contents of the topic, up to the end that it had while it was read.
#[derive(Default)]
pub(super) struct Found {
    /// In the order of their last attempts.
    pub(super) dead_letters: Vec<DeadLetter>,
    /// The places of those that were replayed since.
    pub(super) replayed: BTreeSet<Place>,
}

impl Desk {
    pub(super) fn open(target: &Target) -> Result<Self, Failure> {
        let pipeline = Pipeline::load_to_reach(&target.pipeline)?;
        let broker = app::reach(target.brokers.as_deref(), Some(&pipeline))?;
        Ok(Self { pipeline, broker })
    }

    /// All records of the topic, from its start to its end.
    pub(super) async fn records(&self) -> anyhow::Result<Box<dyn Records>> {
        let topic = self.pipeline.dead_letter.topic.shared();
        self.broker.browse(Browse { topic, from: From::Start, until: Until::End }).await
    }

    /// Reads the topic and keeps the dead letters that `wanted` returns true for.
    pub(super) async fn find(&self, wanted: impl Fn(&DeadLetter) -> bool) -> anyhow::Result<Found> {
        let mut found = Found::default();
        let mut records = self.records().await?;
        while let Some(event) = records.next().await.transpose()? {
            match Entry::of(&event) {
                Entry::DeadLetter(dead_letter) if wanted(&dead_letter) => found.dead_letters.push(dead_letter),
                Entry::Replayed(place) => {
                    found.replayed.insert(place);
                }
                Entry::DeadLetter(_) | Entry::Other => {}
            }
        }
        found.dead_letters.sort_by_key(|dead_letter| (dead_letter.last_attempt, dead_letter.place));
        Ok(found)
    }
}

/// Writes to standard output.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    console::print(text)?;
    Ok(())
}

pub(super) fn dead_letters(count: usize) -> String {
    format!("{count} {}", if count == 1 { "dead letter" } else { "dead letters" })
}
