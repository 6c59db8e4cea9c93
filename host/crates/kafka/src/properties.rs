//! Our defaults for librdkafka's properties, and the properties that cannot be configured.

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
    // The first record of a fetch arrives whole even if it exceeds all of these: up to what a dead-letter topic accepts.
    ("receive.message.max.bytes", "receive.message.max.bytes", "20971520"),
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

const OWN_COMMITS: &str = "the host commits offsets itself, only for settled events";
const OWN_BROKERS: &str = "set brokers under [kafka]";
pub(super) const OWN_ACKS: &str = "a record counts as written only when every in-sync replica has it";

/// Properties that cannot be configured, and why.
pub(super) const NOT_CONFIGURABLE: &[(&str, &str)] = &[
    ("enable.auto.commit", OWN_COMMITS),
    ("auto.commit.enable", OWN_COMMITS),
    ("auto.commit.interval.ms", OWN_COMMITS),
    ("enable.auto.offset.store", OWN_COMMITS),
    ("offset.store.method", OWN_COMMITS),
    ("group.id", "set group under [source]"),
    ("bootstrap.servers", OWN_BROKERS),
    ("metadata.broker.list", OWN_BROKERS),
    ("delivery.report.only.error", OWN_ACKS),
    ("transactional.id", "it is derived from the group's name and its group.instance.id"),
    ("enable.partition.eof", "a source has no end"),
];

/// Decided by the broker when `group.protocol` is `consumer`.
pub(super) const CLASSIC_ONLY: &[&str] =
    &["partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms", "group.protocol.type"];
