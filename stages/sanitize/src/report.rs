//! Counts of what was found; the values themselves are never kept.

use gristmill_sdk::{Attribute, Output};

use crate::artifacts::Artifact;
use crate::kind::Kind;

/// Counts for one event.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    kinds: [u64; Kind::ALL.len()],
    artifacts: [u64; Artifact::ALL.len()],
}

impl Report {
    pub(crate) fn replaced(&mut self, kind: Kind) {
        self.kinds[kind as usize] += 1;
    }

    pub(crate) fn removed(&mut self, artifact: Artifact) {
        self.artifacts[artifact as usize] += 1;
    }

    /// Adds the counts that are not zero as attributes, and always the total of personal data.
    pub(crate) fn annotate(&self, mut output: Output) -> Output {
        for kind in Kind::ALL {
            let count = self.kinds[kind as usize];
            if count > 0 {
                output.attributes.push(attribute(["sanitize.", kind.name()].concat(), count));
            }
        }
        for artifact in Artifact::ALL {
            let count = self.artifacts[artifact as usize];
            if count > 0 {
                output.attributes.push(attribute(["sanitize.artifacts.", artifact.name()].concat(), count));
            }
        }
        output.attributes.push(attribute("sanitize.total".into(), self.kinds.iter().sum()));
        output
    }
}

fn attribute(name: String, count: u64) -> Attribute {
    Attribute { name, value: count.to_string() }
}
