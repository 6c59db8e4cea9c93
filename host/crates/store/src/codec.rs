//! The bytes in which things are kept: a version, a kind, then each field with its length before it.

use bytes::{Buf, Bytes};

use gristmill_core::model::{Attribute, ChatResponse, Failure, FinishReason, Header, Outcome, Output, Usage};
use gristmill_core::ports::Kept;

/// The first byte. A change of what follows needs another: what an older or newer host kept is then as if not kept.
const VERSION: u8 = 1;

/// About so many bytes a thing takes, known before it is encoded.
pub(super) fn weight(kept: &Kept) -> usize {
    let texts = match kept {
        Kept::Answer(answer) => answer.text.len(),
        Kept::Outcome(Outcome::Emit(outputs)) => outputs.iter().map(output_weight).sum(),
        Kept::Outcome(Outcome::Drop(_) | Outcome::Reject(_)) => 0,
    };
    texts + 1024
}

fn output_weight(output: &Output) -> usize {
    let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
    let headers: usize = output.headers.iter().map(|header| header.name.len() + length(&header.value)).sum();
    let attributes: usize = output.attributes.iter().map(|new| new.name.len() + new.value.len()).sum();
    output.payload.len() + length(&output.key) + headers + attributes
}

// Structs are taken apart in full below, so that a new field does not compile until it is decided upon.

/// The bytes of a thing.
pub(super) fn encode(kept: &Kept) -> Vec<u8> {
    let mut bytes = Encoding(Vec::with_capacity(weight(kept)));
    bytes.0.push(VERSION);
    match kept {
        Kept::Answer(answer) => {
            bytes.0.push(0);
            bytes.answer(answer);
        }
        Kept::Outcome(Outcome::Emit(outputs)) => {
            bytes.0.push(1);
            bytes.number(outputs.len() as u64);
            outputs.iter().for_each(|output| bytes.output(output));
        }
        Kept::Outcome(Outcome::Drop(code)) => {
            bytes.0.push(2);
            bytes.bytes(code.as_bytes());
        }
        Kept::Outcome(Outcome::Reject(Failure { code, message, details })) => {
            bytes.0.push(3);
            bytes.bytes(code.as_bytes());
            bytes.bytes(message.as_bytes());
            bytes.optional(details.as_deref().map(str::as_bytes));
        }
    }
    bytes.0
}

struct Encoding(Vec<u8>);

impl Encoding {
    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn optional(&mut self, bytes: Option<&[u8]>) {
        self.0.push(u8::from(bytes.is_some()));
        if let Some(bytes) = bytes {
            self.bytes(bytes);
        }
    }

    fn optional_number(&mut self, number: Option<u64>) {
        self.0.push(u8::from(number.is_some()));
        if let Some(number) = number {
            self.number(number);
        }
    }

    fn answer(&mut self, answer: &ChatResponse) {
        let ChatResponse { text, finish_reason, usage, model, provider_request_id, cached } = answer;
        self.bytes(text.as_bytes());
        match finish_reason {
            FinishReason::Stop => self.0.push(0),
            FinishReason::Length => self.0.push(1),
            FinishReason::Other(reason) => {
                self.0.push(2);
                self.bytes(reason.as_bytes());
            }
        }
        let Usage { input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, cost_nano_usd } = usage;
        for number in [input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, cost_nano_usd] {
            self.optional_number(*number);
        }
        self.bytes(model.as_bytes());
        self.optional(provider_request_id.as_deref().map(str::as_bytes));
        self.0.push(u8::from(*cached));
    }

    fn output(&mut self, output: &Output) {
        let Output { payload, content_type, key, headers, attributes, branch } = output;
        self.bytes(payload);
        self.optional(content_type.as_deref().map(str::as_bytes));
        self.optional(key.as_deref());
        self.number(headers.len() as u64);
        for Header { name, value } in headers {
            self.bytes(name.as_bytes());
            self.optional(value.as_deref());
        }
        self.number(attributes.len() as u64);
        for Attribute { name, value } in attributes {
            self.bytes(name.as_bytes());
            self.bytes(value.as_bytes());
        }
        self.optional(branch.as_deref().map(str::as_bytes));
    }
}

/// The thing in these bytes; `None` when they are of another version, or no such bytes at all.
pub(super) fn decode(bytes: Bytes) -> Option<Kept> {
    let mut bytes = Decoding(bytes);
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
        _ => return None,
    };
    bytes.0.is_empty().then_some(kept)
}

struct Decoding(Bytes);

impl Decoding {
    fn byte(&mut self) -> Option<u8> {
        self.0.try_get_u8().ok()
    }

    fn number(&mut self) -> Option<u64> {
        self.0.try_get_u64().ok()
    }

    /// A view of the same memory, no copy.
    fn bytes(&mut self) -> Option<Bytes> {
        let length = usize::try_from(self.number()?).ok()?;
        (length <= self.0.len()).then(|| self.0.split_to(length))
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.into()).ok()
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn optional<T>(&mut self, read: fn(&mut Self) -> Option<T>) -> Option<Option<T>> {
        Some(if self.flag()? { Some(read(self)?) } else { None })
    }

    fn list<T>(&mut self, read: fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.number()?;
        // Grows as elements are there: damaged bytes must not ask for the memory of a length that is not.
        let mut list = Vec::new();
        for _ in 0..length {
            list.push(read(self)?);
        }
        Some(list)
    }

    fn answer(&mut self) -> Option<ChatResponse> {
        Some(ChatResponse {
            text: self.text()?,
            finish_reason: match self.byte()? {
                0 => FinishReason::Stop,
                1 => FinishReason::Length,
                2 => FinishReason::Other(self.text()?),
                _ => return None,
            },
            usage: Usage {
                input_tokens: self.optional(Self::number)?,
                cached_input_tokens: self.optional(Self::number)?,
                output_tokens: self.optional(Self::number)?,
                reasoning_tokens: self.optional(Self::number)?,
                cost_nano_usd: self.optional(Self::number)?,
            },
            model: self.text()?,
            provider_request_id: self.optional(Self::text)?,
            cached: self.flag()?,
        })
    }

    fn output(&mut self) -> Option<Output> {
        Some(Output {
            payload: self.bytes()?,
            content_type: self.optional(Self::text)?,
            key: self.optional(Self::bytes)?,
            headers: self.list(|bytes| Some(Header { name: bytes.text()?, value: bytes.optional(Self::bytes)? }))?,
            attributes: self.list(|bytes| Some(Attribute { name: bytes.text()?, value: bytes.text()? }))?,
            branch: self.optional(Self::text)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::every_kind;
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
        assert_eq!(bytes, [1, 2, 0, 0, 0, 0, 0, 0, 0, 2, b'n', b'o'], "a change needs another version");
    }

    #[test]
    fn payloads_are_kept_as_bytes() {
        let payload = Bytes::from(vec![255; 10_000]);
        let output =
            Output { payload, content_type: None, key: None, headers: vec![], attributes: vec![], branch: None };
        assert!(encode(&Kept::Outcome(Outcome::Emit(vec![output]))).len() < 10_100);
    }
}
