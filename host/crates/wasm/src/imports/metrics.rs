//! `metrics`: a guest counts and measures. Which labels have room is behind the observer.

use gristmill_core::model::{Amount, Measure, text};
use gristmill_core::ports::FlowEvent;

use crate::bindings::gristmill::stage::metrics::{Host, Label};
use crate::state::CallState;

/// The longest part of a name that is none in a message, in bytes.
const LONGEST_NAME: usize = 64;

impl Host for CallState {
    fn add(&mut self, counter: String, delta: u64, labels: Vec<Label>) -> wasmtime::Result<()> {
        self.measure(&counter, &labels, Amount::Add(delta));
        Ok(())
    }

    fn observe(&mut self, histogram: String, value: f64, labels: Vec<Label>) -> wasmtime::Result<()> {
        self.measure(&histogram, &labels, Amount::Observe(value));
        Ok(())
    }
}

impl CallState {
    fn measure(&mut self, name: &str, labels: &[Label], amount: Amount) {
        let Some(observer) = self.surroundings.metrics.as_ref().filter(|_| self.current.is_some()) else { return };
        let labels: Vec<_> = labels.iter().map(|label| (label.name.as_str(), label.value.as_str())).collect();
        let stage = &*self.surroundings.stage;
        match Measure::new(name, &labels, amount) {
            Ok(measure) => observer.observe(&FlowEvent::Measured { stage, measure: &measure }),
            Err(reason) => self.surroundings.uncounted.call_once(|| {
                let (pipeline, name) = (&*self.surroundings.pipeline, text::line(name, LONGEST_NAME));
                tracing::warn!(pipeline, stage, name, %reason, "a number of this stage is not counted; this is said once");
            }),
        }
    }
}
