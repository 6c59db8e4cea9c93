//! How many texts go into one request: by their number, and by their tokens. Pure.

use std::ops::Range;

use crate::settings::EmbeddingSettings;

/// How much a target takes when it makes vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Texts in one request; at least one.
    pub(crate) inputs: usize,
    /// Tokens in one request.
    pub(crate) tokens: u64,
    /// Tokens of one text, if the provider would cut a longer one.
    pub(crate) input_tokens: Option<u64>,
}

impl Bounds {
    /// These of a provider, as far as the operator did not set others.
    pub(crate) fn set(self, settings: EmbeddingSettings) -> Self {
        let EmbeddingSettings { inputs, tokens, input_tokens } = settings;
        Self {
            inputs: inputs.and_then(|inputs| usize::try_from(inputs).ok()).unwrap_or(self.inputs).max(1),
            tokens: tokens.map_or(self.tokens, u64::from),
            input_tokens: input_tokens.map(u64::from).or(self.input_tokens),
        }
    }

    /// What fits both.
    pub(crate) fn and(self, other: Self) -> Self {
        let input_tokens = match (self.input_tokens, other.input_tokens) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Self { inputs: self.inputs.min(other.inputs), tokens: self.tokens.min(other.tokens), input_tokens }
    }
}

/// About how many tokens a text has: one for each three bytes, which is more than nearly every text has. The host has no
/// tokenizers of embedding models.
pub(crate) fn tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(3)
}

/// Cuts texts of these tokens into requests, in their order. A text above the bound is alone in its request.
pub(super) fn plan(sizes: &[u64], bounds: Bounds) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut start, mut tokens) = (0, 0_u64);
    for (index, size) in sizes.iter().enumerate() {
        let is_full = index - start >= bounds.inputs || tokens.saturating_add(*size) > bounds.tokens;
        if is_full && index > start {
            parts.push(start..index);
            (start, tokens) = (index, 0);
        }
        tokens = tokens.saturating_add(*size);
    }
    if start < sizes.len() {
        parts.push(start..sizes.len());
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bounds(inputs: usize, tokens: u64) -> Bounds {
        Bounds { inputs, tokens, input_tokens: None }
    }

    #[test]
    fn a_request_ends_at_its_texts_or_its_tokens() {
        for (sizes, expected) in [
            (&[][..], &[][..]),
            (&[1, 1, 1], &[(0, 3)]),
            (&[1, 1, 1, 1], &[(0, 3), (3, 4)]),
            (&[5, 5, 1], &[(0, 2), (2, 3)]),
            (&[11, 1], &[(0, 1), (1, 2)]),
            (&[1, 11, u64::MAX, 1], &[(0, 1), (1, 2), (2, 3), (3, 4)]),
        ] {
            let parts: Vec<(usize, usize)> =
                plan(sizes, bounds(3, 10)).into_iter().map(|part| (part.start, part.end)).collect();
            assert_eq!(parts, expected, "{sizes:?}");
        }
    }

    proptest! {
        #[test]
        fn every_text_is_in_one_request_and_each_request_within_the_bounds(
            sizes in proptest::collection::vec(0_u64..100, 0..200), inputs in 1_usize..20, tokens in 1_u64..200,
        ) {
            let parts = plan(&sizes, bounds(inputs, tokens));
            let all: Vec<usize> = parts.iter().cloned().flatten().collect();
            prop_assert_eq!(all, (0..sizes.len()).collect::<Vec<_>>());
            for part in parts {
                let of_part: u64 = sizes[part.clone()].iter().sum();
                prop_assert!(part.len() == 1 || part.len() <= inputs && of_part <= tokens);
            }
        }
    }

    #[test]
    fn the_operator_sets_bounds_and_of_two_targets_the_narrower_counts() {
        let provider = Bounds { inputs: 100, tokens: 20_000, input_tokens: Some(2_048) };
        let none = EmbeddingSettings::default();
        assert_eq!(provider.set(none), provider);
        let ten = EmbeddingSettings { inputs: Some(10), input_tokens: Some(8_192), ..none };
        assert_eq!(provider.set(ten), Bounds { inputs: 10, tokens: 20_000, input_tokens: Some(8_192) });
        assert_eq!(bounds(20, 5).and(provider), Bounds { inputs: 20, tokens: 5, input_tokens: Some(2_048) });
    }

    #[test]
    fn tokens_are_estimated_from_above() {
        assert_eq!((tokens(""), tokens("four"), tokens("日本語")), (0, 2, 3));
    }
}
