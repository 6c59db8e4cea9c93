//! Adapter: payloads that are too large for a broker, in a folder or in a bucket of S3 or what speaks like it.
//!
//! - [`ObjectSettings`]: what the operator configures
//! - [`Folder`]: in a folder
//! - [`Bucket`]: in a bucket
//!
//! What both share, and what the bucket needs:
//!
//! - `measure`: size and digest of bytes as they pass
//! - `crypto`: digests and signatures, by the libraries that everything else uses
//! - `web`: how a bucket is reached, and how long that may take
//! - `uploads`: those that never ended

mod bucket;
mod crypto;
mod folder;
mod measure;
mod settings;
mod uploads;
mod web;

pub use bucket::{BadBucket, Bucket};
pub use folder::Folder;
pub use settings::{BucketSettings, ObjectSettings};
