//! What an entry says, whoever has written it.

use std::borrow::Cow;

use bytes::Bytes;
use gristmill_core::flow::names;
use gristmill_core::model::{Failure, Header, TRACEPARENT, Timestamp};

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) key: Option<Bytes>,
    pub(super) payload: Option<Bytes>,
    pub(super) headers: Vec<Header>,
    pub(super) timestamp: Timestamp,
    pub(super) fault: Option<Failure>,
}

impl Content {
    /// Nothing yet.
    pub(super) fn at(timestamp: Timestamp) -> Self {
        Self { key: None, payload: None, headers: Vec::new(), timestamp, fault: None }
    }

    /// Adds a header. That its name is no text is a fault.
    pub(super) fn header(&mut self, name: &[u8], value: Option<Bytes>) {
        let text = String::from_utf8_lossy(name);
        if let Cow::Owned(_) = text {
            let reason = format!("the name of header {} is not UTF-8", self.headers.len());
            self.fault.get_or_insert(Failure::new("header-name-not-utf8", reason));
        }
        self.headers.push(Header { name: named(text), value });
    }
}

/// The name, without an allocation of its own if it is usual.
fn named(name: Cow<'_, str>) -> Cow<'static, str> {
    match &*name {
        names::CONTENT_TYPE => names::CONTENT_TYPE.into(),
        TRACEPARENT => TRACEPARENT.into(),
        _ => name.into_owned().into(),
    }
}
