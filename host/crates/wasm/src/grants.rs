//! What a stage may call: every import of a component must be free for all stages, or granted in the pipeline file.

use serde::{Deserialize, Serialize};

use super::error::Reason;
use super::inspect::Interfaces;

/// What a stage was granted, import by import. The pipeline file says more about some of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants {
    /// It may ask language models.
    pub llm: bool,
    /// It may ask embedding models.
    pub embeddings: bool,
    /// It may call other services.
    pub http: bool,
    /// It may keep values between items.
    pub state: bool,
    /// It may count in the host's metrics.
    pub metrics: bool,
}

impl Grants {
    /// Those that a component needs for what it imports.
    #[must_use]
    pub fn needed_by(interfaces: &Interfaces) -> Self {
        let imports = |interface: &str| {
            interfaces.imports.iter().any(|import| {
                let path = import.split('@').next().unwrap_or(import);
                path.strip_prefix("gristmill:stage/") == Some(interface)
            })
        };
        Self {
            llm: imports("llm"),
            embeddings: imports("embeddings"),
            http: imports("http"),
            state: imports("state"),
            metrics: imports("metrics"),
        }
    }

    /// Whether it may ask models for something, which is paid for.
    #[must_use]
    pub fn asks_models(self) -> bool {
        self.llm || self.embeddings
    }
}

/// What can be granted, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grant {
    /// Language models.
    Llm,
    /// Models that make vectors of texts.
    Embeddings,
    /// Calls of other services.
    Http,
    /// Values that are kept between items.
    State,
    /// Numbers in the host's metrics.
    Metrics,
}

impl From<Grants> for Vec<Grant> {
    fn from(grants: Grants) -> Self {
        let Grants { llm, embeddings, http, state, metrics } = grants;
        let each = [
            (llm, Grant::Llm),
            (embeddings, Grant::Embeddings),
            (http, Grant::Http),
            (state, Grant::State),
            (metrics, Grant::Metrics),
        ];
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
            "llm" => granted(grants.llm, "\"llm\"", "ask models"),
            "embeddings" => granted(grants.embeddings, "\"embeddings\"", "embed texts"),
            "http" => granted(grants.http, "{ http = [\"https://HOST/PATH*\"] }", "call other services"),
            "state" => granted(grants.state, "\"state\"", "keep values between items"),
            "metrics" => granted(grants.metrics, "\"metrics\"", "count in the host's metrics"),
            _ => Err("this host does not have it; a newer host may".into()),
        };
    }
    if EMPTY_WASI.contains(&package) && version.starts_with("0.2.") {
        return Ok(());
    }
    Err("no stage can be granted this import; the contract is in the wit folder".into())
}

fn granted(is_granted: bool, grant: &str, what: &str) -> Result<(), String> {
    match is_granted {
        true => Ok(()),
        false => Err(format!("it is not granted; add grants = [{grant}] to the stage to let it {what}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Grants = Grants { llm: true, embeddings: true, http: true, state: true, metrics: true };

    #[test]
    fn a_grant_is_for_one_import_only() {
        let none = Grants::default();
        for (name, grants) in [
            ("llm", Grants { llm: true, ..none }),
            ("embeddings", Grants { embeddings: true, ..none }),
            ("http", Grants { http: true, ..none }),
            ("state", Grants { state: true, ..none }),
            ("metrics", Grants { metrics: true, ..none }),
        ] {
            let import = format!("gristmill:stage/{name}@0.2.2");
            assert!(verdict(&import, grants).is_ok());
            let refused = verdict(&import, none).unwrap_err();
            assert!(refused.contains("grants = [") && refused.contains(name), "{refused}");
            let interfaces = Interfaces { imports: vec![import], ..Interfaces::default() };
            assert_eq!(Grants::needed_by(&interfaces), grants);
        }
        assert!(verdict("gristmill:stage/llm@0.2.2", Grants { llm: false, ..ALL }).is_err());
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
            ..Interfaces::default()
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
            "gristmill:stage/files@0.2.0",
            "gristmill:stage/logging@0.1.0",
            "gristmill:stage/logging@0.20.0",
            "gristmill:stage/logging@0.3.0",
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:io/streams@0.3.0",
            "evil:corp/keys",
        ] {
            assert!(verdict(import, ALL).is_err(), "{import}");
        }
    }
}
