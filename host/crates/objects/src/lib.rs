//! Adapter: payloads that are too large for a broker, in a folder or in a bucket of S3 or what speaks like it.
//!
//! - [`ObjectSettings`]: what the operator configures

mod settings;

pub use settings::{BucketSettings, ObjectSettings};
