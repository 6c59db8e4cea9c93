//! Gristmill runs AI pipelines on Kafka as sandboxed WebAssembly stages.
//!
//! This crate composes the crates in `host/crates` (ARCHITECTURE.md); it is the only one that knows every adapter.
//!
//! - [`app`]: from a pipeline file to a running pipeline
//! - [`settings`]: the pipeline file, composed of its owners' settings
//! - [`cli`], [`demo`]: the command line and the demo

mod allocator;
pub mod app;
pub mod cli;
mod console;
pub mod demo;
pub mod settings;
