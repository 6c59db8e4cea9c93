//! Adapter: language models.
