//! What the host tells of the failure.

use gristmill_sdk::Item;
use serde::Deserialize;

use crate::pointer::Pointer;

/// Failures that are decisions: whoever refused the item is not asked again with another one in its place.
const FINAL: [&str; 1] = ["llm-content-filtered"];

/// The failure of the item in another stage.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    /// The stage.
    pub stage: &'a str,
    /// The code.
    pub code: &'a str,
    /// Places in a JSON document that are at fault, each once, in the order of their names, and why.
    pub faults: Vec<Fault>,
}

/// A fault at a place, as `validate` reports it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The place.
    pub at: Pointer,
    /// What is wrong there, without values. Of several messages the first.
    pub message: String,
}

impl<'a> Told<'a> {
    /// The failure; `None` if the item has not failed.
    pub(crate) fn of(item: &'a Item) -> Option<Self> {
        let told = |what: &str| item.attribute(&format!("sys.failure.{what}"));
        let code = told("code")?;
        let faults = told("details").map(faults).unwrap_or_default();
        Some(Self { stage: told("stage").unwrap_or_default(), code, faults })
    }

    /// Whether the failure is a decision that is not to be got around.
    pub(crate) fn is_final(&self) -> bool {
        FINAL.contains(&self.code)
    }
}

/// The faults in the details of a failure; none if they are something else.
fn faults(details: &str) -> Vec<Fault> {
    #[derive(Deserialize)]
    struct Listed {
        pointer: String,
        message: String,
    }

    let listed: Vec<Listed> = serde_json::from_str(details).unwrap_or_default();
    let mut faults: Vec<Fault> = Vec::new();
    for Listed { pointer, message } in listed {
        let Ok(at) = Pointer::parse(&pointer) else { continue };
        if !faults.iter().any(|fault| fault.at == at) {
            faults.push(Fault { at, message });
        }
    }
    // In one order, so that equal failures ask for the same in the same words.
    faults.sort_by_cached_key(|fault| fault.at.to_string());
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_from_details_that_list_them() {
        let places = |details: &str| faults(details).iter().map(|fault| fault.at.to_string()).collect::<Vec<_>>();
        let listed = r#"[{"pointer": "/a", "message": "m"}, {"pointer": "/a", "message": "n"}, {"pointer": "", "message": "o"}]"#;
        assert_eq!(places(listed), ["", "/a"]);
        for other in ["", "{}", "[1]", r#"[{"pointer": "a", "message": "m"}]"#] {
            assert_eq!(places(other), [""; 0], "{other}");
        }
    }
}
