//! What librdkafka reports to the polling thread, how a rebalance is answered, and which errors are final.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};

use super::log;

/// A consumer that is a member of a group.
pub(super) type Member = BaseConsumer<Reports>;

/// What librdkafka reports during a poll.
pub(super) enum Notice {
    Assign(TopicPartitionList),
    Revoke(TopicPartitionList),
    Committed(KafkaResult<()>),
    /// The text that belongs to the error which the poll is about to return.
    Error(String),
}

/// Passes what arrives during the polling thread's own polls on to that thread, so that it alone owns all state. A
/// rebalance may be answered after the callback: the group waits for the assign or unassign, not for its return.
pub(super) struct Reports {
    notices: mpsc::Sender<Notice>,
    leaving: AtomicBool,
}

impl Reports {
    pub(super) fn new(notices: mpsc::Sender<Notice>) -> Self {
        Self { notices, leaving: AtomicBool::new(false) }
    }

    /// From now on every rebalance is accepted immediately: nobody reads the notices while the consumer closes.
    pub(super) fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    fn notice(&self, notice: Notice) {
        // The receiver lives as long as the polls that lead here, except while closing.
        let _ = self.notices.send(notice);
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log::line(level, facility, message);
    }

    fn error(&self, _: KafkaError, reason: &str) {
        self.notice(Notice::Error(reason.into()));
    }
}

impl ConsumerContext for Reports {
    fn rebalance(&self, consumer: &Member, what: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let assigned = what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.leaving.load(Ordering::Relaxed) {
            let accepted = if assigned { assign(consumer, partitions) } else { unassign(consumer, partitions) };
            if let Err(error) = accepted {
                tracing::warn!(%error, "a rebalance failed while leaving the group");
            }
        } else if assigned {
            self.notice(Notice::Assign(partitions.clone()));
        } else {
            self.notice(Notice::Revoke(partitions.clone()));
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        self.notice(Notice::Committed(result));
    }
}

/// Accepts assigned partitions.
pub(super) fn assign(consumer: &Member, list: &TopicPartitionList) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.assign(list),
    }
}

/// Releases revoked partitions: from here on the group may assign them to someone else.
pub(super) fn unassign(consumer: &Member, list: &TopicPartitionList) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
        RebalanceProtocol::Eager | RebalanceProtocol::None => consumer.unassign(),
    }
}

/// Whether a retry cannot help a consumer: someone has to change a setting, a topic or a permission.
pub(super) fn is_final(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::Fatal
            | Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::InvalidTopic
            | Code::InvalidGroupId
            | Code::InconsistentGroupProtocol
            | Code::InvalidSessionTimeout
            | Code::UnsupportedVersion
            | Code::UnsupportedAssignor
            | Code::UnreleasedInstanceId
            | Code::FencedInstanceId
    )
}
