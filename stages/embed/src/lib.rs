//! Adds the vector of its text to each item.

mod config;
mod item;
mod object;

use gristmill_sdk::embeddings::{Host, Model, Request, is_of_an_input};
use gristmill_sdk::{ConfigFault, Descriptor, Item, Outcome, Stage, StageError};

pub use config::{Config, OnMissing, Purpose};
use item::{NoText, Subject};

/// How many items share a request, at most: more would make what one call holds large, and the host cuts requests anyway.
const MOST_ITEMS: u32 = 64;

/// The `embed` stage.
#[derive(Debug)]
pub struct Embed {
    config: Config,
}

impl Stage for Embed {
    type Config = Config;

    fn describe() -> Descriptor {
        Descriptor::new("embed", env!("CARGO_PKG_VERSION"), "Adds the vector of its text to each item")
            .config_schema(include_str!("../config.schema.json"))
            .accepts(&["text/*", "application/*"])
            .max_batch(MOST_ITEMS)
    }

    fn new(config: Config) -> Result<Self, Vec<ConfigFault>> {
        Ok(Self { config })
    }

    fn process(&self, item: Item) -> Result<Outcome, StageError> {
        self.embed(&item, &Host)
    }

    fn process_batch(&self, items: Vec<Item>) -> Vec<Result<Outcome, StageError>> {
        self.embed_all(&items, &Host)
    }
}

impl Embed {
    /// Handles one item with the given model.
    ///
    /// # Errors
    /// The model made no vector.
    pub fn embed(&self, item: &Item, model: &dyn Model) -> Result<Outcome, StageError> {
        match Subject::read(item, &self.config) {
            Ok(subject) => self.alone(item, &subject, model),
            Err(no_text) => Ok(self.without(item, no_text)),
        }
    }

    /// Handles several items with one request. If one of their texts is at fault, each is asked for alone: the others have
    /// their vectors by then, and the host does not pay for them again.
    pub fn embed_all(&self, items: &[Item], model: &dyn Model) -> Vec<Result<Outcome, StageError>> {
        let subjects: Vec<_> = items.iter().map(|item| Subject::read(item, &self.config)).collect();
        let texts: Vec<String> = subjects.iter().flatten().map(|subject| subject.text.clone()).collect();
        if texts.is_empty() {
            return items.iter().map(|item| self.embed(item, model)).collect();
        }
        let expected = texts.len();
        let mut answer = match model.embed(self.request(texts)) {
            Ok(response) if response.vectors.len() == expected => Ok((response.vectors.into_iter(), response.model)),
            Ok(_) => Err(None),
            Err(error) => Err(Some(error)),
        };
        let each = items.iter().zip(subjects).map(|(item, subject)| {
            let subject = match subject {
                Ok(subject) => subject,
                Err(no_text) => return Ok(self.without(item, no_text)),
            };
            match &mut answer {
                Ok((vectors, name)) => match vectors.next() {
                    Some(vector) => Ok(Outcome::one(subject.output(&vector, name, &self.config))),
                    None => Err(miscounted()),
                },
                Err(Some(error)) if !is_of_an_input(error) => Err(error.clone().into()),
                Err(_) => self.alone(item, &subject, model),
            }
        });
        each.collect()
    }

    fn alone(&self, item: &Item, subject: &Subject<'_>, model: &dyn Model) -> Result<Outcome, StageError> {
        let response = model.embed(self.request(vec![subject.text.clone()]).for_item(&item.id))?;
        match response.vectors.as_slice() {
            [vector] => Ok(Outcome::one(subject.output(vector, &response.model, &self.config))),
            _ => Err(miscounted()),
        }
    }

    fn without(&self, item: &Item, no_text: NoText) -> Outcome {
        match no_text {
            NoText::Missing(failure) if self.config.on_missing == OnMissing::Skip => {
                Outcome::one(item::skipped(item, &failure.code))
            }
            NoText::Missing(failure) | NoText::Bad(failure) => Outcome::Reject(failure),
        }
    }

    fn request(&self, texts: Vec<String>) -> Request {
        let mut request = Request::new(texts).purpose(self.config.purpose.into());
        request.model.clone_from(&self.config.model);
        request.dimensions = self.config.dimensions;
        request
    }
}

fn miscounted() -> StageError {
    StageError::retryable("invalid-answer", "the model did not make one vector for each text", None)
}

gristmill_sdk::stage!(Embed);

#[cfg(test)]
mod tests;
