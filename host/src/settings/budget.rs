//! The budgets of a pipeline file, and whether its models can be held to them.

use gristmill_config::Fault;
use gristmill_llm::prices;
use gristmill_llm::settings::Budgets;

use super::Pipeline;

impl Pipeline {
    /// Whether a stage may ask models.
    #[must_use]
    pub fn asks_models(&self) -> bool {
        self.stages.iter().any(|stage| stage.grants.asks_models())
    }

    /// All budgets of the file.
    #[must_use]
    pub fn budgets(&self) -> Budgets {
        let stages = self.stages.iter().map(|stage| (stage.name.shared(), stage.budget)).collect();
        Budgets { pipeline: self.budget, stages }
    }

    /// Targets that a budget cannot hold, because nobody knows what a call to them may cost.
    pub(super) fn budget_faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.budgets().is_empty() || !self.asks_models() {
            return faults;
        }
        for (alias, model) in &self.models {
            for (pointer, target) in model.all_targets() {
                let (what, fix) = match prices::of(target) {
                    None => (
                        "has no price that is known",
                        "a budget needs one: add price = { input = \"… USD\", output = \"… USD\" }, for a million tokens each",
                    ),
                    Some(price) if !price.is_free() && target.most_output_tokens().is_none() => (
                        "can answer at any length",
                        "a budget needs to know the most that one call can cost: add max_output_tokens",
                    ),
                    Some(_) => continue,
                };
                let place = self.place(&format!("/models/{}{pointer}", &**alias));
                let message = format!("{} of the model \"{alias}\" {what}", target.name());
                faults.push(Fault::at(place, message).label(fix));
            }
        }
        faults
    }
}
