//! A producer that writes transactions, each whole or not at all. Its calls block; they run on threads of their own.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::TopicPartitionList;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use super::acks::is_rejection;
use super::log;
use super::sink::headers;
use gristmill_core::model::Size;
use gristmill_core::ports::Record;

/// How long to wait before a retry when the queue is full or the broker asks for one.
const PAUSE: Duration = Duration::from_millis(20);
/// How often the wait for acknowledgements checks whether a record was rejected.
const LOOK: Duration = Duration::from_millis(100);
/// How long an abort may take. What is open after that is aborted by the next producer with the same id, or by the
/// broker after `transaction.timeout.ms`.
const ABORT: Duration = Duration::from_secs(10);

/// A producer with a transactional id. Of several with the same id only the newest can write.
pub(super) struct Transactional {
    producer: ThreadedProducer<Deliveries>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    /// It can run no more transactions; a new producer has to.
    Spent,
}

/// Why a transaction failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The broker will never accept this record. Nothing was written.
    Refused { record: usize, reason: String },
    /// Nothing was written; it may be retried.
    Aborted(String),
    /// Nothing was written, and a retry does not help.
    Hopeless(anyhow::Error),
    /// The commit was requested and its outcome is unknown.
    Doubt(KafkaError),
}

/// What goes into a transaction besides records: what is settled, and the proof that it may be.
pub(super) type Offsets = (TopicPartitionList, ConsumerGroupMetadata);

impl Transactional {
    /// Creates a producer and ends the transaction that an earlier one with the same id has left open: it is committed
    /// if its commit had begun, else aborted, and the earlier producer can write no more.
    pub(super) fn open(config: &ClientConfig, deadline: Instant) -> KafkaResult<Self> {
        let producer: ThreadedProducer<Deliveries> = config.create_with_context(Deliveries::default())?;
        retry(deadline, || producer.init_transactions(left(deadline)))?;
        Ok(Self { producer, state: State::Ready })
    }

    /// Whether it can run no more transactions.
    pub(super) fn is_spent(&self) -> bool {
        self.state == State::Spent
    }

    /// Writes all records, and the offsets if there are any, in one transaction. The offsets are requested as late as
    /// possible: when the records are in flight.
    pub(super) fn write(
        &mut self,
        records: &[Record],
        offsets: impl FnOnce() -> Result<Option<Offsets>, Failure>,
        deadline: Instant,
    ) -> Result<(), Failure> {
        self.producer.context().failures().clear();
        if let Err(failure) = self.fill(records, offsets, deadline) {
            if let Failure::Refused { .. } = failure {
                // Records that an abort purges before they are sent leave a gap in the producer's sequence, and the next
                // transaction is aborted for it ("skipped sequence numbers").
                let _ = self.producer.flush(left(deadline).min(ABORT));
            }
            // Only after the abort has every record got its answer.
            self.abort(deadline);
            return Err(self.record_failure(records).unwrap_or(failure));
        }
        let committed = retry(deadline, || self.producer.commit_transaction(left(deadline)));
        committed.map_err(|error| {
            self.state = State::Spent;
            Failure::Doubt(error)
        })
    }

    fn fill(
        &self,
        records: &[Record],
        offsets: impl FnOnce() -> Result<Option<Offsets>, Failure>,
        deadline: Instant,
    ) -> Result<(), Failure> {
        self.producer.begin_transaction().map_err(|error| self.classify(error))?;
        for (index, record) in records.iter().enumerate() {
            self.enqueue(index, record, deadline)?;
        }
        if let Some((list, group)) = offsets()? {
            let sent = self.producer.send_offsets_to_transaction(&list, &group, left(deadline));
            sent.map_err(|error| self.classify(error))?;
        }
        // A transaction with a rejected record is stuck, so waiting for all records could take until the deadline.
        while let Err(error) = self.producer.flush(LOOK) {
            let failed = !self.producer.context().failures().is_empty();
            if failed || self.producer.client().fatal_error().is_some() || Instant::now() >= deadline {
                return Err(self.classify(error));
            }
        }
        match self.producer.context().failures().first() {
            Some((_, code)) => Err(Failure::Aborted(format!("a record was not written: {code}"))),
            None => Ok(()),
        }
    }

    fn enqueue(&self, index: usize, record: &Record, deadline: Instant) -> Result<(), Failure> {
        loop {
            let mut native =
                BaseRecord::with_opaque_to(&record.topic, index).timestamp(record.timestamp.0).headers(headers(record));
            native.partition = record.partition.and_then(|partition| i32::try_from(partition).ok());
            native.key = record.key.as_deref();
            native.payload = record.payload.as_deref();
            match self.producer.send::<[u8], [u8]>(native) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) if Instant::now() < deadline => {
                    thread::sleep(PAUSE);
                }
                Err((KafkaError::MessageProduction(code), _)) if is_rejection(code) => {
                    return Err(Failure::Refused { record: index, reason: code.to_string() });
                }
                Err((error, _)) => return Err(self.classify(error)),
            }
        }
    }

    /// Aborts the transaction. If that fails, a new producer has to do it.
    fn abort(&mut self, deadline: Instant) {
        let deadline = deadline.max(Instant::now() + LOOK).min(Instant::now() + ABORT);
        if let Err(error) = retry(deadline, || self.producer.abort_transaction(left(deadline))) {
            tracing::debug!(%error, "a producer could not abort its transaction");
            self.state = State::Spent;
        }
    }

    /// Classifies an error before the commit.
    fn classify(&self, error: KafkaError) -> Failure {
        let fatal = self.producer.client().fatal_error();
        let (code, error) = match fatal {
            Some((code, text)) => (Some(code), anyhow!(text)),
            None => (error.rdkafka_error_code(), error.into()),
        };
        match code.is_some_and(is_hopeless) {
            true => Failure::Hopeless(error),
            false => Failure::Aborted(format!("{error:#}")),
        }
    }

    /// Classifies the failures of the records. The error of the transaction says only that there were some.
    fn record_failure(&self, records: &[Record]) -> Option<Failure> {
        let failures = self.producer.context().failures();
        // The records of a batch are rejected together. If the reason is size, the largest one caused it.
        let refused = failures.iter().filter(|(_, code)| is_rejection(*code));
        let refused = refused.max_by_key(|(record, _)| records.get(*record).map_or(0, Size::size));
        if let Some((record, code)) = refused {
            return Some(Failure::Refused { record: *record, reason: code.to_string() });
        }
        let (record, code) = failures.iter().find(|(_, code)| is_hopeless(*code))?;
        let topic = records.get(*record).map_or("", |record| &*record.topic);
        let error = KafkaError::MessageProduction(*code);
        Some(Failure::Hopeless(anyhow!(error).context(format!("records for topic {topic} are not accepted"))))
    }
}

/// Calls until it succeeds, fails finally, or the deadline passes. librdkafka resumes what it was doing.
fn retry(deadline: Instant, mut call: impl FnMut() -> KafkaResult<()>) -> KafkaResult<()> {
    loop {
        match call() {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < deadline => {
                tracing::debug!(%error, "a step of a transaction failed, retrying");
                thread::sleep(PAUSE);
            }
            ended => return ended,
        }
    }
}

/// The time until the deadline; never zero, which means forever to some calls.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

/// Whether a retry cannot help: someone has to change a topic or a permission.
fn is_hopeless(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::InvalidTopic
            | Code::UnsupportedVersion
            | Code::UnsupportedFeature
    )
}

/// Keeps the failures of records, each with its index.
#[derive(Default)]
struct Deliveries {
    /// Locked, because librdkafka reports on the producer's own thread.
    failures: Mutex<Vec<(usize, RDKafkaErrorCode)>>,
}

impl Deliveries {
    fn failures(&self) -> MutexGuard<'_, Vec<(usize, RDKafkaErrorCode)>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log::line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(target: "librdkafka", %error, "{reason}");
    }
}

impl ProducerContext for Deliveries {
    /// The index of the record in its transaction.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, record: usize) {
        let Err((error, _)) = result else { return };
        match error.rdkafka_error_code() {
            // It was removed with the others of its transaction.
            None | Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) => {}
            Some(code) => self.failures().push((record, code)),
        }
    }
}
