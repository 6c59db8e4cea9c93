//! librdkafka's properties: our defaults, those that can be set, and why some others cannot.
//!
//! Whatever is not listed cannot be set. librdkafka has properties that load a library into this process or start a
//! program, some of them while a configuration is only being read, and a later version may bring more.

/// A default: the property, its alias (or the same name again), and the value.
pub(super) type Preset = (&'static str, &'static str, &'static str);

pub(super) const FOR_ALL: &[Preset] =
    &[("client.id", "client.id", "gristmill"), ("socket.keepalive.enable", "socket.keepalive.enable", "true")];

pub(super) const FOR_CONSUMERS: &[Preset] = &[
    ("allow.auto.create.topics", "allow.auto.create.topics", "false"),
    ("check.crcs", "check.crcs", "true"),
    // The memory of a consumer: what is fetched ahead of the poll, in addition to our own high-water mark.
    ("queued.min.messages", "queued.min.messages", "1000"),
    ("queued.max.messages.kbytes", "queued.max.messages.kbytes", "16384"),
    ("fetch.message.max.bytes", "max.partition.fetch.bytes", "1048576"),
    ("fetch.max.bytes", "fetch.max.bytes", "16777216"),
    // The first record of a fetch arrives whole even if it exceeds all of these, up to this.
    ("receive.message.max.bytes", "receive.message.max.bytes", "100000000"),
    // After a pause the next fetch waits this long for an earlier one that is in flight and found nothing.
    ("fetch.wait.max.ms", "fetch.wait.max.ms", "100"),
    // The library's default of 1 s would delay the first event after a lull.
    ("fetch.queue.backoff.ms", "fetch.queue.backoff.ms", "100"),
];

pub(super) const FOR_MEMBERS: &[Preset] = &[
    // Where the group begins is decided at each assignment. This covers a committed offset whose record is gone: neither
    // end of the partition may be chosen silently.
    ("auto.offset.reset", "auto.offset.reset", "error"),
];

pub(super) const FOR_PRODUCERS: &[Preset] = &[
    ("acks", "request.required.acks", "all"),
    ("enable.idempotence", "enable.idempotence", "true"),
    ("linger.ms", "queue.buffering.max.ms", "5"),
    ("compression.type", "compression.codec", "lz4"),
    ("message.timeout.ms", "delivery.timeout.ms", "120000"),
    ("queue.buffering.max.kbytes", "queue.buffering.max.kbytes", "65536"),
    // The broker decides how large a record may be; the library's own limit of 1 MB would interfere. Batches stay at
    // `batch.size`, so that a record which is too large is rejected alone. 16 MiB for an event, and 1 MiB for what a
    // dead letter adds to it.
    ("message.max.bytes", "message.max.bytes", "17825792"),
];

pub(super) const FOR_TRANSACTIONS: &[Preset] = &[
    // Readers of committed records, and the next owner of its partitions, wait at most this long for a host that died.
    ("transaction.timeout.ms", "transaction.timeout.ms", "10000"),
];

/// Which clients know a property. A client is given only what it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    Any,
    Consumer,
    Producer,
}

use Client::{Any, Consumer, Producer};

/// The properties that can be set.
pub(super) const SETTABLE: &[(&str, Client)] = &[
    // Who we are, and how we connect.
    ("client.id", Any),
    ("client.rack", Any),
    ("client.dns.lookup", Any),
    ("broker.address.family", Any),
    ("broker.address.ttl", Any),
    ("api.version.request.timeout.ms", Any),
    ("connections.max.idle.ms", Any),
    ("socket.connection.setup.timeout.ms", Any),
    ("socket.timeout.ms", Any),
    ("socket.keepalive.enable", Any),
    ("socket.nagle.disable", Any),
    ("socket.max.fails", Any),
    ("socket.send.buffer.bytes", Any),
    ("socket.receive.buffer.bytes", Any),
    ("reconnect.backoff.ms", Any),
    ("reconnect.backoff.max.ms", Any),
    ("retry.backoff.ms", Any),
    ("retry.backoff.max.ms", Any),
    ("max.in.flight", Any),
    ("max.in.flight.requests.per.connection", Any),
    ("message.copy.max.bytes", Any),
    ("receive.message.max.bytes", Any),
    ("metadata.max.age.ms", Any),
    ("metadata.recovery.strategy", Any),
    ("metadata.recovery.rebootstrap.trigger.ms", Any),
    ("topic.metadata.refresh.interval.ms", Any),
    ("topic.metadata.refresh.fast.interval.ms", Any),
    ("topic.metadata.refresh.sparse", Any),
    ("topic.metadata.propagation.max.ms", Any),
    ("allow.auto.create.topics", Any),
    ("enable.metrics.push", Any),
    ("debug", Any),
    ("log.connection.close", Any),
    // Security.
    ("security.protocol", Any),
    ("sasl.mechanism", Any),
    ("sasl.mechanisms", Any),
    ("sasl.username", Any),
    ("sasl.password", Any),
    ("enable.ssl.certificate.verification", Any),
    ("ssl.endpoint.identification.algorithm", Any),
    ("ssl.ca.location", Any),
    ("ssl.ca.pem", Any),
    ("ssl.crl.location", Any),
    ("ssl.certificate.location", Any),
    ("ssl.certificate.pem", Any),
    ("ssl.key.location", Any),
    ("ssl.key.pem", Any),
    ("ssl.key.password", Any),
    ("ssl.keystore.location", Any),
    ("ssl.keystore.password", Any),
    ("ssl.cipher.suites", Any),
    ("ssl.curves.list", Any),
    ("ssl.sigalgs.list", Any),
    // The group.
    ("group.instance.id", Consumer),
    ("group.protocol", Consumer),
    ("group.remote.assignor", Consumer),
    ("partition.assignment.strategy", Consumer),
    ("session.timeout.ms", Consumer),
    ("heartbeat.interval.ms", Consumer),
    ("max.poll.interval.ms", Consumer),
    ("coordinator.query.interval.ms", Consumer),
    // Reading.
    ("auto.offset.reset", Consumer),
    ("isolation.level", Consumer),
    ("check.crcs", Consumer),
    ("queued.min.messages", Consumer),
    ("queued.max.messages.kbytes", Consumer),
    ("fetch.min.bytes", Consumer),
    ("fetch.max.bytes", Consumer),
    ("fetch.message.max.bytes", Consumer),
    ("max.partition.fetch.bytes", Consumer),
    ("fetch.wait.max.ms", Consumer),
    ("fetch.queue.backoff.ms", Consumer),
    ("fetch.error.backoff.ms", Consumer),
    // Writing.
    ("message.max.bytes", Producer),
    ("acks", Producer),
    ("request.required.acks", Producer),
    ("enable.idempotence", Producer),
    ("request.timeout.ms", Producer),
    ("message.timeout.ms", Producer),
    ("delivery.timeout.ms", Producer),
    ("transaction.timeout.ms", Producer),
    ("retries", Producer),
    ("message.send.max.retries", Producer),
    ("linger.ms", Producer),
    ("queue.buffering.max.ms", Producer),
    ("queue.buffering.max.messages", Producer),
    ("queue.buffering.max.kbytes", Producer),
    ("queue.buffering.backpressure.threshold", Producer),
    ("batch.size", Producer),
    ("batch.num.messages", Producer),
    ("compression.type", Producer),
    ("compression.codec", Producer),
    ("compression.level", Producer),
    ("partitioner", Producer),
    ("sticky.partitioning.linger.ms", Producer),
];

const OWN_COMMITS: &str = "the host commits offsets itself, only for settled events";
const OWN_BROKERS: &str = "set brokers under [kafka]";
const OWN_ACKS: &str = "a record counts as written only when every in-sync replica has it";
const NO_NATIVE_CODE: &str = "it would run code of its own in the host, or start a program";
const NOT_BUILT_IN: &str = "this build has no Kerberos and gets no tokens for OAUTHBEARER; use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or certificates";
const MECHANISMS: &[&str] = &["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// Properties that cannot be set, and why. Those whose name ends in a dot stand for all that begin so.
pub(super) const REFUSED: &[(&str, &str)] = &[
    ("enable.auto.commit", OWN_COMMITS),
    ("auto.commit.enable", OWN_COMMITS),
    ("auto.commit.interval.ms", OWN_COMMITS),
    ("enable.auto.offset.store", OWN_COMMITS),
    ("offset.store.", OWN_COMMITS),
    ("group.id", "set group under [source]"),
    ("bootstrap.servers", OWN_BROKERS),
    ("metadata.broker.list", OWN_BROKERS),
    ("delivery.report.only.error", OWN_ACKS),
    ("transactional.id", "it is derived from the group's name and its group.instance.id"),
    ("enable.partition.eof", "a source has no end"),
    ("plugin.library.paths", NO_NATIVE_CODE),
    ("ssl.engine.", NO_NATIVE_CODE),
    ("ssl.providers", NO_NATIVE_CODE),
    ("sasl.kerberos.", NOT_BUILT_IN),
    ("sasl.oauthbearer.", NOT_BUILT_IN),
    ("enable.sasl.oauthbearer.unsecure.jwt", NOT_BUILT_IN),
    ("test.mock.", "write brokers = \"embedded\" for a broker in memory"),
];

/// The only values that a property can have, and why.
pub(super) const FIXED: &[(&str, &[&str], &str)] = &[
    ("acks", &["all", "-1"], OWN_ACKS),
    ("request.required.acks", &["all", "-1"], OWN_ACKS),
    ("enable.idempotence", &["true"], "without it a retry could write a record twice or out of order"),
    (
        "partitioner",
        &["consistent", "consistent_random", "murmur2", "murmur2_random", "fnv1a", "fnv1a_random"],
        "records of one key must stay in one partition",
    ),
    (
        "auto.offset.reset",
        &["error", "earliest", "smallest", "beginning"],
        "records that are still there would be skipped; source.start says where a new group begins",
    ),
    ("sasl.mechanism", MECHANISMS, NOT_BUILT_IN),
    ("sasl.mechanisms", MECHANISMS, NOT_BUILT_IN),
];

/// Decided by the broker when `group.protocol` is `consumer`.
pub(super) const CLASSIC_ONLY: &[&str] =
    &["partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms"];

/// What a client may be that is built from files and secrets: left out where only a rehearsal is made.
pub(super) const SECURITY: &[&str] = &["ssl.", "sasl.", "security.", "enable.ssl."];
