//! Adapter: components from OCI registries, by the digest of their manifest.
//!
//! - [`Reference`] is `oci://registry/name@sha256:…`
//! - [`Registry`] takes what a reference names, from its cache or over the network, and compares each digest
//! - [`TrustedKey`] is whose signature a component has to have

mod cache;
mod client;
mod credentials;
mod digest;
mod error;
mod manifest;
mod reference;
mod registry;
mod signature;

pub use credentials::Credentials;
pub use digest::Digest;
pub use error::PullError;
pub use reference::Reference;
pub use registry::{Network, Registry};
pub use signature::TrustedKey;
