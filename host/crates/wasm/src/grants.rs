//! What a stage may call: every import of a component must be free for all stages, or granted in the pipeline file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::Reason;
use super::inspect::Interfaces;

/// What a stage can be allowed to reach. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline, extend("x-noun" = "grant"))]
pub enum Grant {
    /// Language models. Then `[models]` must have an alias.
    Llm,
    /// Models that make vectors of texts. Then `[models]` must have an alias.
    Embeddings,
}

/// The grants of one stage, written as a list of [`Grant`]s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Vec<Grant>", into = "Vec<Grant>")]
#[schemars(inline, with = "Vec<Grant>", extend("x-form" = r#"for example grants = ["llm"]"#))]
pub struct Grants {
    /// It may ask language models.
    pub llm: bool,
    /// It may ask embedding models.
    pub embeddings: bool,
}

impl Grants {
    /// Whether it may ask models for something, which is paid for.
    #[must_use]
    pub fn asks_models(self) -> bool {
        self.llm || self.embeddings
    }
}

impl From<Vec<Grant>> for Grants {
    fn from(grants: Vec<Grant>) -> Self {
        Self { llm: grants.contains(&Grant::Llm), embeddings: grants.contains(&Grant::Embeddings) }
    }
}

impl From<Grants> for Vec<Grant> {
    fn from(grants: Grants) -> Self {
        let Grants { llm, embeddings } = grants;
        let each = [(llm, Grant::Llm), (embeddings, Grant::Embeddings)];
        each.into_iter().filter_map(|(granted, grant)| granted.then_some(grant)).collect()
    }
}

/// The versions of the contract served here. Components built against an earlier patch of one fit too.
const SERVED: [&str; 1] = ["0.2"];

/// Interfaces of the contract that every stage may import.
const FREE: [&str; 5] = ["types", "llm-types", "logging", "context", "tokens"];

/// WASI packages linked over an empty context: no files, no network, no environment. The standard libraries of most
/// languages import them whether they use them or not.
const EMPTY_WASI: [&str; 6] = ["wasi:cli", "wasi:clocks", "wasi:filesystem", "wasi:io", "wasi:random", "wasi:sockets"];

/// Interfaces of the contract that every stage exports.
const EXPORTED: [&str; 2] = ["lifecycle", "handler"];

/// Refuses a component that imports something it was not granted, and names the import; or that is not a stage.
pub(super) fn check(interfaces: &Interfaces, grants: Grants) -> Result<(), Reason> {
    for import in &interfaces.imports {
        verdict(import, grants).map_err(|why| Reason::Import { import: import.clone(), why })?;
    }
    for wanted in EXPORTED {
        let is_wanted = |export: &String| {
            let (path, version) = export.split_once('@').unwrap_or((export, ""));
            path.strip_prefix("gristmill:stage/") == Some(wanted) && is_served(version)
        };
        if !interfaces.exports.iter().any(is_wanted) {
            let missing = format!("it does not export gristmill:stage/{wanted} of version {}", SERVED.join(" or "));
            return Err(Reason::Contract(wasmtime::Error::msg(missing)));
        }
    }
    Ok(())
}

fn is_served(version: &str) -> bool {
    SERVED.iter().any(|served| version.strip_prefix(served).is_some_and(|patch| patch.starts_with('.')))
}

fn verdict(import: &str, grants: Grants) -> Result<(), String> {
    let (path, version) = import.split_once('@').unwrap_or((import, ""));
    let (package, interface) = path.split_once('/').unwrap_or((path, ""));
    if package == "gristmill:stage" {
        if !is_served(version) {
            let served = SERVED.join(" and ");
            return Err(format!("this host serves version {served} of the contract; rebuild the stage against it"));
        }
        return match interface {
            _ if FREE.contains(&interface) => Ok(()),
            "llm" if grants.llm => Ok(()),
            "llm" => Err("it is not granted; add grants = [\"llm\"] to the stage to let it ask models".into()),
            "embeddings" if grants.embeddings => Ok(()),
            "embeddings" => {
                Err("it is not granted; add grants = [\"embeddings\"] to the stage to let it embed texts".into())
            }
            _ => Err("this host does not have it; a newer host may".into()),
        };
    }
    if EMPTY_WASI.contains(&package) && version.starts_with("0.2.") {
        return Ok(());
    }
    Err("no stage can be granted this import; the contract is in the wit folder".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_only_for_those_who_were_granted_it() {
        for (name, grants) in [
            ("llm", Grants { llm: true, ..Grants::default() }),
            ("embeddings", Grants { embeddings: true, ..Grants::default() }),
        ] {
            let import = format!("gristmill:stage/{name}@0.2.0");
            assert!(verdict(&import, grants).is_ok());
            assert!(verdict(&import, Grants::default()).unwrap_err().contains(&format!("grants = [\"{name}\"]")));
            let others = Grants { llm: !grants.llm, embeddings: !grants.embeddings };
            assert!(verdict(&import, others).is_err(), "a grant is for one import only");
        }
    }

    #[test]
    fn the_free_interfaces_and_the_empty_wasi_are_for_all() {
        for import in [
            "gristmill:stage/logging@0.2.0",
            "gristmill:stage/tokens@0.2.0",
            "gristmill:stage/types@0.2.3",
            "wasi:io/streams@0.2.6",
        ] {
            assert_eq!(verdict(import, Grants::default()), Ok(()), "{import}");
        }
    }

    #[test]
    fn a_component_that_is_no_stage_is_refused_by_its_exports() {
        let exports = |exports: &[&str]| Interfaces {
            imports: Vec::new(),
            exports: exports.iter().map(|&export| export.to_owned()).collect(),
            code: 0,
        };
        let (lifecycle, handler) = ("gristmill:stage/lifecycle@0.2.0", "gristmill:stage/handler@0.2.7");
        assert!(check(&exports(&[lifecycle, handler]), Grants::default()).is_ok());
        for (missing, named) in [
            (exports(&[]), "lifecycle"),
            (exports(&[lifecycle]), "handler"),
            (exports(&["gristmill:stage/lifecycle@0.3.0", handler]), "lifecycle"),
            (exports(&[lifecycle, "evil:stage/handler@0.2.0"]), "handler"),
        ] {
            let refused = check(&missing, Grants::default()).unwrap_err().to_string();
            assert!(refused.contains("does not fit the stage contract") && refused.contains(named), "{refused}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for import in [
            "gristmill:stage/state@0.2.0",
            "gristmill:stage/logging@0.1.0",
            "gristmill:stage/logging@0.20.0",
            "gristmill:stage/logging@0.3.0",
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:io/streams@0.3.0",
            "evil:corp/keys",
        ] {
            assert!(verdict(import, Grants { llm: true, embeddings: true }).is_err(), "{import}");
        }
    }
}
