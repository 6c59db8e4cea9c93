//! What a stage costs, for those who write it.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::error::Reason;
use super::stage::WasmStage;

impl WasmStage {
    /// How long it takes to make one instance ready for an item. The instance is thrown away. May be dropped.
    ///
    /// # Errors
    /// Its `init` fails.
    pub async fn time_instance(&self) -> Result<Duration, Reason> {
        let begun = Instant::now();
        self.try_init().await?;
        Ok(begun.elapsed())
    }

    /// The memories and tables of the largest of its instances that are gone, in bytes; that of `describe` counts.
    #[must_use]
    pub fn largest_instance(&self) -> usize {
        self.surroundings.largest.load(Ordering::Relaxed)
    }
}
