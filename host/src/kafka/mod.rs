//! Adapter: Kafka.
