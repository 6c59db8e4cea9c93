//! Floor 2. The pipeline file, read into resolved settings, and its faults shown at their places.
//!
//! The file is TOML. Everything wrong with it is told at once, each fault with its line and the way out. Nothing is
//! read but the file itself: secrets stay references, modules and scripts stay paths, and what they hold is checked by
//! those who open them, with [`Pipeline::place`] to point at.

mod document;
mod engine;
mod error;
mod models;
mod pipeline;
mod plan;
mod quantity;
mod secrets;
mod section;
mod settings;
mod stages;
mod suggest;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use toml::de::DeTable;

use document::Document;
use gristmill_core::model::Plan;
use section::{Faults, Section};

pub use document::Place;
pub use error::{ConfigError, Fault, Style};
pub use quantity::ByteSize;
pub use settings::{
    Alias, BadBrokers, Brokers, Checkpoint, CreateTopics, DeadLetter, Delivery, Grant, Isolation, Kafka, Limits,
    Module, OpenAi, Order, Property, SecretRef, Sink, Source, Stage, StageLimits, Start, Store, Structured, Target,
};

/// The most bytes of a pipeline file.
const LARGEST_FILE: u64 = 1 << 20;

/// A pipeline file, resolved.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Its name: the default consumer group, and part of every job's id.
    pub name: Arc<str>,
    /// The cluster.
    pub kafka: Kafka,
    /// Where events come from.
    pub source: Source,
    /// Where finished items go.
    pub sink: Sink,
    /// Where jobs go that cannot be finished.
    pub dead_letter: DeadLetter,
    /// Bounds of the pipeline as a whole.
    pub limits: Limits,
    /// How outputs are written.
    pub delivery: Delivery,
    /// Which jobs wait for each other.
    pub order: Order,
    /// The memory of jobs.
    pub store: Store,
    /// What is done, in the order of the file; never empty.
    pub stages: Vec<Stage>,
    /// The ways between the stages.
    pub plan: Arc<Plan>,
    /// Language models by alias; not empty if a stage is granted them.
    pub models: BTreeMap<Arc<str>, Alias>,
    document: Arc<Document>,
}

impl Pipeline {
    /// Reads a pipeline file of at most 1 MiB. Relative paths in it start at its folder.
    ///
    /// # Errors
    /// All that is wrong with it, or why it cannot be read.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let fault = |message: String, label: &str| {
            let document = Arc::new(Document::new(path, "", &[]));
            Fault::at(Place::of_file(&document), message).label(label)
        };
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes))
            .map_err(|error| fault(format!("the pipeline file cannot be read: {error}"), "check the path"))?;
        if bytes.len() as u64 > LARGEST_FILE {
            return Err(fault("the pipeline file is larger than 1MiB".to_owned(), "is it the right file?").into());
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| fault("the pipeline file is not UTF-8 text".to_owned(), "is it the right file?"))?;
        Self::parse(&text, path)
    }

    /// Resolves the text of a pipeline file; `path` is what messages call it and where relative paths start.
    ///
    /// # Errors
    /// All that is wrong with it. Where it is not TOML, only that: what follows from it would mislead.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let (root, errors) = DeTable::parse_recoverable(text);
        let document = Arc::new(Document::new(path, text, &secrets::secrets(root.get_ref())));
        let syntax = errors.iter().map(|error| {
            let place = match error.span() {
                Some(span) => Place::of_span(&document, span),
                None => Place::of_file(&document),
            };
            Fault::at(place, "this is not TOML").label(error.message())
        });
        ConfigError::check(syntax.collect())?;

        let faults = Faults::new(Arc::clone(&document));
        let mut section = Section::new("the file", Some(root.get_ref()), Place::of_file(&document), &faults);
        let resolved = pipeline::pipeline(&mut section);
        section.report_unknown_keys();
        let found = faults.into_found();
        let Ok(resolved) = resolved else {
            return Err(ConfigError::of(found));
        };
        ConfigError::check(found)?;
        Ok(Self {
            name: resolved.name,
            kafka: resolved.kafka,
            source: resolved.source,
            sink: resolved.sink,
            dead_letter: resolved.dead_letter,
            limits: resolved.limits,
            delivery: resolved.delivery,
            order: resolved.order,
            store: resolved.store,
            stages: resolved.stages,
            plan: resolved.plan,
            models: resolved.models,
            document,
        })
    }

    /// Where the value at a JSON Pointer into the whole file stands ("/stage/0/module", "/kafka/brokers"), or the
    /// nearest thing around it. Parses the file again: for messages.
    #[must_use]
    pub fn place(&self, pointer: &str) -> Place {
        Place::of_pointer(&self.document, pointer)
    }

    /// Where the value at a JSON Pointer into a stage's `config` stands ("/tasks/1"), or the nearest thing around it;
    /// `None` if there is no such stage.
    #[must_use]
    pub fn place_of(&self, stage: usize, pointer: &str) -> Option<Place> {
        self.stages.get(stage)?;
        let inside = if pointer.starts_with('/') { pointer } else { "" };
        Some(self.place(&format!("/stage/{stage}/config{inside}")))
    }
}
