//! A producer that writes in transactions: all of one or nothing. Its calls block; they run on threads of their own.

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

use super::log;
use super::sink::{headers, is_refusal};
use gristmill_core::model::Size;
use gristmill_core::ports::Record;

/// How long a full queue, or a broker that asks to be called again, is left alone.
const PAUSE: Duration = Duration::from_millis(20);
/// How often the wait for acknowledgements looks whether one of them is a refusal.
const LOOK: Duration = Duration::from_millis(100);
/// How long breaking off may take. What is left then is broken off by the next producer of the same id, or by the
/// broker when `transaction.timeout.ms` is over.
const ABORT: Duration = Duration::from_secs(10);

/// A producer with a transactional id. Of those with the same id only the newest one can write.
pub(super) struct Transactional {
    producer: ThreadedProducer<Deliveries>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    /// It can do no more transactions; a new producer can.
    Spent,
}

/// Why a transaction did not end well.
#[derive(Debug)]
pub(super) enum Failure {
    /// The broker will never take this record. Nothing was written.
    Refused { record: usize, reason: String },
    /// Nothing was written; it may be tried again.
    Aborted(String),
    /// Nothing was written, and trying again does not help.
    Hopeless(anyhow::Error),
    /// The commit was asked for, and it is not known what became of it.
    Doubt(KafkaError),
}

/// What goes into a transaction besides records: what is settled, and the proof that it may be.
pub(super) type Offsets = (TopicPartitionList, ConsumerGroupMetadata);

impl Transactional {
    /// Makes a producer and ends whatever an earlier one of the same id has left open: it is committed if its commit
    /// was begun, else aborted, and the earlier one cannot write any more.
    pub(super) fn open(config: &ClientConfig, deadline: Instant) -> KafkaResult<Self> {
        let producer: ThreadedProducer<Deliveries> = config.create_with_context(Deliveries::default())?;
        again(deadline, || producer.init_transactions(left(deadline)))?;
        Ok(Self { producer, state: State::Ready })
    }

    /// Whether it can do no more.
    pub(super) fn is_spent(&self) -> bool {
        self.state == State::Spent
    }

    /// Writes all records, and the offsets if there are any, in one transaction. The offsets are asked for as late as
    /// possible: when the records are on their way.
    pub(super) fn write(
        &mut self,
        records: &[Record],
        offsets: impl FnOnce() -> Result<Option<Offsets>, Failure>,
        deadline: Instant,
    ) -> Result<(), Failure> {
        self.producer.context().failures().clear();
        if let Err(failure) = self.fill(records, offsets, deadline) {
            // Only after the abort every record has its answer.
            self.abort(deadline);
            return Err(self.told_by_records(records).unwrap_or(failure));
        }
        let committed = again(deadline, || self.producer.commit_transaction(left(deadline)));
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
        self.producer.begin_transaction().map_err(|error| self.judge(error))?;
        for (index, record) in records.iter().enumerate() {
            self.enqueue(index, record, deadline)?;
        }
        if let Some((list, group)) = offsets()? {
            let sent = self.producer.send_offsets_to_transaction(&list, &group, left(deadline));
            sent.map_err(|error| self.judge(error))?;
        }
        // A transaction with a refused record stands still, so waiting for all of them could take until the end.
        while let Err(error) = self.producer.flush(LOOK) {
            let failed = !self.producer.context().failures().is_empty();
            if failed || self.producer.client().fatal_error().is_some() || Instant::now() >= deadline {
                return Err(self.judge(error));
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
            native.key = record.key.as_deref();
            native.payload = record.payload.as_deref();
            match self.producer.send::<[u8], [u8]>(native) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) if Instant::now() < deadline => {
                    thread::sleep(PAUSE);
                }
                Err((KafkaError::MessageProduction(code), _)) if is_refusal(code) => {
                    return Err(Failure::Refused { record: index, reason: code.to_string() });
                }
                Err((error, _)) => return Err(self.judge(error)),
            }
        }
    }

    /// Breaks the transaction off. If that does not work, a new producer has to.
    fn abort(&mut self, deadline: Instant) {
        let deadline = deadline.max(Instant::now() + LOOK).min(Instant::now() + ABORT);
        if let Err(error) = again(deadline, || self.producer.abort_transaction(left(deadline))) {
            tracing::debug!(%error, "a transaction could not be aborted by its producer");
            self.state = State::Spent;
        }
    }

    /// What an error before the commit means.
    fn judge(&self, error: KafkaError) -> Failure {
        let fatal = self.producer.client().fatal_error();
        let (code, error) = match fatal {
            Some((code, words)) => (Some(code), anyhow!(words)),
            None => (error.rdkafka_error_code(), error.into()),
        };
        match code.is_some_and(is_hopeless) {
            true => Failure::Hopeless(error),
            false => Failure::Aborted(format!("{error:#}")),
        }
    }

    /// What the records' own failures mean. The error of a transaction says only that there were some.
    fn told_by_records(&self, records: &[Record]) -> Option<Failure> {
        let failures = self.producer.context().failures();
        // Records in one batch are refused together. When that is for its size, the largest is the one to blame.
        let refused = failures.iter().filter(|(_, code)| is_refusal(*code));
        let refused = refused.max_by_key(|(record, _)| records.get(*record).map_or(0, Size::size));
        if let Some((record, code)) = refused {
            return Some(Failure::Refused { record: *record, reason: code.to_string() });
        }
        let (record, code) = failures.iter().find(|(_, code)| is_hopeless(*code))?;
        let topic = records.get(*record).map_or("", |record| &*record.topic);
        let error = KafkaError::MessageProduction(*code);
        Some(Failure::Hopeless(anyhow!(error).context(format!("records for the topic {topic} are not taken"))))
    }
}

/// Calls until it works, fails for good, or the time is up. librdkafka goes on with what it was doing.
fn again(deadline: Instant, mut call: impl FnMut() -> KafkaResult<()>) -> KafkaResult<()> {
    loop {
        match call() {
            Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < deadline => {
                tracing::debug!(%error, "a step of a transaction is tried again");
                thread::sleep(PAUSE);
            }
            ended => return ended,
        }
    }
}

/// The time until then; never nothing, because that means for ever to some calls.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

/// Whether someone has to change a topic or a permission first.
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

/// Keeps the failures of records, each with its index, until someone asks.
#[derive(Default)]
struct Deliveries {
    /// A lock, because librdkafka answers on the producer's own thread.
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
    /// The index of the record.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, record: usize) {
        let Err((error, _)) = result else { return };
        match error.rdkafka_error_code() {
            // It went with the others of its transaction.
            None | Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) => {}
            Some(code) => self.failures().push((record, code)),
        }
    }
}
