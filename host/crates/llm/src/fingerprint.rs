//! What makes two requests equal.

use sha2::{Digest, Sha256};

use gristmill_core::model::{ChatMessage, ChatRequest, Content, Format, Role};

/// A SHA-256 over everything that shapes the answer. Not over `timeout`, which differs from attempt to attempt by the
/// time that is left, nor `cache`, nor `idempotency_key`, which is a name of its own.
///
/// Do not change the encoding: durable journals will know answers by it.
pub(super) fn fingerprint(request: &ChatRequest) -> [u8; 32] {
    // Taken apart in full, so that a new field does not compile until it is decided upon.
    let ChatRequest {
        model,
        messages,
        format,
        temperature,
        top_p,
        max_output_tokens,
        stop,
        seed,
        idempotency_key: _,
        timeout: _,
        cache: _,
        options,
    } = request;
    let mut hash = Encoding(Sha256::new());
    hash.text("gristmill chat 1");
    hash.optional(model.as_deref().map(str::as_bytes));
    hash.number(messages.len() as u64);
    for message in messages {
        hash.message(message);
    }
    hash.format(format);
    hash.optional(temperature.map(|number| number.to_bits().to_be_bytes()).as_ref().map(<[u8; 8]>::as_slice));
    hash.optional(top_p.map(|number| number.to_bits().to_be_bytes()).as_ref().map(<[u8; 8]>::as_slice));
    hash.optional(max_output_tokens.map(u32::to_be_bytes).as_ref().map(<[u8; 4]>::as_slice));
    hash.number(stop.len() as u64);
    for text in stop {
        hash.text(text);
    }
    hash.optional(seed.map(u64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
    hash.number(options.len() as u64);
    for (name, value) in options {
        hash.text(name);
        hash.text(value);
    }
    hash.0.finalize().into()
}

/// Every value goes in with its length or kind before it, so that no two requests give the same bytes.
struct Encoding(Sha256);

impl Encoding {
    fn number(&mut self, number: u64) {
        self.0.update(number.to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn optional(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.number(0),
            Some(bytes) => {
                self.number(1);
                self.bytes(bytes);
            }
        }
    }

    fn message(&mut self, message: &ChatMessage) {
        self.number(match message.role {
            Role::System => 0,
            Role::User => 1,
            Role::Assistant => 2,
        });
        self.number(message.content.len() as u64);
        for part in &message.content {
            match part {
                Content::Text(text) => {
                    self.number(0);
                    self.text(text);
                }
                Content::Media { media_type, data } => {
                    self.number(1);
                    self.text(media_type);
                    self.bytes(data);
                }
            }
        }
    }

    fn format(&mut self, format: &Format) {
        match format {
            Format::Text => self.number(0),
            Format::Json => self.number(1),
            Format::Schema { name, description, schema } => {
                self.number(2);
                self.text(name);
                self.optional(description.as_deref().map(str::as_bytes));
                self.text(schema);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fixtures::{message, request, schema};
    use super::*;
    use gristmill_core::model::CacheUse;

    fn base() -> ChatRequest {
        request("hello")
    }

    #[test]
    fn whatever_shapes_the_answer_tells_requests_apart() {
        let variants = [
            base(),
            request("hello!"),
            ChatRequest { model: Some("smart".into()), ..base() },
            ChatRequest { messages: vec![message(Role::System, "hello")], ..base() },
            ChatRequest { messages: vec![message(Role::User, "hel"), message(Role::User, "lo")], ..base() },
            ChatRequest { format: Format::Json, ..base() },
            ChatRequest { format: schema("{}"), ..base() },
            ChatRequest { format: schema("true"), ..base() },
            ChatRequest { temperature: Some(0.0), ..base() },
            ChatRequest { top_p: Some(0.0), ..base() },
            ChatRequest { max_output_tokens: Some(0), ..base() },
            ChatRequest { stop: vec!["a".into(), "b".into()], ..base() },
            ChatRequest { stop: vec!["ab".into()], ..base() },
            ChatRequest { seed: Some(0), ..base() },
            ChatRequest { options: vec![("a".into(), "1".into())], ..base() },
        ];
        for (index, one) in variants.iter().enumerate() {
            for other in &variants[..index] {
                assert_ne!(fingerprint(one), fingerprint(other), "{one:?} and {other:?}");
            }
        }
    }

    #[test]
    fn what_differs_between_attempts_does_not() {
        let later = ChatRequest {
            timeout: Some(Duration::from_secs(1)),
            cache: CacheUse::Refresh,
            idempotency_key: Some("k".into()),
            ..base()
        };
        assert_eq!(fingerprint(&base()), fingerprint(&later));
    }

    #[test]
    fn the_encoding_stays() {
        let hex: String = fingerprint(&base()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "d4aaf7b16a9823094a4052c9089db029fb032d52c4311a0cf6ed1bf88f5358b5");
    }
}
