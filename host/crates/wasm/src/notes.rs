//! What was found out about a module with a configuration, so that it need not be found out again.

use std::sync::Arc;

use gristmill_core::model::text;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::description::Description;
use super::state::Surroundings;

/// How instances of a stage begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// With what one held after its `init`, which ran once.
    Snapshot,
    /// With a call of `init` in each of them.
    Init {
        /// Why there is no snapshot, in words that follow the stage's name.
        why: String,
    },
}

/// The longest reason why there is no snapshot, in bytes.
const LONGEST_WHY: usize = 1_000;

impl Start {
    /// With a call of `init`, for this reason in a guest's or the host's words, which are cleaned and bounded.
    pub(super) fn init(why: &str) -> Self {
        Self::Init { why: text::line(why, LONGEST_WHY) }
    }
}

/// What was found out about a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// What it says of itself.
    pub description: Description,
    /// SHA-256 of its module, in hexadecimal.
    pub digest: Arc<str>,
    /// How its instances begin.
    pub start: Start,
    /// The JSON Schema of its configuration, in its own words. `None` if it takes none.
    pub schema: Option<Arc<str>>,
    /// What it does about branches without a route.
    pub unrouted: Unrouted,
}

/// What a stage does about those of its branches that the pipeline file gives no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unrouted {
    /// It can ask which of them have one.
    Asked,
    /// It cannot: what it emits on another fails.
    #[default]
    Unasked,
}

/// What is known of a module with a configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Notes {
    pub(super) start: Start,
    /// What `describe` returned; `None` if it is to be called.
    pub(super) said: Option<Said>,
}

/// What a stage says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) description: Description,
    /// The schema of its configuration.
    pub(super) schema: Option<String>,
}

/// The form of snapshots and of these notes. Those of another form are not looked at.
const FORM: &str = "1";

/// The name of what depends on all that `init` can see without being noticed: the module, its configuration, which branches
/// have a route, and how much memory there is.
pub(super) fn name(module: &str, config: &str, surroundings: &Surroundings) -> Arc<str> {
    let mut digest = Sha256::new();
    let memory = surroundings.limits.memory.as_usize().to_string();
    for part in [FORM, env!("CARGO_PKG_VERSION"), config, &memory] {
        add(&mut digest, part);
    }
    for label in &surroundings.routed {
        add(&mut digest, label);
    }
    let short: String = digest.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{module}-{short}").into()
}

/// With its length, so that parts do not run into each other.
fn add(digest: &mut Sha256, part: &str) {
    digest.update((part.len() as u64).to_be_bytes());
    digest.update(part);
}
