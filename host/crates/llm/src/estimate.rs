//! How many tokens a request may have, before anybody has counted them. Pure, and on the safe side for most texts.

use gristmill_core::model::{ChatRequest, Content, Format};

/// Letters, digits and spaces of ASCII for each token: English has four, other languages and code have fewer.
const ASCII_PER_TOKEN: u64 = 3;
/// What each message has beside its text.
const PER_MESSAGE: u64 = 8;
/// What an image takes at least: providers count up to some 1,600 tokens for one.
const PER_MEDIA: u64 = 3_000;
/// Bytes of media for each token beyond that: a PDF of many pages.
const MEDIA_BYTES_PER_TOKEN: u64 = 16;
/// What a provider adds for a schema, or Gristmill for asking for JSON.
const FOR_FORMAT: u64 = 64;

/// The tokens of the input of a request.
pub(crate) fn input_tokens(request: &ChatRequest) -> u64 {
    let mut tokens = 0_u64;
    for message in &request.messages {
        tokens += PER_MESSAGE;
        for part in &message.content {
            tokens += match part {
                Content::Text(text) => of_text(text),
                Content::Media { data, .. } => (data.len() as u64 / MEDIA_BYTES_PER_TOKEN).max(PER_MEDIA),
            };
        }
    }
    tokens
        + match &request.format {
            Format::Text => 0,
            Format::Json => FOR_FORMAT,
            // It can be sent twice: as such and in the instructions.
            Format::Schema { description, schema, .. } => {
                FOR_FORMAT + of_text(schema) + description.as_deref().map_or(0, of_text)
            }
        }
}

/// The tokens of texts to make vectors of.
pub(crate) fn of_texts(texts: &[impl AsRef<str>]) -> u64 {
    texts.iter().map(|text| of_text(text.as_ref())).sum()
}

/// A character beyond ASCII is counted as one token: few are more, many are less.
fn of_text(text: &str) -> u64 {
    let ascii = text.bytes().filter(u8::is_ascii).count() as u64;
    let others = text.chars().filter(|character| !character.is_ascii()).count() as u64;
    ascii.div_ceil(ASCII_PER_TOKEN) + others
}

#[cfg(test)]
mod tests {
    use gristmill_core::model::{ChatMessage, Role};

    use super::*;
    use crate::fixtures::{request, schema};

    #[test]
    fn every_part_of_a_request_counts() {
        assert_eq!(input_tokens(&request("abcdef")), 10);
        assert_eq!(input_tokens(&request("abcdé")), 11);
        let formatted = ChatRequest { format: schema("{}"), ..request("abcdef") };
        assert_eq!(input_tokens(&formatted), 10 + 64 + 1);
        let media = |bytes: usize| Content::Media { media_type: "image/png".into(), data: vec![0; bytes].into() };
        let message = |bytes| ChatMessage { role: Role::User, content: vec![media(bytes)] };
        let with = ChatRequest { messages: vec![message(1), message(160_000)], ..request("") };
        assert_eq!(input_tokens(&with), 16 + 3_000 + 10_000);
    }
}
