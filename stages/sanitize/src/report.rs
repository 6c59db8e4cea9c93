//! What was replaced and removed, as attributes of the output.

use std::ops::Range;

use gristmill_sdk::{Attribute, Output};
use serde_json::json;

use crate::artifacts::Artifact;
use crate::kind::Kind;
use crate::recognise::Quotes;

/// The most places that are reported.
const MOST_PLACES: usize = 200;

/// Counts, and for `mode = "report"` the places. No value is ever kept.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// What a model found in the item.
    pub(crate) quotes: Option<Quotes>,
    counts: Vec<(String, u64)>,
    artifacts: [u64; Artifact::ALL.len()],
    places: Vec<Place>,
    /// Where the text in hand is from, if not from the payload as a whole.
    at: Option<String>,
}

#[derive(Debug)]
struct Place {
    name: String,
    at: Option<String>,
    range: Range<usize>,
}

impl Report {
    /// What is reported next is from here: a JSON Pointer, or the name of a header.
    pub(crate) fn at(&mut self, at: Option<String>) {
        self.at = at;
    }

    pub(crate) fn replaced(&mut self, name: &str) {
        match self.counts.iter_mut().find(|(counted, _)| counted == name) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((name.to_owned(), 1)),
        }
    }

    /// Remembers where it is.
    pub(crate) fn found(&mut self, name: &str, range: Range<usize>) {
        if self.places.len() < MOST_PLACES {
            self.places.push(Place { name: name.to_owned(), at: self.at.clone(), range });
        }
    }

    pub(crate) fn removed(&mut self, artifact: Artifact) {
        self.artifacts[artifact as usize] += 1;
    }

    /// Adds the counts that are not zero as attributes, and always the total of personal data.
    pub(crate) fn annotate(&self, mut output: Output) -> Output {
        let built_in = |name: &str| Kind::ALL.iter().position(|kind| kind.name() == name).unwrap_or(Kind::ALL.len());
        let mut counts: Vec<&(String, u64)> = self.counts.iter().collect();
        counts.sort_by_key(|(name, _)| (built_in(name), name.clone()));
        for (name, count) in counts {
            output.attributes.push(attribute(["sanitize.", name].concat(), *count));
        }
        for artifact in Artifact::ALL {
            let count = self.artifacts[artifact as usize];
            if count > 0 {
                output.attributes.push(attribute(["sanitize.artifacts.", artifact.name()].concat(), count));
            }
        }
        output.attributes.push(attribute("sanitize.total".into(), self.counts.iter().map(|(_, count)| count).sum()));
        output
    }

    /// Adds the places as JSON: kind, first byte and the byte after the last, and in what part of the event.
    pub(crate) fn annotate_places(&self, mut output: Output) -> Output {
        let places: Vec<_> = self
            .places
            .iter()
            .map(|place| match &place.at {
                None => json!({ "kind": place.name, "start": place.range.start, "end": place.range.end }),
                Some(at) => json!({ "kind": place.name, "at": at, "start": place.range.start, "end": place.range.end }),
            })
            .collect();
        output.attributes.push(Attribute { name: "sanitize.findings".into(), value: json!(places).to_string() });
        output
    }
}

fn attribute(name: String, count: u64) -> Attribute {
    Attribute { name, value: count.to_string() }
}
