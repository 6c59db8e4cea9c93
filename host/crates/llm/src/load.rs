//! What a call takes of a provider's limits: expected before it, known after it. Pure.

use gristmill_core::model::{ChatRequest, Content, Format, Spent, Usage};

/// Tokens for each byte of a request before the first answer has told better: between English and code.
const TOKENS_PER_BYTE: f64 = 0.3;
/// What an image or another medium counts, in bytes of text: about a thousand tokens.
const BYTES_OF_MEDIA: usize = 3_300;
/// Tokens of an answer before the first one has told better, if the request sets no bound.
const FIRST_OUTPUT: f64 = 1_000.0;
/// How much the latest call counts in what is expected.
const NEWEST: f64 = 0.1;

/// One or several calls, as limits count them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Load {
    pub(crate) requests: f64,
    /// Tokens of the request, cached or not.
    pub(crate) input: f64,
    /// The part of the input that the provider has read from a cache.
    pub(crate) cached: f64,
    /// Tokens of the answer.
    pub(crate) output: f64,
}

impl Load {
    /// What a call took that was expected to take this.
    pub(crate) fn settled(self, usage: &Usage) -> Self {
        let known = |count: Option<u64>, expected| count.map_or(expected, |count| count as f64);
        Self {
            requests: self.requests,
            input: known(usage.input_tokens, self.input),
            cached: known(usage.cache_read_input_tokens, 0.0),
            output: known(usage.output_tokens, self.output),
        }
    }

    /// What these calls took.
    pub(crate) fn of(spent: Spent) -> Self {
        Self {
            requests: spent.calls as f64,
            input: spent.input_tokens as f64,
            cached: spent.cache_read_input_tokens as f64,
            output: spent.output_tokens as f64,
        }
    }

    /// The same for a call that took no tokens.
    pub(crate) fn without_tokens(self) -> Self {
        Self { requests: self.requests, ..Self::default() }
    }
}

/// How large a request is, in bytes of text.
pub(crate) fn size(request: &ChatRequest) -> usize {
    let content = request.messages.iter().flat_map(|message| &message.content);
    let messages: usize = content.map(bytes).sum();
    let format = match &request.format {
        Format::Schema { schema, .. } => schema.len(),
        Format::Text | Format::Json => 0,
    };
    messages.saturating_add(format)
}

fn bytes(content: &Content) -> usize {
    match content {
        Content::Text(text) => text.len(),
        Content::Media { .. } => BYTES_OF_MEDIA,
    }
}

/// What calls of an endpoint take, learned from those before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    tokens_per_byte: f64,
    output: Option<f64>,
}

impl Default for Expected {
    fn default() -> Self {
        Self { tokens_per_byte: TOKENS_PER_BYTE, output: None }
    }
}

impl Expected {
    /// What a request of this size takes whose answer has at most so many tokens.
    pub(crate) fn load(&self, size: usize, most_output: Option<u32>) -> Load {
        let most = most_output.map(f64::from);
        let output = self.output.or(most).unwrap_or(FIRST_OUTPUT);
        let output = output.min(most.unwrap_or(f64::INFINITY));
        Load { requests: 1.0, input: size as f64 * self.tokens_per_byte, cached: 0.0, output }
    }

    /// Learns from a call of this size.
    pub(crate) fn learn(&mut self, size: usize, usage: &Usage) {
        if let Some(input) = usage.input_tokens.filter(|_| size > 0) {
            self.tokens_per_byte += NEWEST * (input as f64 / size as f64 - self.tokens_per_byte);
        }
        if let Some(output) = usage.output_tokens.map(|output| output as f64) {
            self.output = Some(self.output.map_or(output, |before| before + NEWEST * (output - before)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{request, schema};

    #[test]
    fn what_is_expected_follows_what_was_taken() {
        let mut expected = Expected::default();
        let first = expected.load(1_000, Some(4_000));
        assert_eq!((first.requests, first.input, first.output), (1.0, 300.0, 4_000.0), "the bound, so far");
        assert_eq!(expected.load(1_000, None).output, FIRST_OUTPUT);
        let usage = Usage { input_tokens: Some(500), output_tokens: Some(100), ..Usage::default() };
        for _ in 0..100 {
            expected.learn(1_000, &usage);
        }
        let later = expected.load(1_000, Some(4_000));
        assert!((later.input - 500.0).abs() < 1.0 && later.output == 100.0, "{later:?}");
        assert_eq!(expected.load(1_000, Some(10)).output, 10.0, "never above the bound");
    }

    #[test]
    fn what_a_provider_does_not_tell_is_what_was_expected() {
        let expected = Load { requests: 1.0, input: 300.0, cached: 0.0, output: 50.0 };
        assert_eq!(expected.settled(&Usage::default()), expected);
        let usage = Usage { input_tokens: Some(400), cache_read_input_tokens: Some(100), ..Usage::default() };
        assert_eq!(expected.settled(&usage), Load { input: 400.0, cached: 100.0, ..expected });
    }

    #[test]
    fn the_schema_of_the_answer_counts() {
        let with = ChatRequest { format: schema("{\"type\": \"object\"}"), ..request("hello") };
        assert_eq!((size(&request("hello")), size(&with)), (5, 23));
    }
}
