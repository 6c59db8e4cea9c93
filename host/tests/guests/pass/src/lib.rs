//! A stage that changes nothing: for tests of the pipeline itself, and as the baseline of the benchmarks.

use gristmill_sdk::{ConfigFault, Descriptor, Item, NoConfig, Outcome, Output, Stage, StageError};

/// Emits every item unchanged.
#[derive(Debug, Clone, Copy)]
pub struct Pass;

impl Stage for Pass {
    type Config = NoConfig;

    fn describe() -> Descriptor {
        Descriptor::new("pass", env!("CARGO_PKG_VERSION"), "Changes nothing").max_batch(32)
    }

    fn new(_: NoConfig) -> Result<Self, Vec<ConfigFault>> {
        Ok(Self)
    }

    fn process(&self, item: Item) -> Result<Outcome, StageError> {
        Ok(Outcome::one(Output::from(&item)))
    }
}

gristmill_sdk::stage!(Pass);
