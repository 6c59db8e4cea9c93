//! What is checked before anything runs: that brokers answer, credentials are accepted and topics exist.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::log::{self, LogOnly};
use super::settings::{Settings, SettingsError, check_topic_name, client_error};
use super::sizes::{self, DEAD_LETTER_LIMIT, LIMIT};
use gristmill_core::ports::{Checked, Role, Topic};

/// The longest a check takes; creating topics may take as long again.
const LONGEST: Duration = Duration::from_secs(10);
/// How long one request waits for its answer before connection errors are looked at.
const REQUEST: Duration = Duration::from_secs(1);

/// How missing topics are created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Creation {
    /// Partitions of each.
    #[schemars(range(min = 1, max = 10_000), extend("x-add" = "partitions = 6, say"))]
    pub partitions: u16,
    /// Replicas of each partition; at most the number of brokers.
    #[schemars(range(min = 1, max = 100), extend("x-add" = "replication = 3, or 1 on one broker"))]
    pub replication: u16,
}

/// Why a pipeline cannot start on these brokers.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The settings are invalid.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// No broker answers.
    #[error(
        "no Kafka broker answers at {brokers} ({reason}); check brokers under [kafka] and whether the broker is running"
    )]
    Unreachable {
        /// As configured.
        brokers: String,
        /// The last error, in librdkafka's words.
        reason: String,
    },
    /// A broker answers and rejects the connection.
    #[error(
        "the Kafka brokers at {brokers} reject the connection ({reason}); check the sasl.* and ssl.* properties under \
         [kafka]"
    )]
    Credentials {
        /// As configured.
        brokers: String,
        /// In librdkafka's words.
        reason: String,
    },
    /// All topics that cannot be used.
    #[error("{}", describe(.0))]
    Topics(Vec<TopicFault>),
}

/// One topic that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicFault {
    /// Its name.
    pub topic: String,
    /// Why not.
    pub reason: String,
}

fn describe(faults: &[TopicFault]) -> String {
    let mut text = String::from("these Kafka topics cannot be used:");
    for fault in faults {
        text.push_str(&format!("\n  {}: {}", fault.topic, fault.reason));
    }
    text.push_str("\ncreate missing topics, or set create_topics = { partitions = 6, replication = 3 } under [kafka]");
    text
}

/// Checks that the brokers answer and that all these topics exist; creates missing ones if `creation` says how. One
/// error names everything that is wrong. Takes at most 20 s, or 40 s when topics are created.
///
/// A dead-letter topic is created with a `max.message.bytes` of 18 MiB, so that every event fits in it with its
/// headers. The result warns of an existing one that accepts smaller records than a source holds.
///
/// Topics of the embedded broker are not created this way: see [`EmbeddedBroker`](super::EmbeddedBroker).
pub async fn check_topics(
    settings: &Settings,
    topics: &[Topic],
    creation: Option<Creation>,
) -> Result<Checked, CheckError> {
    let mut names: Vec<&str> = Vec::new();
    for topic in topics {
        check_topic_name(&topic.name)?;
        if !names.contains(&&*topic.name) {
            names.push(&topic.name);
        }
    }
    let created = provide(settings, topics, &names, creation).await?;
    let warnings = sizes::warnings(settings, topics).await;
    Ok(Checked { address: settings.brokers.clone(), created, warnings })
}

/// Finds these topics or creates them, and returns those created.
async fn provide(
    settings: &Settings,
    topics: &[Topic],
    names: &[&str],
    creation: Option<Creation>,
) -> Result<Vec<String>, CheckError> {
    let (faults, missing) = look(settings, names, Instant::now() + LONGEST).await?;
    if !faults.is_empty() {
        return Err(CheckError::Topics(faults));
    }
    let Some(creation) = creation.filter(|_| !missing.is_empty()) else {
        return match missing.is_empty() {
            true => Ok(Vec::new()),
            false => Err(CheckError::Topics(missing.into_iter().map(missing_topic).collect())),
        };
    };
    let dead_letters: Vec<&str> =
        topics.iter().filter(|topic| topic.role == Role::DeadLetters).map(|topic| &*topic.name).collect();
    create(settings, &missing, &dead_letters, creation).await?;
    // A topic is created before every broker knows it: to a consumer that asks too early it does not exist.
    let deadline = Instant::now() + LONGEST;
    loop {
        let names: Vec<&str> = missing.iter().map(String::as_str).collect();
        let (_, unknown) = look(settings, &names, deadline).await?;
        if unknown.is_empty() {
            return Ok(missing);
        }
        if Instant::now() >= deadline {
            return Err(CheckError::Topics(unknown.into_iter().map(missing_topic).collect()));
        }
    }
}

fn missing_topic(topic: String) -> TopicFault {
    TopicFault { topic, reason: "does not exist".into() }
}

async fn create(
    settings: &Settings,
    topics: &[String],
    dead_letters: &[&str],
    creation: Creation,
) -> Result<(), CheckError> {
    let admin: AdminClient<LogOnly> = settings.reader()?.create_with_context(LogOnly).map_err(client_error)?;
    let new: Vec<NewTopic<'_>> = topics
        .iter()
        .map(|topic| {
            let replication = TopicReplication::Fixed(creation.replication.into());
            let new = NewTopic::new(topic, creation.partitions.into(), replication);
            match dead_letters.contains(&topic.as_str()) {
                true => new.set(LIMIT, DEAD_LETTER_LIMIT),
                false => new,
            }
        })
        .collect();
    let options = AdminOptions::new().request_timeout(Some(LONGEST)).operation_timeout(Some(LONGEST));
    let results =
        admin.create_topics(&new, &options).await.map_err(|error| unreachable(settings, &error.to_string()))?;
    let mut faults = Vec::new();
    for result in results {
        match result {
            // Another host created it first.
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => {
                faults.push(TopicFault { topic, reason: format!("cannot be created: {code}") });
            }
        }
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(CheckError::Topics(faults)),
    }
}

/// Which topics cannot be used, and which do not exist.
async fn look(
    settings: &Settings,
    topics: &[&str],
    deadline: Instant,
) -> Result<(Vec<TopicFault>, Vec<String>), CheckError> {
    let settings = settings.clone();
    let topics: Vec<String> = topics.iter().map(|topic| (*topic).into()).collect();
    let asked = tokio::task::spawn_blocking(move || ask(&settings, topics, deadline));
    match asked.await {
        Ok(answer) => answer,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

fn ask(
    settings: &Settings,
    topics: Vec<String>,
    deadline: Instant,
) -> Result<(Vec<TopicFault>, Vec<String>), CheckError> {
    let (sender, errors) = mpsc::channel();
    let consumer: BaseConsumer<Errors> =
        settings.reader()?.create_with_context(Errors(sender)).map_err(client_error)?;
    let (mut faults, mut missing) = (Vec::new(), Vec::new());
    let mut reason = String::from("no answer");
    for topic in topics {
        let metadata = loop {
            if let Ok(metadata) = consumer.fetch_metadata(Some(&topic), REQUEST) {
                break metadata;
            }
            // The failure itself says little. Only a poll returns the errors of the connection.
            drop(consumer.poll(Duration::ZERO));
            for (error, text) in errors.try_iter() {
                if is_rejection(&error) {
                    return Err(CheckError::Credentials { brokers: settings.brokers.clone(), reason: text });
                }
                // That all brokers are down is no reason.
                if error != KafkaError::Global(RDKafkaErrorCode::AllBrokersDown) {
                    reason = text;
                }
            }
            if Instant::now() >= deadline {
                return Err(unreachable(settings, &reason));
            }
        };
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        match found.map(|found| found.error().map(RDKafkaErrorCode::from)) {
            None | Some(Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic)) => {
                missing.push(topic);
            }
            Some(Some(RDKafkaErrorCode::LeaderNotAvailable) | None) => {}
            Some(Some(code)) => faults.push(TopicFault { topic, reason: code.to_string() }),
        }
    }
    Ok((faults, missing))
}

fn unreachable(settings: &Settings, reason: &str) -> CheckError {
    CheckError::Unreachable { brokers: settings.brokers.clone(), reason: reason.into() }
}

fn is_rejection(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::UnsupportedSASLMechanism
                | RDKafkaErrorCode::SSL
        )
    )
}

/// Keeps the errors of a connection for the caller.
struct Errors(mpsc::Sender<(KafkaError, String)>);

impl ClientContext for Errors {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        // They end up in one error; one by one they are noise.
        log::line(RDKafkaLogLevel::Debug, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The receiver lives beside the consumer.
        let _ = self.0.send((error, reason.into()));
    }
}

impl ConsumerContext for Errors {}
