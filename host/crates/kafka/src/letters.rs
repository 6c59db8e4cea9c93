//! Reads single dead letters back, which proves replays. Asked rarely, so its consumer lives only while it is used.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use async_trait::async_trait;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Message as _, Offset, TopicPartitionList};
use tokio::sync::oneshot;

use super::log::LogOnly;
use super::settings::{Settings, client_error};
use super::tail::is_transient;
use super::{message, offsets, stats};
use gristmill_core::model::{Event, EventId, Generation};
use gristmill_core::ports::{Letters, LettersError};

/// How long a lookup may take, beside connecting.
const LOOKUP: Duration = Duration::from_secs(10);
/// How long the consumer is kept without a question.
const IDLE: Duration = Duration::from_secs(10);
/// How often a lookup sees whether its time is over.
const POLL: Duration = Duration::from_millis(100);

type Answer = Result<Option<Event>, LettersError>;

/// The dead letters in one topic.
pub struct KafkaLetters {
    settings: Settings,
    topic: Arc<str>,
    /// The thread that looks up, while there is one. A lock, because several jobs ask; it is never held while one waits.
    reader: Mutex<Option<Sender<Question>>>,
}

struct Question {
    place: EventId,
    answer: oneshot::Sender<Answer>,
}

impl KafkaLetters {
    /// Those in this topic. Contacts no broker yet.
    #[must_use]
    pub fn new(settings: Settings, topic: Arc<str>) -> Self {
        Self { settings, topic, reader: Mutex::default() }
    }

    /// Hands the question to the reader, which is started if there is none.
    fn ask(&self, place: &EventId) -> Result<oneshot::Receiver<Answer>, LettersError> {
        let (answer, answered) = oneshot::channel();
        let mut question = Question { place: place.clone(), answer };
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &*reader {
            match running.send(question) {
                Ok(()) => return Ok(answered),
                Err(unsent) => question = unsent.0,
            }
        }
        let (questions, asked) = channel();
        let (settings, topic) = (self.settings.clone(), Arc::clone(&self.topic));
        thread::Builder::new()
            .name("kafka-letters".into())
            .spawn(move || answer_all(&settings, &topic, &asked))
            .map_err(|error| LettersError { reason: format!("cannot start a thread: {error}") })?;
        // The thread has just begun to receive.
        let _ = questions.send(question);
        *reader = Some(questions);
        Ok(answered)
    }
}

#[async_trait]
impl Letters for KafkaLetters {
    async fn find(&self, place: &EventId) -> Answer {
        if place.partition.topic != self.topic {
            return Ok(None);
        }
        loop {
            // A reader that ended at that moment has dropped the question.
            if let Ok(answer) = self.ask(place)?.await {
                return answer;
            }
        }
    }
}

/// Answers until nobody has asked for a while.
fn answer_all(settings: &Settings, topic: &Arc<str>, questions: &Receiver<Question>) {
    let mut reader: Option<Reader> = None;
    loop {
        let Question { place, answer } = match questions.recv_timeout(IDLE) {
            Ok(question) => question,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
        };
        if answer.is_closed() {
            continue;
        }
        let opened = match reader.take() {
            Some(reader) => Ok(reader),
            None => Reader::open(settings, topic),
        };
        let found = opened.and_then(|mut opened| {
            let found = opened.find(&place)?;
            reader = Some(opened);
            Ok(found)
        });
        let found = found.map_err(|error| LettersError { reason: format!("{error:#}") });
        // The others would only wait as long for the same reason.
        if let Err(error) = &found {
            while let Ok(other) = questions.try_recv() {
                let _ = other.answer.send(Err(error.clone()));
            }
        }
        let _ = answer.send(found);
    }
}

struct Reader {
    consumer: BaseConsumer<LogOnly>,
    topic: Arc<str>,
    partitions: BTreeSet<i32>,
}

impl Reader {
    fn open(settings: &Settings, topic: &Arc<str>) -> anyhow::Result<Self> {
        let mut config = settings.assigner()?;
        // A record that is gone is no other one, and only one is wanted.
        config.set("auto.offset.reset", "error").set("queued.min.messages", "1");
        // The first record of a fetch arrives whole, however large it is.
        config.set("fetch.message.max.bytes", "65536");
        let consumer: BaseConsumer<LogOnly> = config.create_with_context(LogOnly).map_err(client_error)?;
        let partitions = stats::partitions(&consumer, topic)?.into_iter().collect();
        Ok(Self { consumer, topic: Arc::clone(topic), partitions })
    }

    /// The record at this place, if there is one that we may read.
    fn find(&mut self, place: &EventId) -> anyhow::Result<Option<Event>> {
        let number = offsets::number(&place.partition);
        let Ok(wanted) = i64::try_from(place.position.0) else { return Ok(None) };
        if !self.partitions.contains(&number) {
            // Partitions may have been added since.
            self.partitions = stats::partitions(&self.consumer, &self.topic)?.into_iter().collect();
            if !self.partitions.contains(&number) {
                return Ok(None);
            }
        }
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, number, Offset::Offset(wanted))?;
        self.consumer.assign(&list)?;
        let found = self.read(number, wanted);
        self.consumer.unassign()?;
        found.with_context(|| format!("looking up {place}"))
    }

    fn read(&self, number: i32, wanted: i64) -> anyhow::Result<Option<Event>> {
        let (deadline, mut last) = (Instant::now() + LOOKUP, None);
        while Instant::now() < deadline {
            match self.consumer.poll(POLL) {
                None => {}
                Some(Ok(record)) if record.partition() != number => {}
                Some(Ok(record)) if record.offset() == wanted => {
                    let partition = message::partition(&record, &[Arc::clone(&self.topic)]);
                    return Ok(Some(message::event(&record, partition, Generation::default())));
                }
                // The next record there is: no dead letter is at this place.
                Some(Ok(_)) => return Ok(None),
                Some(Err(KafkaError::PartitionEOF(ended))) if ended == number => return Ok(None),
                Some(Err(error)) => match error.rdkafka_error_code() {
                    Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => return Ok(None),
                    Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                        let topic = &*self.topic;
                        tracing::warn!(
                            topic,
                            "without the right to read its dead letters no replay can be told from a forged one"
                        );
                        return Ok(None);
                    }
                    _ if is_transient(&error) || matches!(error, KafkaError::PartitionEOF(_)) => last = Some(error),
                    _ => return Err(error.into()),
                },
            }
        }
        Err(last.map_or_else(|| anyhow!("no answer within {LOOKUP:?}"), Into::into))
    }
}
