//! Adapter: Redis Streams.
