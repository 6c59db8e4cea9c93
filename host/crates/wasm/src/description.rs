//! What a stage says about itself, cleaned: it is shown to operators, who must be able to trust what they see.

use gristmill_core::model::{Failure, text};
use gristmill_core::settings::is_name;
use serde::{Deserialize, Serialize};

use super::bindings::exports::gristmill::stage::lifecycle::Descriptor;
use super::error::Reason;

/// The longest name and version, in bytes.
const LONGEST_NAME: usize = 64;
/// The longest description, in bytes.
const LONGEST_DESCRIPTION: usize = 256;
/// Maximum media types.
const MOST_TYPES: usize = 100;
/// The longest media type, in bytes.
const LONGEST_TYPE: usize = 255;
/// Maximum branches; the stage that routes by language has one for each.
const MOST_BRANCHES: usize = 1_000;

/// What a stage says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Its own name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// One line for people.
    pub description: String,
    /// Media types it accepts; empty means any.
    pub accepts: Vec<String>,
    /// Branches its outputs may name.
    pub branches: Vec<String>,
    /// How many items it takes in one call; 1 if it takes no batches.
    pub max_batch: usize,
}

impl Default for Description {
    /// That of a stage which was not asked yet.
    fn default() -> Self {
        Self {
            name: String::new(),
            version: String::new(),
            description: String::new(),
            accepts: Vec::new(),
            branches: Vec::new(),
            max_batch: 1,
        }
    }
}

impl Description {
    /// One line each, and not too many.
    pub(super) fn of(said: &Descriptor, takes_batches: bool) -> Result<Self, Reason> {
        if said.accepts.len() > MOST_TYPES {
            return Err(Reason::TooMany { what: "media types", most: MOST_TYPES });
        }
        if said.branches.len() > MOST_BRANCHES {
            return Err(Reason::TooMany { what: "branches", most: MOST_BRANCHES });
        }
        if let Some(branch) = said.branches.iter().find(|branch| !is_name(&branch.label)) {
            return Err(Reason::Branch(text::line(&branch.label, LONGEST_NAME)));
        }
        Ok(Self {
            name: text::line(&said.name, LONGEST_NAME),
            version: text::line(&said.version, LONGEST_NAME),
            description: text::line(&said.description, LONGEST_DESCRIPTION),
            accepts: said
                .accepts
                .iter()
                .map(|media_type| text::line(media_type, LONGEST_TYPE).to_ascii_lowercase())
                .collect(),
            branches: said.branches.iter().map(|branch| branch.label.clone()).collect(),
            max_batch: match said.max_batch {
                Some(most) if takes_batches => usize::try_from(most.max(1)).unwrap_or(usize::MAX),
                _ => 1,
            },
        })
    }

    /// Why an item of this media type is rejected. One without a type is let through: the stage may look at the content.
    pub(super) fn refuses(&self, content_type: Option<&str>) -> Option<Failure> {
        let full = content_type.filter(|_| !self.accepts.is_empty())?;
        let bare = full.split(';').next().unwrap_or(full).trim().to_ascii_lowercase();
        let taken = self.accepts.iter().any(|accepted| match accepted.strip_suffix('*') {
            Some(start) => bare.starts_with(start),
            None => *accepted == bare,
        });
        (!taken).then(|| {
            let accepts = text::line(&self.accepts.join(", "), 1_000);
            let message = format!("the stage accepts {accepts}, not {:?}", text::line(&bare, 255));
            Failure::new("unsupported-media-type", message)
        })
    }
}
