//! Acknowledgements of records: counted where librdkafka reports them, told once for all that were sent together.

use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use futures_util::task::AtomicWaker;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;

use super::{log, offsets};
use gristmill_core::ports::SinkError;

/// The context of a producer whose records each belong to a [`Delivery`].
pub(super) struct Acks;

impl ClientContext for Acks {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log::line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(target: "librdkafka", %error, "{reason}");
    }
}

impl ProducerContext for Acks {
    type DeliveryOpaque = Arc<Delivery>;

    fn delivery(&self, result: &DeliveryResult<'_>, delivery: Self::DeliveryOpaque) {
        match result {
            Ok(message) => delivery.partition.store(offsets::index(message.partition()), Ordering::Relaxed),
            Err((error, message)) => delivery.fail(failure(message.topic().into(), error.clone())),
        }
        delivery.over(1);
    }
}

/// Records that were sent together.
pub(super) struct Delivery {
    /// How many are neither acknowledged nor given up.
    left: AtomicUsize,
    /// The worst that happened. Locked because records fail where they are sent and where they are reported.
    failed: Mutex<Option<SinkError>>,
    /// The partition of the last one that was acknowledged.
    partition: AtomicU32,
    /// Who waits.
    waiting: AtomicWaker,
}

impl Delivery {
    /// So many records that are about to be sent.
    pub(super) fn of(records: usize) -> Arc<Self> {
        let (failed, partition, waiting) = (Mutex::default(), AtomicU32::default(), AtomicWaker::new());
        Arc::new(Self { left: AtomicUsize::new(records), failed, partition, waiting })
    }

    /// Gives up the last of the records, which were not sent.
    pub(super) fn give_up(&self, records: usize, why: SinkError) {
        self.fail(why);
        self.over(records);
    }

    /// Waits until every record is acknowledged or given up, and returns the partition of the last one. Only then is
    /// nothing in flight any more, also after a failure. Cancel-safe.
    pub(super) async fn acknowledged(&self) -> Result<u32, SinkError> {
        poll_fn(|context| {
            if self.left.load(Ordering::Acquire) > 0 {
                self.waiting.register(context.waker());
                // The last one may have been reported just before.
                if self.left.load(Ordering::Acquire) > 0 {
                    return Poll::Pending;
                }
            }
            Poll::Ready(())
        })
        .await;
        match self.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error),
            None => Ok(self.partition.load(Ordering::Relaxed)),
        }
    }

    fn fail(&self, error: SinkError) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        *failed = Some(match failed.take() {
            Some(earlier) => worse(earlier, error),
            None => error,
        });
    }

    fn over(&self, records: usize) {
        if self.left.fetch_sub(records, Ordering::AcqRel) == records {
            self.waiting.wake();
        }
    }
}

/// An unavailable broker stops the flow, so it outweighs a rejected record.
fn worse(first: SinkError, second: SinkError) -> SinkError {
    match (&first, &second) {
        (SinkError::Refused { .. }, SinkError::Unavailable { .. }) => second,
        _ => first,
    }
}

/// Whether the broker, or librdkafka on its behalf, will never accept the record.
pub(super) fn is_rejection(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::MessageSizeTooLarge
            | Code::MessageBatchTooLarge
            | Code::InvalidMessage
            | Code::InvalidMessageSize
            | Code::InvalidRecord
            | Code::InvalidTimestamp
            | Code::PolicyViolation
    )
}

/// What an error means to the flow.
pub(super) fn failure(topic: Arc<str>, error: KafkaError) -> SinkError {
    match error.rdkafka_error_code() {
        Some(code) if is_rejection(code) => SinkError::Refused { topic, reason: code.to_string() },
        _ => SinkError::Unavailable { topic, source: error.into() },
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn failed(code: RDKafkaErrorCode) -> SinkError {
        failure("out".into(), KafkaError::MessageProduction(code))
    }

    #[test]
    fn only_a_fault_of_the_record_is_a_rejection() {
        assert!(matches!(failed(RDKafkaErrorCode::MessageSizeTooLarge), SinkError::Refused { .. }));
        assert!(matches!(failed(RDKafkaErrorCode::InvalidRecord), SinkError::Refused { .. }));
        for code in [
            RDKafkaErrorCode::MessageTimedOut,
            RDKafkaErrorCode::UnknownTopicOrPartition,
            RDKafkaErrorCode::TopicAuthorizationFailed,
            RDKafkaErrorCode::Fatal,
        ] {
            assert!(matches!(failed(code), SinkError::Unavailable { .. }), "{code:?}");
        }
    }

    #[test]
    fn a_delivery_is_over_when_nothing_of_it_is_in_flight() {
        let delivery = Delivery::of(3);
        delivery.over(1);
        assert!(delivery.acknowledged().now_or_never().is_none());
        delivery.give_up(2, failed(RDKafkaErrorCode::MessageTimedOut));
        let over = delivery.acknowledged().now_or_never().expect("it is over");
        assert!(matches!(over, Err(SinkError::Unavailable { .. })));
        assert!(
            matches!(Delivery::of(0).acknowledged().now_or_never(), Some(Ok(_))),
            "nothing is acknowledged at once"
        );
    }

    #[test]
    fn an_unavailable_broker_outweighs_a_rejected_record() {
        use RDKafkaErrorCode::{MessageSizeTooLarge as Refused, MessageTimedOut as Unavailable};
        for (first, second) in [(Refused, Unavailable), (Unavailable, Refused)] {
            let delivery = Delivery::of(1);
            delivery.fail(failed(first));
            delivery.give_up(1, failed(second));
            let over = delivery.acknowledged().now_or_never().expect("it is over");
            assert!(matches!(over, Err(SinkError::Unavailable { .. })), "{over:?}");
        }
        let delivery = Delivery::of(1);
        delivery.give_up(1, failed(Refused));
        assert!(matches!(delivery.acknowledged().now_or_never(), Some(Err(SinkError::Refused { .. }))));
    }
}
