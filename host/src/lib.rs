//! Gristmill runs AI pipelines on Kafka as sandboxed WebAssembly stages.
//!
//! The modules in reading order, from the ground up; each imports only what stands below it (ARCHITECTURE.md):
//!
//! - [`model`]: the values that move and the decisions about them
//! - [`ports`]: what the flow needs of the world
//! - [`flow`]: how an event moves
//! - [`config`]: what a pipeline file says
//! - [`kafka`], [`llm`], [`store`], [`wasm`], [`telemetry`]: the adapters
//! - [`app`]: from a pipeline file to a running pipeline
//! - [`cli`], [`demo`]: what people type

pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
pub mod flow;
pub mod kafka;
pub mod llm;
pub mod model;
pub mod ports;
pub mod store;
pub mod telemetry;
pub mod wasm;
