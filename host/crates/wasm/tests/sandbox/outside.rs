//! What a stage under test reaches beside models.

use std::sync::Arc;

use gristmill_core::ports::{Observer, Outbound};
use gristmill_wasm::{Grants, StageSpec, State};

/// Nothing, unless it is set.
#[derive(Clone, Default)]
pub(crate) struct Outside {
    pub(crate) http: Option<Arc<dyn Outbound>>,
    pub(crate) state: Option<State>,
    pub(crate) metrics: Option<Arc<dyn Observer>>,
}

impl Outside {
    /// These grants, and one for each thing that is there.
    pub(crate) fn granted_with(&self, grants: Grants) -> Grants {
        let (http, state, metrics) = (self.http.is_some(), self.state.is_some(), self.metrics.is_some());
        Grants { http, state, metrics, ..grants }
    }

    /// The stage with what is there.
    pub(crate) fn give(&self, spec: StageSpec) -> StageSpec {
        let Self { http, state, metrics } = self.clone();
        StageSpec { http, state, metrics, ..spec }
    }
}
