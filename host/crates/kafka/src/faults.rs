//! What is wrong with Kafka properties by themselves, found without a broker.

use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use super::properties::{FIXED, REFUSED, SETTABLE};

/// librdkafka's default of `max.poll.interval.ms`.
pub(super) const POLL_INTERVAL: u64 = 300_000;

/// A property that cannot be set, or not so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyFault {
    /// Its name.
    pub property: String,
    /// What is wrong with it.
    pub reason: PropertyReason,
}

/// What is wrong with a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PropertyReason {
    /// It is not among those that can be set.
    Unknown,
    /// It would break a promise, it is configured elsewhere, or it would run code.
    Refused(&'static str),
    /// It cannot have this value.
    Invalid {
        /// The value; hidden if it may be a secret.
        value: String,
        /// Why, in librdkafka's words or ours.
        reason: String,
    },
    /// It does not fit another setting.
    Unfit(String),
}

/// What else of a pipeline its properties must fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// Whether the broker is the embedded one, whose members use the broker-side group protocol.
    pub embedded: bool,
    /// How long running jobs may take to finish when their partition is revoked.
    pub drain_timeout: Duration,
    /// The interval of transactions, if there are any.
    pub transactions: Option<Duration>,
}

impl fmt::Display for PropertyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { property, reason } = self;
        match reason {
            PropertyReason::Unknown => write!(f, "there is no Kafka property {property} that can be set"),
            PropertyReason::Refused(reason) => write!(f, "the Kafka property {property} cannot be set: {reason}"),
            PropertyReason::Invalid { value, reason } => {
                write!(f, "the Kafka property {property} cannot be {value:?}: {reason}")
            }
            PropertyReason::Unfit(reason) => write!(f, "the Kafka property {property} does not fit: {reason}"),
        }
    }
}

pub(super) fn describe(faults: &[PropertyFault]) -> String {
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    faults.join("; ")
}

/// The names of all properties that can be set.
pub fn settable() -> impl Iterator<Item = &'static str> {
    SETTABLE.iter().map(|(name, _)| *name)
}

/// What is wrong with properties by themselves. One without a value is a secret that is not read yet. Reads no file and
/// loads nothing: a name that is not known to be harmless never reaches librdkafka.
pub(super) fn of<'a>(properties: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Vec<PropertyFault> {
    let mut faults = Vec::new();
    for (property, value) in properties {
        let refused = REFUSED.iter().find(|(name, _)| match name.ends_with('.') {
            true => property.starts_with(name),
            false => property == *name,
        });
        let reason = if let Some((_, reason)) = refused {
            Some(PropertyReason::Refused(reason))
        } else if !settable().any(|name| name == property) {
            Some(PropertyReason::Unknown)
        } else {
            value.and_then(|value| value_fault(property, value))
        };
        faults.extend(reason.map(|reason| PropertyFault { property: property.to_owned(), reason }));
    }
    faults
}

fn value_fault(property: &str, value: &str) -> Option<PropertyReason> {
    if let Some((_, _, reason)) = FIXED.iter().find(|(name, values, _)| *name == property && !values.contains(&value)) {
        return Some(PropertyReason::Invalid { value: value.to_owned(), reason: (*reason).to_owned() });
    }
    if value.contains('\0') {
        let reason = "it contains a zero byte".to_owned();
        return Some(PropertyReason::Invalid { value: "(hidden)".into(), reason });
    }
    let mut config = ClientConfig::new();
    config.set(property, value);
    match config.create_native_config() {
        Err(KafkaError::ClientConfig(_, reason, property, value)) => Some(invalid(&property, &value, reason).reason),
        Err(error) => Some(invalid(property, value, error.to_string()).reason),
        Ok(_) => None,
    }
}

/// A value that librdkafka rejects.
pub(super) fn invalid(property: &str, value: &str, reason: String) -> PropertyFault {
    let secret = ["password", "secret", "pem", "token"].iter().any(|word| property.contains(word));
    // librdkafka repeats the value in its reason.
    let (value, reason) = match secret {
        true => ("(hidden)", "librdkafka rejects it".to_owned()),
        false => (value, reason.trim_end().to_owned()),
    };
    PropertyFault { property: property.to_owned(), reason: PropertyReason::Invalid { value: value.to_owned(), reason } }
}
