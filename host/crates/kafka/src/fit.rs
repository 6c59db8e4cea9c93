//! Whether properties that are good by themselves fit each other, and the pipeline.

use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::producer::FutureProducer;

use super::faults::{Fit, POLL_INTERVAL, PropertyFault, PropertyReason};
use super::properties::{CLASSIC_ONLY, SECURITY};
use super::settings::{Settings, SettingsError, SourceSettings, client_error};

/// librdkafka's defaults, in milliseconds.
const SESSION: u64 = 45_000;
const HEARTBEAT: u64 = 3_000;
/// What a revocation takes besides draining: that the flow's answer arrives, and a commit. The host does not poll then.
const BESIDE_DRAIN: Duration = Duration::from_secs(4);

impl Settings {
    /// What does not fit each other, or the pipeline. Only for properties that are good by themselves.
    #[must_use]
    pub fn misfits(&self, fit: Fit) -> Vec<PropertyFault> {
        let mut faults = Vec::new();
        let mut unfit = |property: &str, reason: String| {
            faults.push(PropertyFault { property: property.to_owned(), reason: PropertyReason::Unfit(reason) });
        };
        let (poll, session, heartbeat) = (
            self.millis("max.poll.interval.ms", POLL_INTERVAL),
            self.millis("session.timeout.ms", SESSION),
            self.millis("heartbeat.interval.ms", HEARTBEAT),
        );
        let classic_by_name = self.properties.get("group.protocol").is_some_and(|name| !name.is_empty());
        if self.broker_assigns() || (fit.embedded && !classic_by_name) {
            for property in CLASSIC_ONLY.iter().filter(|property| self.properties.contains_key(**property)) {
                let instead = if fit.embedded { "group.protocol = \"classic\"" } else { "another group.protocol" };
                unfit(property, format!("the broker decides this; take it out, or set {instead}"));
            }
        } else {
            if poll < session {
                let property = self.first_set(&["max.poll.interval.ms", "session.timeout.ms"]);
                let (poll, session) = (poll.as_millis(), session.as_millis());
                let reason = format!("max.poll.interval.ms is {poll}, below session.timeout.ms, which is {session}");
                unfit(property, reason);
            }
            if heartbeat >= session {
                let property = self.first_set(&["heartbeat.interval.ms", "session.timeout.ms"]);
                let (heartbeat, session) = (heartbeat.as_millis(), session.as_millis());
                unfit(
                    property,
                    format!(
                        "heartbeat.interval.ms is {heartbeat}, not below session.timeout.ms, which is {session}; a third \
                         of it is usual"
                    ),
                );
            }
        }
        let uses_sasl = self.properties.get("security.protocol").is_some_and(|protocol| {
            let protocol = protocol.to_ascii_lowercase();
            protocol.starts_with("sasl_")
        });
        if uses_sasl && !["sasl.mechanism", "sasl.mechanisms"].iter().any(|name| self.properties.contains_key(*name)) {
            unfit("security.protocol", "it needs sasl.mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512".into());
        }
        let least = fit.drain_timeout + BESIDE_DRAIN;
        if poll < least {
            unfit(
                "max.poll.interval.ms",
                format!(
                    "a host that drains does not poll: with drain_timeout under [limits] it needs at least {}",
                    least.as_millis()
                ),
            );
        }
        if let Some(every) = fit.transactions {
            let timeout = self.millis("transaction.timeout.ms", 10_000);
            if timeout <= every {
                let (timeout, every) = (timeout.as_millis(), every.as_millis());
                let reason = format!("it is {timeout}, and max_wait under [transactions] is {every}; make it longer");
                unfit("transaction.timeout.ms", reason);
            }
            if self.properties.get("isolation.level").is_some_and(|level| level != "read_committed") {
                unfit("isolation.level", "exactly-once reads only committed records; take this line out".into());
            }
        }
        faults
    }

    /// The first of these that is set, else the first.
    fn first_set<'a>(&self, properties: &[&'a str]) -> &'a str {
        let set = properties.iter().find(|property| self.properties.contains_key(**property));
        set.or(properties.first()).copied().unwrap_or_default()
    }

    /// Lets librdkafka look at all properties together, by making a consumer and a producer that know no broker and are
    /// dropped at once. What reads files or secrets is left out.
    ///
    /// # Errors
    /// Its reason, in its words.
    pub fn rehearse(&self) -> Result<(), SettingsError> {
        let harmless = |name: &str| !SECURITY.iter().any(|prefix| name.starts_with(prefix)) && name != "debug";
        let properties = self.properties.iter().filter(|(name, _)| harmless(name));
        let properties = properties.map(|(name, value)| (name.clone(), value.clone())).collect();
        let settings = Settings { brokers: String::new(), properties };
        let source = SourceSettings { drain_timeout: Duration::ZERO, ..SourceSettings::new("check", &["check"]) };
        let mut member = settings.member(&source)?;
        member.remove("bootstrap.servers");
        drop(member.create_with_context::<_, BaseConsumer<Silent>>(Silent).map_err(client_error)?);
        let mut producer = settings.producer()?;
        producer.remove("bootstrap.servers");
        drop(producer.create_with_context::<_, FutureProducer<Silent>>(Silent).map_err(client_error)?);
        Ok(())
    }
}

/// The context of a client that only exists to be created.
#[derive(Clone, Copy)]
struct Silent;

impl ClientContext for Silent {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, _: KafkaError, _: &str) {}
}

impl ConsumerContext for Silent {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rdkafka::ClientConfig;

    use super::*;
    use crate::faults::{invalid, of, settable};

    fn with(properties: &[(&str, &str)]) -> Settings {
        let properties = properties.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Settings { properties, ..Settings::new("localhost:9092") }
    }

    fn faults(properties: &[(&str, &str)]) -> Vec<PropertyFault> {
        match with(properties).check() {
            Ok(()) => Vec::new(),
            Err(SettingsError::Properties(faults)) => faults,
            Err(error) => panic!("{error}"),
        }
    }

    const FIT: Fit = Fit { embedded: false, drain_timeout: Duration::from_secs(30), transactions: None };

    fn misfits(properties: &[(&str, &str)], fit: Fit) -> Vec<String> {
        with(properties).misfits(fit).into_iter().map(|fault| fault.property).collect()
    }

    #[test]
    fn what_would_break_a_promise_is_rejected() {
        for property in ["enable.auto.commit", "offset.store.path", "group.id", "transactional.id"] {
            let faults = faults(&[(property, "true")]);
            assert!(matches!(faults[..], [PropertyFault { reason: PropertyReason::Refused(_), .. }]), "{faults:?}");
        }
        for (property, value) in [
            ("acks", "1"),
            ("request.required.acks", "0"),
            ("enable.idempotence", "false"),
            ("partitioner", "random"),
            ("auto.offset.reset", "latest"),
            ("sasl.mechanism", "OAUTHBEARER"),
        ] {
            let faults = faults(&[(property, value)]);
            assert!(matches!(faults[..], [PropertyFault { reason: PropertyReason::Invalid { .. }, .. }]), "{faults:?}");
        }
        assert_eq!(faults(&[("acks", "all"), ("request.required.acks", "-1"), ("enable.idempotence", "true")]), []);
    }

    /// A library named by the first of these is loaded while the property is being set, long before anything connects.
    #[test]
    fn what_runs_code_never_reaches_librdkafka() {
        for property in [
            "plugin.library.paths",
            "ssl.engine.location",
            "ssl.engine.id",
            "ssl.providers",
            "sasl.kerberos.kinit.cmd",
            "sasl.oauthbearer.token.endpoint.url",
        ] {
            assert!(!settable().any(|name| name == property), "{property}");
            let faults = faults(&[(property, "/nonexistent/library")]);
            assert!(matches!(faults[..], [PropertyFault { reason: PropertyReason::Refused(_), .. }]), "{faults:?}");
        }
    }

    #[test]
    fn everything_that_can_be_set_is_known_to_librdkafka_and_nothing_is_both_settable_and_refused() {
        for property in settable() {
            assert_eq!(of([(property, None)].into_iter()), [], "{property}");
            // An unknown name and a bad value are different errors.
            let mut config = ClientConfig::new();
            config.set(property, "\u{1}");
            if let Err(KafkaError::ClientConfig(_, reason, ..)) = config.create_native_config() {
                assert!(!reason.contains("No such configuration property"), "{property}: {reason}");
            }
        }
    }

    #[test]
    fn everything_that_can_be_set_is_documented() {
        let docs = include_str!("../../../../docs/pipeline-file.md");
        for property in settable() {
            assert!(docs.contains(&format!("`{property}`")), "{property}");
        }
    }

    #[test]
    fn all_bad_properties_are_found_together() {
        let found = faults(&[("sesion.timeout.ms", "1"), ("linger.ms", "soon"), ("group.id", "x"), ("acks", "all")]);
        let named: Vec<&str> = found.iter().map(|fault| fault.property.as_str()).collect();
        assert_eq!(named, ["group.id", "linger.ms", "sesion.timeout.ms"]);
        assert!(matches!(&found[1].reason, PropertyReason::Invalid { value, .. } if value == "soon"));
        assert_eq!(found[2].reason, PropertyReason::Unknown);
    }

    #[test]
    fn no_secret_is_repeated() {
        let fault = invalid("ssl.key.pem", "hunter2", "\"hunter2\" is no key".into());
        assert!(!fault.to_string().contains("hunter2"), "{fault}");
        let secret =
            Settings { properties: BTreeMap::from([("sasl.password".into(), "a\0hunter2".into())]), ..with(&[]) };
        assert!(!secret.check().unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn times_of_the_group_must_fit() {
        assert_eq!(misfits(&[], FIT), [""; 0]);
        assert_eq!(misfits(&[("max.poll.interval.ms", "40000")], FIT), ["max.poll.interval.ms"]);
        assert_eq!(misfits(&[("session.timeout.ms", "400000")], FIT), ["session.timeout.ms"]);
        assert_eq!(misfits(&[("max.poll.interval.ms", "45000")], FIT), [""; 0], "equal is enough");
        assert_eq!(misfits(&[("session.timeout.ms", "3000")], FIT), ["session.timeout.ms"]);
        assert_eq!(
            misfits(&[("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "6000")], FIT),
            ["heartbeat.interval.ms"]
        );
        assert_eq!(misfits(&[("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "5999")], FIT), [""; 0]);
    }

    #[test]
    fn sasl_needs_a_mechanism_that_is_built_in() {
        assert_eq!(misfits(&[("security.protocol", "SASL_SSL")], FIT), ["security.protocol"]);
        let plain = [("security.protocol", "sasl_ssl"), ("sasl.mechanism", "PLAIN")];
        assert_eq!(misfits(&plain, FIT), [""; 0]);
        assert_eq!(misfits(&[("security.protocol", "ssl")], FIT), [""; 0]);
    }

    #[test]
    fn a_drain_must_end_before_the_group_gives_the_member_up() {
        let quick = |poll| [("session.timeout.ms", "6000"), ("max.poll.interval.ms", poll)];
        assert_eq!(misfits(&quick("33999"), FIT), ["max.poll.interval.ms"]);
        assert_eq!(misfits(&quick("34000"), FIT), [""; 0]);
        let longest = Fit { drain_timeout: Duration::from_secs(240), ..FIT };
        assert_eq!(misfits(&[], longest), [""; 0], "the longest drain fits the default");
    }

    #[test]
    fn where_the_broker_assigns_it_decides_the_times() {
        let properties = [("group.protocol", "consumer"), ("session.timeout.ms", "400000")];
        assert_eq!(misfits(&properties, FIT), ["session.timeout.ms"]);
        let embedded = Fit { embedded: true, ..FIT };
        assert_eq!(misfits(&[("heartbeat.interval.ms", "500")], embedded), ["heartbeat.interval.ms"]);
        let classic = [("group.protocol", "classic"), ("heartbeat.interval.ms", "500")];
        assert_eq!(misfits(&classic, embedded), [""; 0]);
    }

    #[test]
    fn transactions_must_be_shorter_than_their_timeout_and_read_what_is_committed() {
        let fit = Fit { transactions: Some(Duration::from_secs(2)), ..FIT };
        assert_eq!(misfits(&[("transaction.timeout.ms", "2000")], fit), ["transaction.timeout.ms"]);
        assert_eq!(misfits(&[("transaction.timeout.ms", "2001")], fit), [""; 0]);
        assert_eq!(misfits(&[("isolation.level", "read_uncommitted")], fit), ["isolation.level"]);
        assert_eq!(misfits(&[("isolation.level", "read_uncommitted")], FIT), [""; 0]);
    }

    #[test]
    fn librdkafkas_own_contradictions_are_found_without_a_broker() {
        with(&[]).rehearse().unwrap();
        with(&[("security.protocol", "ssl"), ("ssl.ca.location", "/nonexistent")]).rehearse().unwrap();
        with(&[("group.protocol", "consumer")]).rehearse().unwrap();
        with(&[("message.max.bytes", "100000000")]).rehearse().expect("only producers are given it");
        for contradiction in [[("max.in.flight", "100")], [("retries", "0")]] {
            let error = with(&contradiction).rehearse().unwrap_err();
            assert!(matches!(error, SettingsError::Contradiction(_)), "{contradiction:?}: {error}");
        }
    }
}
