//! Our defaults for librdkafka's properties, and which of them no operator sets.

/// A default: the property, a second name of it (or the same again), and the value.
pub(super) type Preset = (&'static str, &'static str, &'static str);

pub(super) const FOR_ALL: &[Preset] =
    &[("client.id", "client.id", "gristmill"), ("socket.keepalive.enable", "socket.keepalive.enable", "true")];

pub(super) const FOR_CONSUMERS: &[Preset] = &[
    ("allow.auto.create.topics", "allow.auto.create.topics", "false"),
    ("check.crcs", "check.crcs", "true"),
    // The memory of a consumer: what is fetched ahead of the poll, besides our own high water.
    ("queued.min.messages", "queued.min.messages", "1000"),
    ("queued.max.messages.kbytes", "queued.max.messages.kbytes", "16384"),
    ("fetch.message.max.bytes", "max.partition.fetch.bytes", "1048576"),
    ("fetch.max.bytes", "fetch.max.bytes", "16777216"),
    // A first record comes whole even if it is larger than all these: as large as a dead-letter topic takes.
    ("receive.message.max.bytes", "receive.message.max.bytes", "20971520"),
    // After a pause the next fetch waits for the one that was on its way and found nothing: this long.
    ("fetch.wait.max.ms", "fetch.wait.max.ms", "100"),
    // The library's second is a long time for the first event after a lull.
    ("fetch.queue.backoff.ms", "fetch.queue.backoff.ms", "100"),
];

pub(super) const FOR_MEMBERS: &[Preset] = &[
    // Where the group begins is decided at each assignment. This is for a committed offset whose record is gone:
    // neither end of the partition may be taken silently.
    ("auto.offset.reset", "auto.offset.reset", "error"),
];

pub(super) const FOR_PRODUCERS: &[Preset] = &[
    ("acks", "request.required.acks", "all"),
    ("enable.idempotence", "enable.idempotence", "true"),
    ("linger.ms", "queue.buffering.max.ms", "5"),
    ("compression.type", "compression.codec", "lz4"),
    ("message.timeout.ms", "delivery.timeout.ms", "120000"),
    ("queue.buffering.max.kbytes", "queue.buffering.max.kbytes", "65536"),
    // How large a record may be is the broker's to say; the library's own 1 MB would be in its way. Batches stay at
    // `batch.size`, so that a record which is too large is refused alone. 16 MiB for an event, and 1 MiB for what a
    // dead letter adds to it.
    ("message.max.bytes", "message.max.bytes", "17825792"),
];

pub(super) const FOR_TRANSACTIONS: &[Preset] = &[
    // Readers of committed records wait this long at most for a host that died, and so does the next owner of its
    // partitions.
    ("transaction.timeout.ms", "transaction.timeout.ms", "10000"),
];

const OWN_COMMITS: &str = "offsets are committed only for what is finished";
const OWN_BROKERS: &str = "set brokers under [kafka]";
pub(super) const OWN_ACKS: &str = "a record counts as written only when every in-sync replica has it";

/// Properties no operator sets, and why.
pub(super) const REFUSED: &[(&str, &str)] = &[
    ("enable.auto.commit", OWN_COMMITS),
    ("auto.commit.enable", OWN_COMMITS),
    ("auto.commit.interval.ms", OWN_COMMITS),
    ("enable.auto.offset.store", OWN_COMMITS),
    ("offset.store.method", OWN_COMMITS),
    ("group.id", "set group under [source]"),
    ("bootstrap.servers", OWN_BROKERS),
    ("metadata.broker.list", OWN_BROKERS),
    ("delivery.report.only.error", OWN_ACKS),
    ("transactional.id", "it is made of the group's name and its group.instance.id"),
    ("enable.partition.eof", "a source has no end"),
];

/// What the broker decides when `group.protocol` is `consumer`.
pub(super) const CLASSIC_ONLY: &[&str] =
    &["partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms", "group.protocol.type"];
