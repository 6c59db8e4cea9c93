//! `[objects]` of the host file.

use std::path::PathBuf;
use std::time::Duration;

use gristmill_core::settings::{ByteSize, SecretRef, Span, span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where payloads are kept that are too large for a record: bodies of the HTTP API, and outputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ObjectSettings {
    /// A folder. All hosts of a pipeline need the same one. Without the key: `objects` in the folder of state stores.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("x-path" = true, "x-show" = "beside the state stores"))]
    pub folder: Option<PathBuf>,
    /// A bucket instead of a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3: Option<BucketSettings>,
    /// Larger payloads are kept here, and records carry references. Not above what the broker takes for a record.
    #[schemars(extend("x-min" = "1KiB", "x-max" = "16MiB"))]
    pub inline_max: ByteSize,
    /// How long an object is kept. Longer than the broker keeps events, and than jobs wait.
    #[serde(with = "span")]
    #[schemars(with = "Span", extend("x-min" = "1h", "x-max" = "87600h"))]
    pub keep: Duration,
}

/// A bucket of S3, or of a server that speaks like it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BucketSettings {
    /// Its name.
    #[schemars(length(min = 1))]
    pub bucket: String,
    /// What the names of objects begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Its region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-show" = "`\"us-east-1\"`"))]
    pub region: Option<String>,
    /// The address of a server other than Amazon's: `"http://minio:9000"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The access key, a secret.
    pub access_key: SecretRef,
    /// Its secret.
    pub secret_key: SecretRef,
}

impl Default for ObjectSettings {
    fn default() -> Self {
        Self { folder: None, s3: None, inline_max: ByteSize::kib(256), keep: Duration::from_secs(30 * 24 * 60 * 60) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_to_be_said() {
        assert_eq!(toml::from_str::<ObjectSettings>("").unwrap(), ObjectSettings::default());
        assert!(toml::from_str::<ObjectSettings>("[s3]\nbucket = \"b\"").is_err());
    }
}
