//! Joining the group, and joining it again with a new consumer where librdkafka has given up on the old one.
//!
//! librdkafka 2.12 with the protocol of KIP-848 can send a malformed request to rejoin after the member was removed for
//! not polling (confluentinc/librdkafka#5541): the broker rejects it as an invalid request, and librdkafka takes that for
//! a fatal error. A host that was suspended for longer than `max.poll.interval.ms` runs into it now and then.

use std::sync::{Arc, mpsc};

use rdkafka::ClientConfig;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::reports::{Member, Notice, Reports};
use super::settings::{SettingsError, client_error};

/// The group as its members join it.
pub(super) struct Group {
    pub(super) config: ClientConfig,
    pub(super) topics: Vec<String>,
}

/// What the group thinks of the present consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has not answered yet.
    Joining,
    /// It has assigned partitions, or told that there are none for it.
    Accepted,
}

impl Group {
    /// Joins without waiting for it: a notice reports the first assignment.
    pub(super) fn join(&self) -> Result<(Arc<Member>, mpsc::Receiver<Notice>), SettingsError> {
        let (sender, notices) = mpsc::channel();
        let consumer: Member = self.config.create_with_context(Reports::new(sender)).map_err(client_error)?;
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(SettingsError::Client)?;
        Ok((Arc::new(consumer), notices))
    }
}

impl Standing {
    /// Whether a new consumer can help after this error. One whose first request is invalid would be rejected for ever.
    pub(super) fn allows_rejoin(self, error: &KafkaError) -> bool {
        let rejected = matches!(error, KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::InvalidRequest));
        rejected && self == Self::Accepted
    }
}
