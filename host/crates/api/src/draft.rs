//! What a request asks for: jobs, and what makes a repeated request the same.

use bytes::Bytes;
use gristmill_core::model::{Attribute, BatchId, IdempotencyKey, JobId, Owner, Timestamp};
use sha2::{Digest, Sha256};

use super::intake::Payload;

/// The most jobs of a request.
pub(crate) const MOST_JOBS: usize = 1_000;

/// A job that is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// Its id, if it is a new one.
    pub(crate) job: JobId,
    /// The key of its event.
    pub(crate) key: Option<Bytes>,
    pub(crate) content_type: Option<String>,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) payload: Payload,
}

/// What is asked of all jobs of a request.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) owner: Option<Owner>,
    pub(crate) batch: Option<BatchId>,
    pub(crate) key: Option<IdempotencyKey>,
    pub(crate) webhook: Option<String>,
    pub(crate) ack: Ack,
    pub(crate) at: Timestamp,
}

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum Ack {
    /// The broker's acknowledgement.
    Broker,
    /// Its record only: if the host dies before the broker has the event, the job stays accepted.
    #[schema(rename = "none")]
    Nothing,
}

/// The id of a job that is submitted now.
pub(crate) fn new_job(now: Timestamp) -> JobId {
    let mut random = [0; 10];
    fastrand::fill(&mut random);
    JobId::submitted(u64::try_from(now.0).unwrap_or(0), &random)
}

/// The id of a batch that is submitted now.
pub(crate) fn new_batch(now: Timestamp) -> BatchId {
    BatchId(new_job(now).to_string())
}

/// The key of one job of a request. That of the first is the client's; the others have keys that only the same request has.
pub(crate) fn key_of(key: &IdempotencyKey, index: usize, request: &[u8; 32]) -> IdempotencyKey {
    if index == 0 {
        return key.clone();
    }
    let digest = Sha256::new().chain_update(request).chain_update(key.0.as_bytes()).finalize();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    IdempotencyKey(format!("batch {index} {hex}"))
}

/// SHA-256 of what makes a request the same. Each part is preceded by its length, so that none can pass for two.
pub(crate) fn request_digest(drafts: &[Draft], order: &Order) -> [u8; 32] {
    let mut digest = Sha256::new();
    let mut add = |part: &[u8]| {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    };
    add(order.webhook.as_deref().unwrap_or_default().as_bytes());
    for Draft { job: _, key, content_type, attributes, payload } in drafts {
        add(&[u8::from(key.is_some())]);
        add(key.as_deref().unwrap_or_default());
        add(content_type.as_deref().unwrap_or_default().as_bytes());
        add(&(attributes.len() as u64).to_be_bytes());
        for Attribute { name, value } in attributes {
            add(name.as_bytes());
            add(value.as_bytes());
        }
        add(&payload.sha256());
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(body: &str) -> Draft {
        let payload = Payload::Inline(body.to_owned().into());
        Draft { job: new_job(Timestamp(1)), key: None, content_type: None, attributes: Vec::new(), payload }
    }

    fn order() -> Order {
        Order { owner: None, batch: None, key: None, webhook: None, ack: Ack::Broker, at: Timestamp(1) }
    }

    #[test]
    fn a_request_is_the_same_if_all_that_matters_is() {
        let one = request_digest(&[draft("a")], &order());
        assert_eq!(one, request_digest(&[draft("a")], &Order { at: Timestamp(2), ack: Ack::Nothing, ..order() }));
        let attribute = |name: &str, value: &str| Attribute { name: name.into(), value: value.into() };
        let others = [
            request_digest(&[draft("b")], &order()),
            request_digest(&[draft("a"), draft("a")], &order()),
            request_digest(&[draft("a")], &Order { webhook: Some("https://w".into()), ..order() }),
            request_digest(&[Draft { key: Some(Bytes::new()), ..draft("a") }], &order()),
            request_digest(&[Draft { content_type: Some("a/b".into()), ..draft("a") }], &order()),
            request_digest(&[Draft { attributes: vec![attribute("ab", "c")], ..draft("a") }], &order()),
            request_digest(&[Draft { attributes: vec![attribute("a", "bc")], ..draft("a") }], &order()),
        ];
        let mut all: std::collections::BTreeSet<_> = others.into();
        all.insert(one);
        assert_eq!(all.len(), 8);
    }

    #[test]
    fn the_jobs_of_a_batch_have_keys_of_their_own() {
        let key = IdempotencyKey("k".into());
        assert_eq!(key_of(&key, 0, &[0; 32]), key);
        assert_ne!(key_of(&key, 1, &[0; 32]), key_of(&key, 2, &[0; 32]));
        assert_ne!(key_of(&key, 1, &[0; 32]), key_of(&key, 1, &[1; 32]));
    }
}
