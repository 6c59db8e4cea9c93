//! Gristmill runs AI pipelines on Kafka as sandboxed WebAssembly stages.
//!
//! The modules in reading order, from the ground up; each imports only what stands below it (ARCHITECTURE.md):
//!
//! - [`model`]: the values that move and the decisions about them
//! - [`ports`]: what the flow needs of the world
//! - [`flow`]: how an event moves
//! - [`kafka`], [`llm`], [`wasm`]: the adapters

pub mod flow;
pub mod kafka;
pub mod llm;
pub mod model;
pub mod ports;
pub mod wasm;
