//! The mended item, with attributes that say what was done to it.

use gristmill_sdk::llm::Response;
use gristmill_sdk::{Item, Output};
use sha2::{Digest, Sha256};

use crate::mended::Mended;

/// What was mended.
#[derive(Debug, Default)]
pub(crate) struct Report {
    kinds: Vec<&'static str>,
    places: Vec<String>,
    responses: Vec<Response>,
}

impl Report {
    /// Notes a kind of damage that was mended, and returns the mended text.
    pub(crate) fn with(&mut self, kind: &'static str, mended: Mended) -> String {
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
        self.places.extend(mended.places);
        self.responses.extend(mended.response);
        mended.text
    }

    /// Whether nothing was mended.
    pub(crate) fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The item with the mended text.
    pub(crate) fn output(&self, item: &Item, code: &str, text: &str) -> Output {
        let mut output = Output::from(item)
            .payload(text)
            .attribute("rescue.mended", self.kinds.join(","))
            .attribute("rescue.failure", code)
            .attribute("rescue.before-sha256", digest(&item.payload))
            .attribute("rescue.after-sha256", digest(text.as_bytes()));
        // What is text now is UTF-8, whatever it was sent as.
        if item.text().is_none()
            && let Some(media_type) = item.media_type()
        {
            output = output.content_type(&format!("{media_type}; charset=utf-8"));
        }
        if !self.places.is_empty() {
            output = output.attribute("rescue.places", self.places.join(" "));
        }
        if let Some(last) = self.responses.last() {
            output = output
                .attribute("rescue.model", &last.model)
                .attribute("rescue.cached", self.responses.iter().all(|response| response.cached));
        }
        let tokens = |count: fn(&Response) -> Option<u64>| self.responses.iter().map(count).sum::<Option<u64>>();
        for (name, count) in [
            ("rescue.input-tokens", tokens(|response| response.usage.input_tokens)),
            ("rescue.output-tokens", tokens(|response| response.usage.output_tokens)),
        ] {
            if let Some(count) = count.filter(|_| !self.responses.is_empty()) {
                output = output.attribute(name, count);
            }
        }
        output
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
