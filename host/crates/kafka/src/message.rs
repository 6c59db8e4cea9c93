//! A record of librdkafka as an event: copied out immediately, because a live message holds memory of the consumer and
//! blocks its destruction.

use std::borrow::Cow;
use std::ffi::CStr;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use rdkafka::bindings::{rd_kafka_header_get_all, rd_kafka_message_headers};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::types::RDKafkaRespErr;

use super::offsets;
use gristmill_core::flow::names;
use gristmill_core::model::{Event, EventId, Failure, Generation, Header, Partition, TRACEPARENT, Timestamp};

/// The partition a message came from; `topics` spares a copy of the name.
pub(super) fn partition(message: &BorrowedMessage<'_>, topics: &[Arc<str>]) -> Partition {
    offsets::partition(message.topic(), message.partition(), topics)
}

/// The message as an event of `generation`.
pub(super) fn event(message: &BorrowedMessage<'_>, partition: Partition, generation: Generation) -> Event {
    let copy = |bytes: Option<&[u8]>| bytes.map(Bytes::copy_from_slice);
    let (headers, fault) = headers(message);
    Event {
        id: EventId { partition, position: offsets::position(message.offset()) },
        generation,
        key: copy(message.key()),
        payload: copy(message.payload()),
        headers,
        timestamp: message.timestamp().to_millis().map_or_else(now, Timestamp),
        deliveries: None,
        fault,
    }
}

/// The time of arrival, for brokers that keep none.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The headers in order, and what is wrong with them. Bypasses the safe wrapper, which panics when a name is not UTF-8:
/// anyone who can write to the topic could crash the host, again after each restart.
pub(super) fn headers(message: &BorrowedMessage<'_>) -> (Vec<Header>, Option<Failure>) {
    let mut headers = Vec::new();
    let mut fault = None;
    let mut list = std::ptr::null_mut();
    // SAFETY: the message lives during this call, and so do its headers, which librdkafka owns.
    #[allow(unsafe_code)]
    let found = unsafe { rd_kafka_message_headers(message.ptr(), &raw mut list) };
    if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return (headers, fault);
    }
    loop {
        let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0);
        // SAFETY: `list` is valid, see above. On success `name` is a C string and `value` null or `size` bytes, both
        // valid as long as the message; they are copied before it is dropped.
        #[allow(unsafe_code)]
        let (name, value) = unsafe {
            let index = headers.len();
            let got = rd_kafka_header_get_all(list, index, &raw mut name, &raw mut value, &raw mut size);
            if got != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                return (headers, fault);
            }
            let value = (!value.is_null()).then(|| std::slice::from_raw_parts(value.cast::<u8>(), size));
            (CStr::from_ptr(name), value)
        };
        if name.to_str().is_err() {
            let reason = format!("the name of header {} is not UTF-8", headers.len());
            fault.get_or_insert(Failure::new("header-name-not-utf8", reason));
        }
        headers.push(Header { name: named(name.to_string_lossy()), value: value.map(Bytes::copy_from_slice) });
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
