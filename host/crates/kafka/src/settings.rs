//! How to reach the brokers: our defaults for librdkafka, and what an operator may and may not change about them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use super::faults::{self, PropertyFault};
use super::properties::{
    Client, FOR_ALL, FOR_CONSUMERS, FOR_MEMBERS, FOR_PRODUCERS, FOR_TRANSACTIONS, Preset, SETTABLE,
};
use gristmill_core::ports::Start;

/// Which brokers, and how to connect to them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// Properties of librdkafka, TLS and SASL among them. They override our defaults; those that would break a promise
    /// are rejected.
    pub properties: BTreeMap<String, String>,
}

impl fmt::Debug for Settings {
    /// Without the values of properties: they include passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.properties.keys().collect();
        f.debug_struct("Settings").field("brokers", &self.brokers).field("properties", &names).finish()
    }
}

/// What a pipeline reads, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSettings {
    /// The consumer group, shared by all hosts that run this pipeline.
    pub group: String,
    /// The topics, at least one.
    pub topics: Vec<String>,
    /// Where to begin in a partition of which the group has committed nothing yet. The place found for
    /// [`Start::Latest`] is committed immediately, so that a crash loses nothing that arrives before the first event is
    /// settled.
    pub start: Start,
    /// How long a revocation waits for the work on its partitions. Must be less than `max.poll.interval.ms`, by default
    /// five minutes, or the group removes this member.
    pub drain_timeout: Duration,
    /// How long closing waits for the last commit and for leaving the group, in total.
    pub close_timeout: Duration,
    /// How much may be read ahead before partitions are paused.
    pub high_water: HighWater,
}

impl SourceSettings {
    /// These topics for this group from their beginning, with 20 s to drain and 10 s to close.
    #[must_use]
    pub fn new(group: &str, topics: &[&str]) -> Self {
        Self {
            group: group.into(),
            topics: topics.iter().map(|topic| (*topic).into()).collect(),
            start: Start::Earliest,
            drain_timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(10),
            high_water: HighWater::default(),
        }
    }
}

/// How much may be read ahead of the pipeline before partitions are paused. They are resumed below half of it, because a
/// pause discards what librdkafka has already fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HighWater {
    /// Events.
    pub events: usize,
    /// Bytes of keys, values and headers. May be exceeded by one event.
    pub bytes: usize,
}

impl Default for HighWater {
    /// 1,000 events or 16 MiB.
    fn default() -> Self {
        Self { events: 1_000, bytes: 16 << 20 }
    }
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Properties that cannot be set, or not so; at least one.
    #[error("{}", faults::describe(.0))]
    Properties(Vec<PropertyFault>),
    /// Properties that contradict each other.
    #[error("these Kafka settings contradict each other: {0}")]
    Contradiction(String),
    /// No topic can have this name.
    #[error("{0:?} is not a valid topic name; use 1 to 249 letters, digits, dots, underscores and hyphens")]
    TopicName(String),
    /// Nothing to read.
    #[error("a source needs at least one topic")]
    NoTopics,
    /// The system cannot start a thread for the consumer.
    #[error("cannot start the thread of a Kafka consumer")]
    Thread(#[source] std::io::Error),
    /// librdkafka failed in another way.
    #[error("cannot create a Kafka client")]
    Client(#[source] KafkaError),
}

impl Settings {
    /// These brokers with our defaults.
    #[must_use]
    pub fn new(brokers: &str) -> Self {
        Self { brokers: brokers.into(), properties: BTreeMap::new() }
    }

    /// Finds what is wrong with single properties, without contacting a broker.
    ///
    /// # Errors
    /// All of them.
    pub fn check(&self) -> Result<(), SettingsError> {
        let faults = faults::of(self.properties.iter().map(|(name, value)| (name.as_str(), Some(value.as_str()))));
        if faults.is_empty() { Ok(()) } else { Err(SettingsError::Properties(faults)) }
    }

    /// Whether the group uses the protocol of KIP-848.
    pub(super) fn broker_assigns(&self) -> bool {
        self.properties.get("group.protocol").is_some_and(|protocol| protocol.eq_ignore_ascii_case("consumer"))
    }

    /// Whether members have names of their own, which they keep over restarts.
    pub(super) fn is_static(&self) -> bool {
        self.properties.get("group.instance.id").is_some_and(|id| !id.is_empty())
    }

    /// A property as a number of milliseconds, or `default` where it is not set.
    pub(super) fn millis(&self, property: &str, default: u64) -> Duration {
        let set = self.properties.get(property).and_then(|value| value.parse().ok());
        Duration::from_millis(set.unwrap_or(default))
    }

    /// For a member of the source's group.
    pub(super) fn member(&self, source: &SourceSettings) -> Result<ClientConfig, SettingsError> {
        self.check()?;
        if source.topics.is_empty() {
            return Err(SettingsError::NoTopics);
        }
        for topic in &source.topics {
            check_topic_name(topic)?;
        }
        if source.drain_timeout >= self.millis("max.poll.interval.ms", faults::POLL_INTERVAL) {
            let drain = source.drain_timeout;
            return Err(SettingsError::Contradiction(format!(
                "the drain timeout of {drain:?} must be shorter than max.poll.interval.ms"
            )));
        }
        let mut config = self.with(Client::Consumer, FOR_CONSUMERS);
        self.preset(&mut config, FOR_MEMBERS);
        if !self.broker_assigns() {
            let strategy = "partition.assignment.strategy";
            self.preset(&mut config, &[(strategy, strategy, "cooperative-sticky")]);
        }
        config.set("group.id", &source.group);
        config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        // How far it has read, markers of transactions among it, shows nowhere else.
        config.set("enable.partition.eof", "true");
        Ok(config)
    }

    /// For a consumer that assigns its partitions itself and sees where they end. librdkafka requires a group for that
    /// too, but nobody joins it and nothing is committed.
    pub(super) fn assigner(&self) -> Result<ClientConfig, SettingsError> {
        let mut config = self.reader()?;
        config.set("group.id", "gristmill-reader").set("enable.partition.eof", "true");
        Ok(config)
    }

    /// For a client that looks things up.
    pub(super) fn reader(&self) -> Result<ClientConfig, SettingsError> {
        self.check()?;
        let mut config = self.with(Client::Consumer, FOR_CONSUMERS);
        config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        Ok(config)
    }

    /// For a producer.
    pub(super) fn producer(&self) -> Result<ClientConfig, SettingsError> {
        self.check()?;
        Ok(self.with(Client::Producer, FOR_PRODUCERS))
    }

    /// For a producer with this transactional id that begins a transaction at this interval.
    pub(super) fn transactional(&self, id: &str, every: Duration) -> Result<ClientConfig, SettingsError> {
        let mut config = self.producer()?;
        self.preset(&mut config, FOR_TRANSACTIONS);
        let timeout = config.get("transaction.timeout.ms").and_then(|value| value.parse().ok()).unwrap_or(60_000);
        if u128::from(timeout) <= every.as_millis() {
            return Err(SettingsError::Contradiction(format!(
                "transaction.timeout.ms = {timeout} must be longer than the {every:?} between transactions"
            )));
        }
        if self.properties.get("isolation.level").is_some_and(|level| level != "read_committed") {
            return Err(SettingsError::Contradiction(
                "exactly-once reads only committed records and offsets; leave isolation.level at read_committed".into(),
            ));
        }
        // librdkafka requires that a record times out before its transaction does.
        let delivery = ["message.timeout.ms", "delivery.timeout.ms"].into_iter().find_map(|name| {
            let longest: u64 = config.get(name)?.parse().ok()?;
            config.remove(name);
            Some(longest).filter(|longest| *longest > 0)
        });
        config.set("message.timeout.ms", delivery.unwrap_or(timeout).min(timeout).to_string());
        // A missing topic has to be noticed before its record times out.
        let propagation = "topic.metadata.propagation.max.ms";
        self.preset(&mut config, &[(propagation, propagation, &(timeout / 2).to_string())]);
        config.set("transactional.id", id);
        Ok(config)
    }

    fn with(&self, client: Client, presets: &[Preset]) -> ClientConfig {
        let mut config = ClientConfig::new();
        let known = |property: &str| SETTABLE.iter().find(|(name, _)| *name == property).map(|(_, client)| *client);
        for (property, value) in &self.properties {
            if known(property).is_some_and(|of| of == Client::Any || of == client) {
                config.set(property, value);
            }
        }
        self.preset(&mut config, FOR_ALL);
        self.preset(&mut config, presets);
        config.set("bootstrap.servers", &self.brokers);
        // Logs are filtered in one place, which is not here.
        config.set_log_level(RDKafkaLogLevel::Info);
        config
    }

    /// Sets what the operator has set under neither of its names.
    fn preset(&self, config: &mut ClientConfig, presets: &[(&str, &str, &str)]) {
        for (property, alias, value) in presets {
            if !self.properties.contains_key(*property) && !self.properties.contains_key(*alias) {
                config.set(*property, *value);
            }
        }
    }
}

/// Turns librdkafka's error about a configuration into ours.
pub(super) fn client_error(error: KafkaError) -> SettingsError {
    match error {
        KafkaError::ClientConfig(_, reason, property, value) => {
            SettingsError::Properties(vec![faults::invalid(&property, &value, reason)])
        }
        KafkaError::ClientCreation(reason) => SettingsError::Contradiction(reason),
        error => SettingsError::Client(error),
    }
}

/// Kafka's rule for names of topics.
pub(super) fn check_topic_name(topic: &str) -> Result<(), SettingsError> {
    let fits = (1..=249).contains(&topic.len()) && topic != "." && topic != "..";
    match fits && topic.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        true => Ok(()),
        false => Err(SettingsError::TopicName(topic.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(property: &str, value: &str) -> Settings {
        let properties = BTreeMap::from([(property.into(), value.into())]);
        Settings { properties, ..Settings::new("localhost:9092") }
    }

    fn source() -> SourceSettings {
        SourceSettings::new("group", &["topic"])
    }

    #[test]
    fn an_operators_property_wins_under_either_name() {
        let config = with("queue.buffering.max.ms", "50").producer().unwrap();
        assert_eq!((config.get("queue.buffering.max.ms"), config.get("linger.ms")), (Some("50"), None));
        let config = with("linger.ms", "50").producer().unwrap();
        assert_eq!(config.get("linger.ms"), Some("50"));
    }

    #[test]
    fn a_client_is_given_only_what_it_knows() {
        let config = with("session.timeout.ms", "6000").producer().unwrap();
        assert_eq!(config.get("session.timeout.ms"), None);
        let config = with("linger.ms", "50").member(&source()).unwrap();
        assert_eq!(config.get("linger.ms"), None);
        let config = with("client.rack", "a").producer().unwrap();
        assert_eq!(config.get("client.rack"), Some("a"));
    }

    #[test]
    fn offsets_are_only_committed_by_us() {
        let config = with("session.timeout.ms", "6000").member(&source()).unwrap();
        assert_eq!(config.get("enable.auto.commit"), Some("false"));
        assert_eq!(config.get("enable.auto.offset.store"), Some("false"));
        assert_eq!(config.get("session.timeout.ms"), Some("6000"));
    }

    #[test]
    fn the_broker_side_protocol_sets_nothing_that_the_broker_decides() {
        let settings = with("group.protocol", "consumer");
        let config = settings.member(&source()).unwrap();
        assert_eq!(config.get("partition.assignment.strategy"), None);
        assert!(config.create::<rdkafka::consumer::BaseConsumer>().is_ok());
    }

    #[test]
    fn a_drain_that_outlasts_the_poll_interval_is_rejected() {
        let source = SourceSettings { drain_timeout: Duration::from_secs(20), ..source() };
        with("max.poll.interval.ms", "21000").member(&source).unwrap();
        let error = with("max.poll.interval.ms", "20000").member(&source).unwrap_err();
        assert!(matches!(error, SettingsError::Contradiction(_)), "{error}");
    }

    #[test]
    fn a_record_of_a_transaction_times_out_before_the_transaction_does() {
        let every = Duration::from_millis(100);
        for settings in [Settings::new("localhost"), with("delivery.timeout.ms", "90000")] {
            let config = settings.transactional("id", every).unwrap();
            assert_eq!(config.get("message.timeout.ms"), Some("10000"));
            assert!(config.create::<rdkafka::producer::BaseProducer>().is_ok());
        }
        let config = with("delivery.timeout.ms", "2000").transactional("id", every).unwrap();
        assert_eq!((config.get("message.timeout.ms"), config.get("delivery.timeout.ms")), (Some("2000"), None));
    }

    #[test]
    fn a_transaction_that_times_out_before_the_next_one_is_due_is_rejected() {
        let settings = with("transaction.timeout.ms", "2000");
        assert!(settings.transactional("id", Duration::from_millis(1_999)).is_ok());
        let error = settings.transactional("id", Duration::from_secs(2)).unwrap_err();
        assert!(matches!(error, SettingsError::Contradiction(_)), "{error}");
    }

    #[test]
    fn exactly_once_reads_only_what_is_committed() {
        let settings = with("isolation.level", "read_uncommitted");
        let error = settings.transactional("id", Duration::from_millis(100)).unwrap_err();
        assert!(error.to_string().contains("isolation.level"), "{error}");
    }

    #[test]
    fn no_password_is_shown() {
        assert!(!format!("{:?}", with("sasl.password", "hunter2")).contains("hunter2"));
    }

    #[test]
    fn an_invalid_topic_name_is_rejected() {
        for name in ["", "a topic", "a\0", "..", "\u{fc}"] {
            assert!(check_topic_name(name).is_err(), "{name:?}");
        }
        check_topic_name("in.v1_a-b").unwrap();
        let source = SourceSettings { topics: Vec::new(), ..source() };
        assert!(matches!(Settings::new("localhost").member(&source), Err(SettingsError::NoTopics)));
    }
}
