//! Why a component was not taken.

use std::path::PathBuf;

use super::Digest;

/// Why a component was not taken. What runs goes on.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// It is not in the cache, and the network is not to be used.
    #[error(
        "{reference} is not in the cache, and nothing is fetched here; run `gristmill check` once without --offline"
    )]
    Offline {
        /// What was wanted.
        reference: String,
    },
    /// The registry cannot be reached, or breaks off.
    #[error("{what} cannot be fetched: {reason}")]
    Connection {
        /// What was wanted.
        what: String,
        /// Why.
        reason: String,
    },
    /// The registry wants to know who asks.
    #[error(
        "the registry {registry} does not let us take {what} (HTTP {status}); `docker login {registry}` keeps an account in the Docker configuration, which is looked at"
    )]
    Denied {
        /// The registry.
        registry: String,
        /// What was wanted.
        what: String,
        /// Its answer.
        status: u16,
    },
    /// The registry has no such thing.
    #[error("the registry {registry} has no {what}")]
    NotFound {
        /// The registry.
        registry: String,
        /// What was wanted.
        what: String,
    },
    /// The registry answers something else.
    #[error("{what} cannot be fetched: the registry {registry} answers with HTTP {status}")]
    Status {
        /// The registry.
        registry: String,
        /// What was wanted.
        what: String,
        /// Its answer.
        status: u16,
    },
    /// It leads elsewhere, where it may not.
    #[error("{what} cannot be fetched: the registry sends us to {reason}")]
    Redirect {
        /// What was wanted.
        what: String,
        /// Why we do not go there.
        reason: &'static str,
    },
    /// It is larger than it may be.
    #[error("{what} is larger than {most} bytes, the most that is taken")]
    TooLarge {
        /// What was wanted.
        what: String,
        /// The bound.
        most: usize,
    },
    /// Something else came than was asked for.
    #[error("{what} came with the digest {found} in place of {wanted}: it was changed on its way, or in the registry")]
    WrongDigest {
        /// What was wanted.
        what: String,
        /// Its digest.
        wanted: Digest,
        /// That of what came.
        found: Digest,
    },
    /// The manifest is none of a component.
    #[error("{reference} is not a component: {reason}")]
    NotAComponent {
        /// What was wanted.
        reference: String,
        /// Why not.
        reason: String,
    },
    /// No signature of it is one of the key.
    #[error("{reference} is not signed with the key in {}: {reason}", key.display())]
    NotSigned {
        /// What was wanted.
        reference: String,
        /// The key's file.
        key: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The key cannot be used.
    #[error("the key {} cannot be used: {reason}", path.display())]
    Key {
        /// Its file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The cache cannot be used.
    #[error("the cache of components in {} cannot be used", path.display())]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        error: std::io::Error,
    },
}
