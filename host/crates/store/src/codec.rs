//! The encoding of what is kept: a version, a kind, then each field prefixed with its length.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::decoding::Decoding;
use gristmill_core::model::{
    Attribute, Canonical, ChatResponse, Embedding, Failure, FinishReason, Header, HttpResponse, JobId, Outcome, Output,
    Size, Spent, Usage, Vector,
};
use gristmill_core::ports::Kept;

/// The first byte. Any change to the encoding needs a new version: a host ignores what another version kept.
const VERSION: u8 = 2;

/// The approximate size in bytes, known before encoding.
pub(super) fn weight(kept: &Kept) -> usize {
    let texts = match kept {
        Kept::Answer(answer) => answer.text.len(),
        Kept::Embedding(embedding) => embedding.vector.as_bytes().len(),
        Kept::Http(response) => response.body.len(),
        Kept::Outcome(Outcome::Emit(outputs)) => outputs.size(),
        Kept::Outcome(Outcome::Drop(_) | Outcome::Reject(_)) => 0,
    };
    texts + 1024
}

// Structs are destructured in full below, so that a new field does not compile until it is handled.

/// Encodes a value.
pub(super) fn encode(kept: &Kept) -> Vec<u8> {
    let mut to = Canonical::new(Vec::with_capacity(weight(kept)));
    to.kind(VERSION);
    match kept {
        Kept::Answer(response) => {
            to.kind(0);
            answer(&mut to, response);
        }
        Kept::Outcome(Outcome::Emit(outputs)) => {
            to.kind(1);
            to.list(outputs.iter(), output);
        }
        Kept::Outcome(Outcome::Drop(code)) => {
            to.kind(2);
            to.text(code);
        }
        Kept::Outcome(Outcome::Reject(Failure { code, message, details })) => {
            to.kind(3);
            to.text(code);
            to.text(message);
            to.optional(details.as_deref(), Canonical::text);
        }
        Kept::Embedding(Embedding { vector, usage: used, model }) => {
            to.kind(4);
            to.bytes(vector.as_bytes());
            usage(&mut to, used);
            to.text(model);
        }
        Kept::Http(HttpResponse { status, headers, body, cached }) => {
            to.kind(5);
            to.number(u64::from(*status));
            to.list(headers.iter(), |to, (name, value)| {
                to.text(name);
                to.text(value);
            });
            to.bytes(body);
            to.kind(u8::from(*cached));
        }
    }
    to.into_inner()
}

fn answer(to: &mut Canonical<Vec<u8>>, answer: &ChatResponse) {
    let ChatResponse { text, finish_reason, usage: used, model, provider_request_id, cached } = answer;
    to.text(text);
    match finish_reason {
        FinishReason::Stop => to.kind(0),
        FinishReason::Length => to.kind(1),
        FinishReason::Other(reason) => {
            to.kind(2);
            to.text(reason);
        }
    }
    usage(to, used);
    to.text(model);
    to.optional(provider_request_id.as_deref(), Canonical::text);
    to.kind(u8::from(*cached));
}

fn usage(to: &mut Canonical<Vec<u8>>, usage: &Usage) {
    let Usage {
        input_tokens,
        cache_read_input_tokens,
        cache_write_input_tokens,
        output_tokens,
        reasoning_tokens,
        cost_nano_usd,
    } = usage;
    for number in [
        input_tokens,
        cache_read_input_tokens,
        cache_write_input_tokens,
        output_tokens,
        reasoning_tokens,
        cost_nano_usd,
    ] {
        to.optional(*number, Canonical::number);
    }
}

fn output(to: &mut Canonical<Vec<u8>>, output: &Output) {
    let Output { payload, content_type, key, headers, attributes, branch } = output;
    to.bytes(payload);
    to.optional(content_type.as_deref(), Canonical::text);
    to.optional(key.as_deref(), Canonical::bytes);
    to.list(headers.iter(), |to, header| header.encode(to));
    to.list(attributes.iter(), |to, attribute| attribute.encode(to));
    to.optional(branch.as_deref(), Canonical::text);
}

/// Decodes a value; `None` if the bytes are of another version or malformed.
pub(super) fn decode(bytes: Bytes) -> Option<Kept> {
    let mut bytes = Decoding::of(bytes);
    if bytes.byte()? != VERSION {
        return None;
    }
    let kept = match bytes.byte()? {
        0 => Kept::Answer(bytes.answer()?),
        1 => Kept::Outcome(Outcome::Emit(bytes.list(Decoding::output)?)),
        2 => Kept::Outcome(Outcome::Drop(bytes.text()?)),
        3 => Kept::Outcome(Outcome::Reject(Failure {
            code: bytes.text()?,
            message: bytes.text()?,
            details: bytes.optional(Decoding::text)?,
        })),
        4 => Kept::Embedding(bytes.embedding()?),
        5 => Kept::Http(bytes.http()?),
        _ => return None,
    };
    bytes.is_done().then_some(kept)
}

/// The answer, unless it is something else or of another version.
pub(super) fn decode_answer(bytes: Bytes) -> Option<ChatResponse> {
    match decode(bytes) {
        Some(Kept::Answer(answer)) => Some(answer),
        _ => None,
    }
}

/// What the answers took that are among these values. What another version kept counts as nothing: it is paid for again.
pub(super) fn spent_on(values: impl Iterator<Item = Bytes>) -> Spent {
    let answers = values.filter_map(decode_answer);
    answers.fold(Spent::default(), |sum, answer| sum.plus(Spent::of(&answer.usage)))
}

/// Reads what is kept of jobs. Reports once that something is of another version.
#[derive(Debug, Default)]
pub(super) struct KeptReader {
    has_warned: AtomicBool,
}

impl KeptReader {
    /// The value; `None` if it cannot be read.
    pub(super) fn read(&self, job: &JobId, value: Vec<u8>) -> Option<Kept> {
        let kept = decode(Bytes::from(value));
        if kept.is_none() && !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(%job, "what another version kept cannot be read; the work is done and paid for again");
        }
        kept
    }
}

/// What is kept, part by part.
impl Decoding {
    fn answer(&mut self) -> Option<ChatResponse> {
        Some(ChatResponse {
            text: self.text()?,
            finish_reason: match self.byte()? {
                0 => FinishReason::Stop,
                1 => FinishReason::Length,
                2 => FinishReason::Other(self.text()?),
                _ => return None,
            },
            usage: self.usage()?,
            model: self.text()?,
            provider_request_id: self.optional(Self::text)?,
            cached: self.flag()?,
        })
    }

    fn usage(&mut self) -> Option<Usage> {
        Some(Usage {
            input_tokens: self.optional(Self::number)?,
            cache_read_input_tokens: self.optional(Self::number)?,
            cache_write_input_tokens: self.optional(Self::number)?,
            output_tokens: self.optional(Self::number)?,
            reasoning_tokens: self.optional(Self::number)?,
            cost_nano_usd: self.optional(Self::number)?,
        })
    }

    fn embedding(&mut self) -> Option<Embedding> {
        let vector = Vector::from_bytes(self.bytes()?).ok()?;
        Some(Embedding { vector, usage: self.usage()?, model: self.text()? })
    }

    fn http(&mut self) -> Option<HttpResponse> {
        Some(HttpResponse {
            status: u16::try_from(self.number()?).ok()?,
            headers: self.list(|bytes| Some((bytes.text()?, bytes.text()?)))?,
            body: self.bytes()?,
            cached: self.flag()?,
        })
    }

    fn output(&mut self) -> Option<Output> {
        Some(Output {
            payload: self.bytes()?,
            content_type: self.optional(Self::text)?,
            key: self.optional(Self::bytes)?,
            headers: self
                .list(|bytes| Some(Header { name: bytes.text()?.into(), value: bytes.optional(Self::bytes)? }))?,
            attributes: self.list(|bytes| Some(Attribute { name: bytes.text()?, value: bytes.text()? }))?,
            branch: self.optional(Self::text)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::every_kind;
    use super::*;

    #[test]
    fn every_kind_comes_back_as_it_was() {
        for kept in every_kind() {
            assert_eq!(decode(encode(&kept).into()), Some(kept));
        }
    }

    #[test]
    fn bytes_that_are_cut_or_longer_or_of_another_version_are_nothing() {
        for kept in every_kind() {
            let bytes = encode(&kept);
            for length in 0..bytes.len() {
                assert_eq!(decode(Bytes::copy_from_slice(&bytes[..length])), None, "{length} bytes of {kept:?}");
            }
            let longer = [&bytes[..], &[0]].concat();
            assert_eq!(decode(longer.into()), None);
            let newer = [&[VERSION + 1], &bytes[1..]].concat();
            assert_eq!(decode(newer.into()), None);
        }
    }

    #[test]
    fn the_encoding_stays() {
        let bytes = encode(&Kept::Outcome(Outcome::Drop("no".into())));
        assert_eq!(bytes, [2, 2, 0, 0, 0, 0, 0, 0, 0, 2, b'n', b'o'], "a change needs another version");
    }

    #[test]
    fn payloads_are_kept_as_bytes() {
        let payload = Bytes::from(vec![255; 10_000]);
        let output =
            Output { payload, content_type: None, key: None, headers: vec![], attributes: vec![], branch: None };
        assert!(encode(&Kept::Outcome(Outcome::Emit(vec![output]))).len() < 10_100);
    }
}
