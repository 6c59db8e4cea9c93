//! What a stage may call: every import of a component must be free for all stages, or granted in the pipeline file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::error::Reason;

/// What a stage can be allowed to reach. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline, extend("x-noun" = "grant"))]
pub enum Grant {
    /// Language models. Then `[models]` must have an alias.
    Llm,
}

/// The grants of one stage, written as a list of [`Grant`]s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Vec<Grant>", into = "Vec<Grant>")]
#[schemars(inline, with = "Vec<Grant>", extend("x-form" = r#"for example grants = ["llm"]"#))]
pub struct Grants {
    /// It may ask language models.
    pub llm: bool,
}

impl From<Vec<Grant>> for Grants {
    fn from(grants: Vec<Grant>) -> Self {
        Self { llm: grants.contains(&Grant::Llm) }
    }
}

impl From<Grants> for Vec<Grant> {
    fn from(grants: Grants) -> Self {
        if grants.llm { vec![Grant::Llm] } else { Vec::new() }
    }
}

/// The version of the contract served here. Components built against an earlier patch of it fit too.
const SERVED: &str = "0.1";

/// Interfaces of the contract that every stage may import.
const FREE: [&str; 4] = ["types", "llm-types", "logging", "context"];

/// WASI packages linked over an empty context: no files, no network, no environment. The standard libraries of most
/// languages import them whether they use them or not.
const EMPTY_WASI: [&str; 6] = ["wasi:cli", "wasi:clocks", "wasi:filesystem", "wasi:io", "wasi:random", "wasi:sockets"];

/// Refuses a component that imports something it was not granted, and names the import.
pub(super) fn check(component: &Component, engine: &Engine, grants: Grants) -> Result<(), Reason> {
    for (import, _) in component.component_type().imports(engine) {
        verdict(import, grants).map_err(|why| Reason::Import { import: import.to_owned(), why })?;
    }
    Ok(())
}

fn verdict(import: &str, grants: Grants) -> Result<(), String> {
    let (path, version) = import.split_once('@').unwrap_or((import, ""));
    let (package, interface) = path.split_once('/').unwrap_or((path, ""));
    if package == "gristmill:stage" {
        if version != SERVED && !version.starts_with(&format!("{SERVED}.")) {
            return Err(format!("this host serves version {SERVED} of the contract; rebuild the stage against it"));
        }
        return match interface {
            _ if FREE.contains(&interface) => Ok(()),
            "llm" if grants.llm => Ok(()),
            "llm" => Err("it is not granted; add grants = [\"llm\"] to the stage to let it ask models".into()),
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
        let llm = "gristmill:stage/llm@0.1.0";
        assert!(verdict(llm, Grants { llm: true }).is_ok());
        assert!(verdict(llm, Grants::default()).unwrap_err().contains("grants = [\"llm\"]"));
    }

    #[test]
    fn the_free_interfaces_and_the_empty_wasi_are_for_all() {
        for import in ["gristmill:stage/logging@0.1.0", "gristmill:stage/types@0.1.3", "wasi:io/streams@0.2.6"] {
            assert_eq!(verdict(import, Grants::default()), Ok(()), "{import}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for import in [
            "gristmill:stage/state@0.1.0",
            "gristmill:stage/logging@0.2.0",
            "gristmill:stage/logging@0.10.0",
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:io/streams@0.3.0",
            "evil:corp/keys",
        ] {
            assert!(verdict(import, Grants { llm: true }).is_err(), "{import}");
        }
    }
}
