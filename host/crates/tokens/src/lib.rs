//! Counts tokens as models do.
//!
//! The tables are those of OpenAI's tokenizers, from the crate `bpe-openai`: its algorithm takes linear time on every
//! text, also on a megabyte of one letter, and its results are those of tiktoken. A table takes some tens of megabytes
//! of memory and is made when it is first asked for.

use bpe_openai::{Tokenizer, cl100k_base, o200k_base};
use gristmill_core::ports::Tokens;

/// The encodings that are built in.
#[derive(Debug, Clone, Copy, Default)]
pub struct BuiltIn;

/// GPT-4o and later; GPT-4, GPT-3.5 and `text-embedding-3`.
const ENCODINGS: [&str; 2] = ["o200k_base", "cl100k_base"];

impl Tokens for BuiltIn {
    fn encodings(&self) -> &'static [&'static str] {
        &ENCODINGS
    }

    fn count(&self, encoding: &str, text: &str) -> Option<usize> {
        tokenizer(encoding).map(|tokenizer| tokenizer.count(text))
    }
}

fn tokenizer(encoding: &str) -> Option<&'static Tokenizer> {
    match encoding {
        "o200k_base" => Some(o200k_base()),
        "cl100k_base" => Some(cl100k_base()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_the_encoding() {
        // From OpenAI's documentation of tiktoken.
        assert_eq!(BuiltIn.count("cl100k_base", "tiktoken is great!"), Some(6));
        assert_eq!(BuiltIn.count("o200k_base", ""), Some(0));
        assert_eq!(BuiltIn.count("r50k_base", "a"), None);
    }

    #[test]
    fn each_encoding_that_is_named_exists_and_takes_special_tokens_for_text() {
        for encoding in BuiltIn.encodings() {
            assert!(BuiltIn.count(encoding, "<|endoftext|>").unwrap() > 1, "{encoding}");
        }
    }

    #[test]
    fn a_megabyte_of_one_letter_is_counted_in_linear_time() {
        let begun = std::time::Instant::now();
        assert!(BuiltIn.count("o200k_base", &"a".repeat(1 << 20)).unwrap() > 1_000);
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
    }
}
