//! Asks a language model about each item and adds its answer as JSON.

mod answer;
mod batch;
mod builtin;
mod config;
mod item;
mod json;
mod output;
mod prompt;
mod references;
mod schema;
mod task;
mod template;

use gristmill_sdk::llm::{Host, Model};
use gristmill_sdk::{ConfigFault, Descriptor, Item, Outcome, Stage, StageError};

use answer::Totals;
pub use batch::{Among, Batch};
pub use builtin::BuiltIn;
use config::Plan;
pub use config::{Config, Custom, OnMissing, OnTooLong};
use item::{Body, NoData};
use output::Target;

/// The `enrich` stage.
#[derive(Debug)]
pub struct Enrich {
    plan: Plan,
}

impl Stage for Enrich {
    type Config = Config;

    fn describe() -> Descriptor {
        Descriptor::new("enrich", env!("CARGO_PKG_VERSION"), "Asks a language model about each item")
            .config_schema(include_str!("../config.schema.json"))
            .accepts(&["text/*", "application/*"])
    }

    fn new(config: Config) -> Result<Self, Vec<ConfigFault>> {
        Ok(Self { plan: config.try_into()? })
    }

    fn process(&self, item: Item) -> Result<Outcome, StageError> {
        self.enrich(&item, &Host)
    }
}

impl Enrich {
    /// Handles one item with the given model.
    ///
    /// # Errors
    /// The model returned no usable answer.
    pub fn enrich(&self, item: &Item, model: &dyn Model) -> Result<Outcome, StageError> {
        let plan = &self.plan;
        let body = match Body::read(item) {
            Ok(body) => body,
            Err(rejection) => return Ok(Outcome::Reject(rejection)),
        };
        let target = match Target::of(&body, &plan.settings) {
            Ok(target) => target,
            Err(rejection) => return Ok(Outcome::Reject(rejection)),
        };
        let (data, extent) = match item::collect(plan, item, &body) {
            Ok(collected) => collected,
            Err(NoData::Missing(reason)) if plan.settings.on_missing == OnMissing::Skip => {
                return Ok(Outcome::one(output::skipped(item, &reason.code)));
            }
            Err(NoData::Missing(rejection) | NoData::Bad(rejection)) => return Ok(Outcome::Reject(rejection)),
        };
        let calls: Vec<_> = match plan.settings.one_call {
            true => vec![plan.tasks.as_slice()],
            false => plan.tasks.chunks(1).collect(),
        };
        let requests = calls.iter().map(|tasks| prompt::request(plan, tasks, &data)).collect();
        // After a failure the whole item is retried; the host repeats the answers it already has from its store.
        let responses = match plan.settings.batch {
            // What failed in company is tried again alone, so that items cannot fail each other for good.
            Some(batch) if item.attempt == 1 => model.chat_merged(requests, batch.into()),
            _ => model.chat_many(requests),
        };
        let responses = responses.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut answers = Vec::new();
        for (tasks, response) in calls.iter().zip(&responses) {
            answers.extend(answer::read(tasks, response)?);
        }
        let output = target.output(item, &answers, &plan.settings);
        Ok(Outcome::one(output::annotated(output, &Totals::of(&responses), extent)))
    }
}

gristmill_sdk::stage!(Enrich);

#[cfg(test)]
mod tests;
