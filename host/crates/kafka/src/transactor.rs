//! Exactly-once output: records and the offsets they settle in one transaction.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult};
use tokio::sync::oneshot;

use super::embedded::is_embedded;
use super::fence::{self, Fence, Outcome};
use super::settings::{Settings, SettingsError, client_error};
use super::source::KafkaSource;
use super::transaction::{Failure, Transactional};
use gristmill_core::ports::{Batch, Settlement, TransactionError, Transactor};

/// The longest that opening takes, in addition to looking up the kind of broker.
const OPENING: Duration = Duration::from_secs(15);
/// How much longer than its own patience the caller waits for the thread: its calls of librdkafka may return late.
const GRACE: Duration = Duration::from_secs(2);

/// How transactions are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionSettings {
    /// The longest time between two transactions while there is work. `transaction.timeout.ms` must be longer: by
    /// default 10 s.
    pub every: Duration,
    /// How long one may take, including retries and broker outages; also how long, in total, aborted transactions may
    /// take before one is committed.
    pub patience: Duration,
}

impl TransactionSettings {
    /// A transaction at this interval, with a patience of one minute.
    #[must_use]
    pub fn new(every: Duration) -> Self {
        Self { every, patience: Duration::from_secs(60) }
    }
}

/// Why transactions are not possible.
#[derive(Debug, thiserror::Error)]
pub enum TransactorError {
    /// The settings are invalid.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The broker is an embedded one: it shows aborted records to everyone.
    #[error(
        "the embedded broker does not support transactions; use Apache Kafka for delivery = \"exactly-once\", or set \
         delivery = \"at-least-once\""
    )]
    Embedded,
    /// The brokers opened no transaction.
    #[error(
        "the Kafka brokers at {brokers} opened no transaction for the transactional id {id} within {waited:?} \
         ({reason}); exactly-once needs Kafka 2.5 or later with a working transaction log and, if ACLs are used, \
         permission to write with transactional ids that begin with the group's name"
    )]
    Unavailable {
        /// As configured.
        brokers: String,
        /// The transactional id.
        id: String,
        /// How long it was attempted.
        waited: Duration,
        /// In librdkafka's words.
        reason: String,
    },
    /// The kind of broker cannot be looked up.
    #[error("cannot find out whether the brokers support transactions")]
    Lookup(#[source] anyhow::Error),
}

/// A [`Transactor`] for the events of one [`KafkaSource`].
///
/// Its producer lives on a thread of its own, because librdkafka's calls block and may return late. When the patience
/// has passed and the thread still does not answer, the call fails with [`TransactionError::Unavailable`] and so does
/// every later one; the thread ends when librdkafka returns.
///
/// The transactional id is the group's name followed by the `group.instance.id` where that is set, so that a restarted
/// host immediately ends what it left open. Otherwise it is followed by a random number, and the broker aborts what a
/// crash leaves open after `transaction.timeout.ms`. Until then readers of committed records and the next owner of the
/// partitions have to wait. The id does not tell owners of a partition apart: the group's generation does, which is
/// sent with the offsets.
///
/// If the outcome of a commit is unknown, a new producer with the same id ends the transaction one way or the other, and
/// the group's committed offsets show which.
pub struct KafkaTransactor {
    requests: mpsc::Sender<CommitRequest>,
    patience: Duration,
    abandoned: AtomicBool,
}

/// A batch to commit, and where the result goes.
struct CommitRequest {
    batch: Batch,
    ended: oneshot::Sender<Result<(), TransactionError>>,
}

impl KafkaTransactor {
    /// Opens transactions for this source, which must stay open. Looks up the kind of broker, then waits for the brokers
    /// for at most 15 s and ends what an earlier host with the same id has left open.
    ///
    /// # Errors
    /// Invalid settings, brokers without transactions, missing permissions.
    pub async fn open(
        settings: &Settings,
        source: &KafkaSource,
        transactions: TransactionSettings,
    ) -> Result<Self, TransactorError> {
        let asked = settings.clone();
        let embedded = tokio::task::spawn_blocking(move || is_embedded(&asked)).await;
        match embedded.map_err(anyhow::Error::from).flatten().map_err(TransactorError::Lookup)? {
            true => Err(TransactorError::Embedded),
            false => Self::begin(settings, source.fence(), transactions).await,
        }
    }

    pub(super) async fn begin(
        settings: &Settings,
        fence: Arc<Fence>,
        transactions: TransactionSettings,
    ) -> Result<Self, TransactorError> {
        let member = settings.properties.get("group.instance.id").cloned();
        let member = member.unwrap_or_else(|| format!("{:016x}", fastrand::u64(..)));
        let id = format!("{}-{member}", fence.group);
        let config = settings.transactional(&id, transactions.every)?;
        let patience = transactions.patience;
        let (requests, taken) = mpsc::channel::<CommitRequest>();
        let (ready, opened) = oneshot::channel();
        let mut worker = Worker { config, fence, patience, producer: None, wasted: Duration::ZERO };
        thread::Builder::new()
            .name("kafka-transactions".into())
            .spawn(move || {
                let open = worker.open(Instant::now() + OPENING);
                if ready.send(open).is_err() || worker.producer.is_none() {
                    return;
                }
                while let Ok(CommitRequest { batch, ended }) = taken.recv() {
                    // Nobody is waiting if it took too long.
                    let _ = ended.send(worker.commit(&batch));
                }
            })
            .map_err(SettingsError::Thread)?;
        let waited = OPENING + GRACE;
        let reason = match tokio::time::timeout(waited, opened).await {
            Ok(Ok(Ok(()))) => {
                tracing::info!(transactional_id = id, "transactions are open");
                return Ok(Self { requests, patience, abandoned: AtomicBool::new(false) });
            }
            Ok(Ok(Err(error @ KafkaError::ClientCreation(_)))) => return Err(client_error(error).into()),
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(_)) => "the thread has died".into(),
            Err(_) => "no answer".into(),
        };
        Err(TransactorError::Unavailable { brokers: settings.brokers.clone(), id, waited, reason })
    }
}

#[async_trait]
impl Transactor for KafkaTransactor {
    async fn commit(&self, batch: Batch) -> Result<(), TransactionError> {
        let unavailable = |reason: &str| Err(TransactionError::Unavailable(anyhow!(reason.to_owned())));
        if self.abandoned.load(Ordering::Relaxed) {
            return unavailable("an earlier transaction did not finish in time");
        }
        let (ended, end) = oneshot::channel();
        if self.requests.send(CommitRequest { batch, ended }).is_err() {
            return unavailable("the transaction thread has died");
        }
        match tokio::time::timeout(self.patience + GRACE, end).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => unavailable("the transaction thread has died"),
            Err(_) => {
                self.abandoned.store(true, Ordering::Relaxed);
                unavailable("librdkafka did not finish a transaction in time")
            }
        }
    }
}

/// What the thread owns.
struct Worker {
    config: ClientConfig,
    fence: Arc<Fence>,
    patience: Duration,
    /// `None` after one that can run no more transactions.
    producer: Option<Transactional>,
    /// How long the aborted transactions since the last commit took.
    wasted: Duration,
}

impl Worker {
    fn open(&mut self, deadline: Instant) -> KafkaResult<()> {
        if self.producer.is_none() {
            self.producer = Some(Transactional::open(&self.config, deadline)?);
        }
        Ok(())
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), TransactionError> {
        let begun = Instant::now();
        let deadline = begun + self.patience;
        self.fence.check(&batch.settled).map_err(TransactionError::Aborted)?;
        self.open(deadline).context("cannot reopen transactions").map_err(TransactionError::Unavailable)?;
        let Some(producer) = &mut self.producer else {
            return Err(TransactionError::Aborted("there is no producer".into()));
        };
        let offsets = || {
            let proof = self.fence.proof(&batch.settled).map_err(Failure::Aborted)?;
            let list = fence::list(&batch.settled).map_err(Failure::Hopeless)?;
            Ok((!batch.settled.is_empty()).then_some((list, proof)))
        };
        // The other half of the patience is for looking up its outcome.
        let written = producer.write(&batch.records, offsets, begun + self.patience / 2);
        if producer.is_spent() {
            self.producer = None;
        }
        match written {
            Ok(()) => {
                self.wasted = Duration::ZERO;
                self.fence.committed(&batch.settled);
                Ok(())
            }
            Err(Failure::Refused { record, reason }) => {
                let topic = batch.records.get(record).map_or_else(|| "".into(), |record| Arc::clone(&record.topic));
                Err(TransactionError::Refused { record, topic, reason })
            }
            Err(Failure::Aborted(reason)) => self.aborted(begun, reason),
            Err(Failure::Hopeless(error)) => Err(TransactionError::Unavailable(error)),
            Err(Failure::Doubt(error)) => self.resolve(&batch.settled, error, deadline),
        }
    }

    /// An aborted transaction may be retried, but not forever.
    fn aborted(&mut self, begun: Instant, reason: String) -> Result<(), TransactionError> {
        self.wasted += begun.elapsed();
        if self.wasted < self.patience {
            return Err(TransactionError::Aborted(reason));
        }
        let tried = format!("no transaction was committed within {:?}", self.patience);
        Err(TransactionError::Unavailable(anyhow!(reason).context(tried)))
    }

    /// Looks up the outcome of a commit that did not report it.
    fn resolve(
        &mut self,
        settled: &[Settlement],
        error: KafkaError,
        deadline: Instant,
    ) -> Result<(), TransactionError> {
        tracing::warn!(%error, "the outcome of a transaction is unknown, looking it up");
        let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now()).max(GRACE);
        let ended = self.open(deadline).context("cannot end the transaction");
        match ended.and_then(|()| self.fence.outcome(settled, left(deadline))) {
            Ok(Outcome::Committed) => {
                self.fence.committed(settled);
                Ok(())
            }
            Ok(Outcome::Aborted) => Err(TransactionError::Aborted(error.to_string())),
            Err(lookup) => {
                let unknown = format!("it is unknown whether a transaction was committed ({error})");
                Err(TransactionError::Unavailable(lookup.context(unknown)))
            }
        }
    }
}
