//! Harnesses for Kafka: the real broker with both group protocols, and the embedded one as far as it conforms.

use std::collections::BTreeMap;

use async_trait::async_trait;
use gristmill_core::ports::{Role, Sink, Source, Topic};
use gristmill_kafka::{
    Creation, EmbeddedBroker, KafkaSink, KafkaSource, Settings, SourceSettings, check_topics, topic_stats,
};

use crate::harness::{Harness, Settles};

/// A topic and a group on some Kafka.
pub(crate) struct Kafka {
    pub(crate) settings: Settings,
    pub(crate) source: SourceSettings,
    /// Runs as long as this.
    pub(crate) _embedded: Option<EmbeddedBroker>,
}

impl Kafka {
    /// On the real broker, with the classic group protocol and frequent heartbeats.
    pub(crate) async fn real(partitions: u16) -> Self {
        let mut settings = Settings::new(&address());
        settings.properties.insert("heartbeat.interval.ms".into(), "200".into());
        settings.properties.insert("session.timeout.ms".into(), "6000".into());
        let name = fresh_name();
        let creation = Creation { partitions, replication: 1 };
        let created = check_topics(&settings, &[topic(&name, Role::Source)], Some(creation)).await.unwrap().created;
        assert_eq!(created, [name.as_str()]);
        Self { settings, source: SourceSettings::new(&name, &[&name]), _embedded: None }
    }

    /// The same, with the group protocol of KIP-848.
    async fn real_broker_side(partitions: u16) -> Self {
        let mut kafka = Self::real(partitions).await;
        kafka.settings.properties = BTreeMap::from([("group.protocol".into(), "consumer".into())]);
        kafka
    }

    /// On an embedded broker of its own.
    pub(crate) async fn embedded(partitions: u16) -> Self {
        let broker = EmbeddedBroker::start().unwrap();
        let name = fresh_name();
        broker.create_topic(&name, partitions).unwrap();
        Self { settings: broker.settings(), source: SourceSettings::new(&name, &[&name]), _embedded: Some(broker) }
    }

    pub(crate) fn kafka_source(&self) -> KafkaSource {
        KafkaSource::open(&self.settings, self.source.clone()).unwrap()
    }

    pub(crate) fn name(&self) -> &str {
        &self.source.topics[0]
    }

    async fn committed(&self) -> BTreeMap<u32, u128> {
        let stats = topic_stats(&self.settings, self.name(), Some(&self.source.group)).await.unwrap();
        let committed = stats.iter().filter_map(|stats| Some((stats.partition, stats.committed?)));
        committed.map(|(partition, offset)| (partition, u128::try_from(offset).unwrap())).collect()
    }
}

/// The broker of the tests.
pub(crate) fn address() -> String {
    std::env::var("GRISTMILL_TEST_KAFKA").expect(
        "GRISTMILL_TEST_KAFKA is not set: run `cargo verify`, which starts a broker, or start one with `cargo xtask kafka` \
         and set what it prints",
    )
}

/// A name for a topic and a group that nobody else uses.
pub(crate) fn fresh_name() -> String {
    format!("test-{:016x}", fastrand::u64(..))
}

/// A topic as a pipeline names it.
pub(crate) fn topic(name: &str, role: Role) -> Topic {
    Topic { name: name.into(), role }
}

macro_rules! harness {
    ($name:ident, $fresh:expr) => {
        pub(crate) struct $name(pub(crate) Kafka);

        #[async_trait]
        impl Harness for $name {
            const SETTLES: Settles = Settles::UpTo;

            async fn fresh(partitions: u16) -> Self {
                Self($fresh(partitions).await)
            }
            fn source(&self) -> Box<dyn Source> {
                Box::new(self.0.kafka_source())
            }
            fn sink(&self) -> Box<dyn Sink> {
                Box::new(KafkaSink::open(&self.0.settings).unwrap())
            }
            fn topic(&self) -> &str {
                self.0.name()
            }
            async fn committed(&self) -> BTreeMap<u32, u128> {
                self.0.committed().await
            }
        }
    };
}

harness!(Classic, Kafka::real);
harness!(BrokerSide, Kafka::real_broker_side);
harness!(Embedded, Kafka::embedded);

mod classic {
    gristmill_conformance::conformance! {
        super::Classic:
        every_event_arrives,
        unsettled_events_are_redelivered_after_a_close,
        settled_events_are_not_redelivered,
        settlements_are_committed_without_a_close,
        a_hole_is_never_committed,
        control_only_delivers_a_revocation_and_no_event,
        the_old_owner_of_a_partition_cannot_settle_in_it,
        a_partition_that_comes_back_is_not_set_back,
        two_members_share_the_work, what_is_held_of_a_revoked_partition_holds_up_no_other,
        what_was_settled_before_the_acknowledgement_does_not_go_to_the_next_owner,
        a_record_arrives_with_everything_it_has,
        the_order_of_each_key_is_kept,
        a_record_over_the_brokers_limit_is_rejected_alone,
    }
}

/// `group.protocol = "consumer"`, KIP-848.
mod broker_side {
    gristmill_conformance::conformance! {
        super::BrokerSide:
        every_event_arrives,
        unsettled_events_are_redelivered_after_a_close,
        settled_events_are_not_redelivered,
        settlements_are_committed_without_a_close,
        a_hole_is_never_committed,
        control_only_delivers_a_revocation_and_no_event,
        the_old_owner_of_a_partition_cannot_settle_in_it,
        a_partition_that_comes_back_is_not_set_back,
        two_members_share_the_work, what_is_held_of_a_revoked_partition_holds_up_no_other,
        what_was_settled_before_the_acknowledgement_does_not_go_to_the_next_owner,
    }
}

mod embedded {
    gristmill_conformance::conformance! {
        super::Embedded:
        every_event_arrives,
        unsettled_events_are_redelivered_after_a_close,
        settled_events_are_not_redelivered,
        settlements_are_committed_without_a_close,
        a_hole_is_never_committed,
        control_only_delivers_a_revocation_and_no_event,
        the_old_owner_of_a_partition_cannot_settle_in_it,
        a_partition_that_comes_back_is_not_set_back,
        two_members_share_the_work, what_is_held_of_a_revoked_partition_holds_up_no_other,
        what_was_settled_before_the_acknowledgement_does_not_go_to_the_next_owner,
        a_record_arrives_with_everything_it_has,
        the_order_of_each_key_is_kept,
    }
}
