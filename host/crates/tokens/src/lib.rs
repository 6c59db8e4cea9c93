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
        Some(tokenizer(encoding)?.count(text))
    }

    fn ends(&self, encoding: &str, text: &str) -> Option<Vec<usize>> {
        let tokenizer = tokenizer(encoding)?;
        let mut end = 0;
        let after = |token| {
            end += tokenizer.bpe.token_len(token);
            end
        };
        Some(tokenizer.encode(text).into_iter().map(after).collect())
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
        // Of OpenAI's documentation of tiktoken: "tiktoken is great!" is six tokens in cl100k_base.
        assert_eq!(BuiltIn.count("cl100k_base", "tiktoken is great!"), Some(6));
        assert_eq!(BuiltIn.count("o200k_base", ""), Some(0));
        assert_eq!(BuiltIn.count("r50k_base", "a"), None);
        for encoding in BuiltIn.encodings() {
            assert!(BuiltIn.count(encoding, "a").is_some(), "{encoding}");
        }
    }

    #[test]
    fn a_special_token_is_text() {
        assert!(BuiltIn.count("cl100k_base", "<|endoftext|>").unwrap() > 1);
    }

    #[test]
    fn ends_are_in_order_and_the_last_is_that_of_the_text() {
        for text in ["Mehl und Korn, 12345 kg\n\n  aufgeschüttet 👩‍🚀", "日本語のテキスト", "   \n\t ", "x"]
        {
            let ends = BuiltIn.ends("o200k_base", text).unwrap();
            assert!(ends.is_sorted(), "{ends:?}");
            assert_eq!(ends.last(), Some(&text.len()), "{text:?}");
            assert_eq!(BuiltIn.count("o200k_base", text), Some(ends.len()));
        }
    }
}
