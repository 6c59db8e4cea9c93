//! `context`: information about the running call.

use tokio::time::Instant;

use crate::bindings::gristmill::stage::context::{Host, Identity};
use crate::state::CallState;

impl Host for CallState {
    fn get_identity(&mut self) -> wasmtime::Result<Identity> {
        self.ask("the name of its pipeline");
        Ok(Identity {
            pipeline: self.surroundings.pipeline.to_string(),
            stage: self.surroundings.stage.to_string(),
            traceparent: self.job().map(|job| job.trace.to_string()),
        })
    }

    fn time_left(&mut self) -> wasmtime::Result<u64> {
        self.ask("the time that is left");
        let left = self.deadline.saturating_duration_since(Instant::now());
        Ok(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
    }

    fn is_cancelled(&mut self) -> wasmtime::Result<bool> {
        self.ask("whether the host is stopping");
        Ok(self.surroundings.shutdown.is_cancelled())
    }

    fn is_routed(&mut self, label: String) -> wasmtime::Result<bool> {
        Ok(self.surroundings.routed.contains(&label))
    }
}
