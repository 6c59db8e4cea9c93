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
use super::settings::{Settings, SettingsError, refusal};
use super::source::KafkaSource;
use super::transaction::{Failure, Transactional};
use gristmill_core::ports::{Batch, Settlement, TransactionError, Transactor};

/// The longest that opening takes, besides finding out what the brokers are.
const OPENING: Duration = Duration::from_secs(15);
/// How much longer than its own patience the thread is waited for: its calls of librdkafka may be late.
const GRACE: Duration = Duration::from_secs(2);

/// How transactions are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionSettings {
    /// How often one is begun, at least while there is work. `transaction.timeout.ms` must be longer: 10 s unless set.
    pub every: Duration,
    /// How long one may take with all that is tried again, brokers that come and go included; and how long in all may
    /// go into transactions that are aborted before one is committed.
    pub patience: Duration,
}

impl TransactionSettings {
    /// One transaction in so much time, and a minute of patience.
    #[must_use]
    pub fn new(every: Duration) -> Self {
        Self { every, patience: Duration::from_secs(60) }
    }
}

/// Why there can be no transactions.
#[derive(Debug, thiserror::Error)]
pub enum TransactorError {
    /// The settings are wrong by themselves.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The broker is an embedded one: it shows aborted records to everyone.
    #[error(
        "the embedded broker does not keep transactions; use Apache Kafka for delivery = \"exactly-once\", or \
         delivery = \"at-least-once\""
    )]
    Embedded,
    /// The brokers gave us none.
    #[error(
        "the Kafka brokers at {brokers} began no transactions for the transactional id {id} within {waited:?} \
         ({reason}); exactly-once needs Kafka 2.5 or later with its transaction log in order, and where there are ACLs, \
         the right to write with ids that begin with the group's name"
    )]
    Unavailable {
        /// As configured.
        brokers: String,
        /// The transactional id.
        id: String,
        /// How long it was tried.
        waited: Duration,
        /// In librdkafka's words.
        reason: String,
    },
    /// The brokers cannot be asked what they are.
    #[error("cannot find out whether the brokers do transactions")]
    Lookup(#[source] anyhow::Error),
}

/// A [`Transactor`] for the events of one [`KafkaSource`].
///
/// Its producer lives on a thread of its own, because librdkafka's calls block and may be late. When the patience is
/// over and the thread still does not answer, the call ends as [`TransactionError::Unavailable`] and so does every
/// later one; the thread ends by itself when librdkafka lets it.
///
/// The transactional id is the group's name with the `group.instance.id` behind it where that is set, so that a host
/// that is started again ends at once what it left open; else with a random number, and what a crash leaves open is
/// aborted by the broker after `transaction.timeout.ms`. Until then readers of committed records, and the next owner of
/// the partitions, wait at it. It does not tell owners of a partition apart: the group's generation does, which goes
/// with the offsets.
///
/// A commit whose end is not known is not left so: a new producer of the same id ends the transaction one way or the
/// other, and what the group has committed tells which.
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
    /// Begins transactions for this source, which must be open and stay so. Waits for the brokers, 15 s at most after
    /// finding out what they are, and ends what an earlier host of the same id has left open.
    ///
    /// # Errors
    /// One clear reason: settings, brokers without transactions, missing rights.
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
        let mut worker = Worker { config, fence, patience, producer: None, in_vain: Duration::ZERO };
        thread::Builder::new()
            .name("kafka-transactions".into())
            .spawn(move || {
                let open = worker.open(Instant::now() + OPENING);
                if ready.send(open).is_err() || worker.producer.is_none() {
                    return;
                }
                while let Ok(CommitRequest { batch, ended }) = taken.recv() {
                    // Nobody waits any more when it took too long.
                    let _ = ended.send(worker.commit(&batch));
                }
            })
            .map_err(SettingsError::Thread)?;
        let waited = OPENING + GRACE;
        let reason = match tokio::time::timeout(waited, opened).await {
            Ok(Ok(Ok(()))) => {
                tracing::info!(transactional_id = id, "transactions begin");
                return Ok(Self { requests, patience, abandoned: AtomicBool::new(false) });
            }
            Ok(Ok(Err(error @ KafkaError::ClientCreation(_)))) => return Err(refusal(error).into()),
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(_)) => "the thread died".into(),
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
            return unavailable("an earlier transaction did not end in time");
        }
        let (ended, end) = oneshot::channel();
        if self.requests.send(CommitRequest { batch, ended }).is_err() {
            return unavailable("the thread of the transactions has died");
        }
        match tokio::time::timeout(self.patience + GRACE, end).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => unavailable("the thread of the transactions has died"),
            Err(_) => {
                self.abandoned.store(true, Ordering::Relaxed);
                unavailable("librdkafka did not end a transaction in time")
            }
        }
    }
}

/// What the thread owns.
struct Worker {
    config: ClientConfig,
    fence: Arc<Fence>,
    patience: Duration,
    /// `None` after one that could not go on.
    producer: Option<Transactional>,
    /// How long transactions took that were aborted, since the last one that was not.
    in_vain: Duration,
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
        self.open(deadline).context("cannot begin transactions anew").map_err(TransactionError::Unavailable)?;
        let Some(producer) = &mut self.producer else {
            return Err(TransactionError::Aborted("there is no producer".into()));
        };
        let offsets = || {
            let proof = self.fence.proof(&batch.settled).map_err(Failure::Aborted)?;
            let list = fence::list(&batch.settled).map_err(Failure::Hopeless)?;
            Ok((!batch.settled.is_empty()).then_some((list, proof)))
        };
        // The other half of the patience is for finding out what became of it.
        let written = producer.write(&batch.records, offsets, begun + self.patience / 2);
        if producer.is_spent() {
            self.producer = None;
        }
        match written {
            Ok(()) => {
                self.in_vain = Duration::ZERO;
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

    /// What was aborted may be tried again, but not for ever.
    fn aborted(&mut self, begun: Instant, reason: String) -> Result<(), TransactionError> {
        self.in_vain += begun.elapsed();
        if self.in_vain < self.patience {
            return Err(TransactionError::Aborted(reason));
        }
        let tried = format!("no transaction could be committed, and {:?} went into it", self.patience);
        Err(TransactionError::Unavailable(anyhow!(reason).context(tried)))
    }

    /// Finds out what became of a commit that did not say so.
    fn resolve(
        &mut self,
        settled: &[Settlement],
        error: KafkaError,
        deadline: Instant,
    ) -> Result<(), TransactionError> {
        tracing::warn!(%error, "the end of a transaction is not known, it is looked up");
        let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now()).max(GRACE);
        let ended = self.open(deadline).context("cannot end the transaction");
        match ended.and_then(|()| self.fence.outcome(settled, left(deadline))) {
            Ok(Outcome::Committed) => {
                self.fence.committed(settled);
                Ok(())
            }
            Ok(Outcome::Aborted) => Err(TransactionError::Aborted(error.to_string())),
            Err(lookup) => {
                let unknown = format!("it is not known whether a transaction was committed ({error})");
                Err(TransactionError::Unavailable(lookup.context(unknown)))
            }
        }
    }
}
