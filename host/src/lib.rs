//! Gristmill runs AI pipelines on Kafka as sandboxed WebAssembly stages.
//!
//! This crate composes what the crates below `host/crates` hold (ARCHITECTURE.md): it is the only place that knows every
//! adapter.
//!
//! - [`app`]: from a pipeline file to a running pipeline
//! - [`settings`]: the pipeline file, composed of its owners' settings
//! - [`cli`], [`demo`]: what people type

pub mod app;
pub mod cli;
pub mod demo;
pub mod settings;
