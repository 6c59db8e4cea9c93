//! The optional host file: what belongs to the process that pipelines run in, and not to one of them.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use gristmill_admin::Admin;
use gristmill_api::ApiSettings;
use gristmill_auth::AuthSettings;
use gristmill_config::ConfigError;
use gristmill_core::settings::{ByteSize, Name, by_name};
use gristmill_llm::settings::AliasSettings;
use gristmill_objects::ObjectSettings;
use gristmill_store::settings::StoreSettings;
use gristmill_telemetry::traces::TraceSettings;
use gristmill_wasm::CompileLimits;
use gristmill_webhooks::WebhookSettings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::versions::{VersionSettings, Watch};
use super::{host_checks, store};

/// A process that runs pipelines of Gristmill.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Gristmill host")]
pub struct HostFile {
    /// A folder of pipeline files, run beside those that the command line names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), extend("x-path" = true, "x-show" = "none"))]
    pub pipelines: Option<PathBuf>,
    /// Language models that every pipeline may ask. An alias of the same name in a pipeline file takes its place there.
    #[schemars(schema_with = "by_name::<AliasSettings>", extend("x-secrets" = true))]
    pub models: BTreeMap<Name, AliasSettings>,
    /// The memory of jobs, of every pipeline whose file has no `[store]`. Each pipeline has a file of its own in the folder,
    /// or rows of its own on the server.
    #[schemars(extend("x-secrets" = true))]
    pub store: StoreSettings,
    /// Bounds of the process.
    pub limits: HostLimits,
    /// The admin server: health, metrics and commands. `admin = false` switches it off.
    #[schemars(extend("x-secrets" = true))]
    pub admin: Admin,
    /// Where the spans of traces are sent.
    #[schemars(extend("x-secrets" = true))]
    pub traces: TraceSettings,
    /// Whether changed pipeline files and modules are taken on by themselves. `run --watch` overrides it.
    pub watch: Watch,
    /// The versions of stages, for `gristmill stage`.
    pub versions: VersionSettings,
    /// The HTTP API that takes jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-secrets" = true))]
    pub api: Option<ApiSettings>,
    /// Who may use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-secrets" = true))]
    pub auth: Option<AuthSettings>,
    /// Where large payloads are kept. With `[api]` they are kept without this table, too, in a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-secrets" = true, "x-show" = "see below"))]
    pub objects: Option<ObjectSettings>,
    /// Who is told when a job has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-secrets" = true))]
    pub webhooks: Option<WebhookSettings>,
    /// The file itself: in its own folder of pipelines it is none.
    #[serde(skip)]
    pub path: Option<PathBuf>,
}

/// Bounds of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HostLimits {
    /// Instances of stages alive at a time, in all pipelines together. Calls beyond wait.
    #[schemars(range(min = 1, max = 10_000))]
    pub instances: NonZeroU32,
    /// The most memory that one instance may ask for. Without the key: the largest `limits.memory` of a stage at the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-min" = "1MiB", "x-max" = "1GiB", "x-show" = "the largest of the stages"))]
    pub memory: Option<ByteSize>,
    /// What the process may use that compiles and tries out one module, apart from this one.
    pub compile: CompileLimits,
}

impl Default for HostLimits {
    fn default() -> Self {
        let instances = NonZeroU32::MIN.saturating_add(511);
        Self { instances, memory: None, compile: CompileLimits::default() }
    }
}

impl HostFile {
    /// Reads a host file of at most 1 MiB. Relative paths in it start at its folder.
    ///
    /// # Errors
    /// Everything that is wrong with it, or why it cannot be read.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let mut draft = gristmill_config::read::<Self>(path)?;
        host_checks::check(&mut draft);
        store::check(&mut draft);
        Ok(Self { path: Some(path.to_owned()), ..draft.finish()?.value })
    }

    /// Where large payloads are kept, if they are.
    #[must_use]
    pub fn object_settings(&self) -> Option<ObjectSettings> {
        match (&self.objects, &self.api) {
            (Some(objects), _) => Some(objects.clone()),
            (None, Some(_)) => Some(ObjectSettings::default()),
            (None, None) => None,
        }
    }
}

/// The JSON Schema of a host file, for editors.
#[must_use]
pub fn host_schema() -> Value {
    gristmill_config::schema::<HostFile>()
}
