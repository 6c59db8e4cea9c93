//! What the host tells of the versions of a pipeline's stages.

use std::sync::Arc;

use super::pipeline::PipelineMetrics;

impl PipelineMetrics {
    /// The pipeline has a stage of this name, whose versions may change.
    pub fn has_stage(&self, stage: &Arc<str>) {
        self.families.versions.know(&self.name, stage);
    }

    /// Something became of a version of a stage.
    pub fn version(&self, stage: &Arc<str>, change: &'static str) {
        self.families.versions.changed(&self.name, stage, change);
    }
}
