//! What the stages of a pipeline reach outside, as far as they are granted it.

use std::sync::Arc;

use gristmill_config::{ConfigError, Fault};
use gristmill_core::ports::{Model, Observer, Outbound, StageState};
use gristmill_outbound::{Calls, Parts, SystemLookup};
use gristmill_wasm::{StageSpec, State};

use super::failure::Failure;
use super::store::Stores;
use crate::settings::Pipeline;

/// What is behind the imports of a pipeline's stages.
pub(super) struct Outside {
    model: Option<Arc<dyn Model>>,
    /// Of each stage, in their order. `None` without the grant.
    http: Vec<Option<Arc<dyn Outbound>>>,
    state: Option<Arc<dyn StageState>>,
    observer: Arc<dyn Observer>,
}

impl Outside {
    /// What the grants of the stages lead to, beside this model.
    ///
    /// # Errors
    /// All grants that cannot be used, each at its place in the pipeline file.
    pub(super) fn new(
        pipeline: &Pipeline,
        model: Option<&Arc<dyn Model>>,
        stores: &Stores,
        observer: &Arc<dyn Observer>,
    ) -> Result<Self, Failure> {
        let (mut http, mut faults) = (Vec::new(), Vec::new());
        for (index, stage) in pipeline.stages.iter().enumerate() {
            let Some(grant) = &stage.grants.http else {
                http.push(None);
                continue;
            };
            let parts = Parts { lookup: Arc::new(SystemLookup), store: stores.jobs.clone() };
            match Calls::new(grant, parts) {
                Ok(calls) => http.push(Some(Arc::new(calls) as Arc<dyn Outbound>)),
                Err(bad) => {
                    let place = pipeline.place(&format!("/stage/{index}/grants"));
                    let what = format!("stage {:?}: the grant http cannot be used", &*stage.name);
                    faults.push(Fault::at(place, what).label(bad.to_string()));
                }
            }
        }
        ConfigError::check(faults)?;
        Ok(Self { model: model.cloned(), http, state: stores.state.clone(), observer: Arc::clone(observer) })
    }

    /// The stage at this place, with what it is granted.
    pub(super) fn give(&self, pipeline: &Pipeline, index: usize, spec: StageSpec) -> StageSpec {
        let grants = &pipeline.stages[index].grants;
        let state = |quota| self.state.clone().map(|entries| State { entries, quota });
        StageSpec {
            model: self.model.clone(),
            http: self.http.get(index).cloned().flatten(),
            state: grants.state.and_then(|quota| state(quota.into())),
            metrics: grants.metrics.then(|| Arc::clone(&self.observer)),
            ..spec
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gristmill_core::ports::Observers;

    use super::*;

    fn refused(grants: &str) -> String {
        let text = format!(
            "name = \"p\"\nkafka = {{ brokers = \"h:1\" }}\nsource = {{ topic = \"in\" }}\nsink = {{ topic = \"out\" }}\n\
             dead_letter = {{ topic = \"dead\" }}\n[[stage]]\nname = \"a\"\nmodule = \"a.wasm\"\ngrants = [{grants}]\n"
        );
        let pipeline = Pipeline::parse(&text, Path::new("p.toml")).unwrap();
        let observer: Arc<dyn Observer> = Arc::new(Observers::default());
        match Outside::new(&pipeline, None, &Stores::default(), &observer) {
            Err(Failure::Config(error)) => error.to_string(),
            Err(other) => panic!("{other:?}"),
            Ok(_) => String::new(),
        }
    }

    #[test]
    fn a_grant_that_cannot_be_used_is_a_fault_at_its_place() {
        assert_eq!(refused("{ http = [\"https://a.example/*\"] }"), "");
        for (grant, expected) in [
            ("{ http = [\"https://a.example\"] }", "add /, or /* for any"),
            ("{ http = [\"http://127.0.0.1:8080/*\"] }", "allow_private"),
            (
                "{ http = [\"https://a.example/*\"], secrets = { key = { from = { env = \"CARGO_PKG_NAME\" }, hosts = [\"b.example\"] } } }",
                "no address of http is at b.example",
            ),
            ("{ http = [\"https://a.example/*\"], allow_private = [\"10.0.0.1/8\"] }", "is no network"),
        ] {
            let error = refused(grant);
            assert!(error.contains(expected) && error.contains("p.toml:9"), "{grant}: {error}");
        }
    }
}
