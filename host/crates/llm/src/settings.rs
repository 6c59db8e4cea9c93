//! What the operator configures about models.

mod address;
mod anthropic;
mod budget;
mod cache;
mod embedding;
mod gemini;
mod headers;
mod limits;
mod ollama;
mod price;
mod streaming;
mod target;
mod thinking;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use gristmill_core::settings::{Span, span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use anthropic::{ANTHROPIC_BASE_URL, ANTHROPIC_MAX_OUTPUT_TOKENS, AnthropicSettings, AnthropicStructured};
pub use budget::{BudgetSettings, Budgets, StageBudget};
pub use cache::CacheSettings;
pub(crate) use cache::identity;
pub use embedding::EmbeddingSettings;
pub use gemini::{GEMINI_BASE_URL, GeminiSettings, GeminiStructured};
pub use gristmill_core::settings::SecretRef;
pub use headers::{HeaderText, Headers};
pub use limits::{LimitSettings, Sharing};
pub use ollama::{OLLAMA_BASE_URL, OLLAMA_CONTEXT, OllamaSettings, OllamaStructured};
pub use price::PriceSettings;
pub use streaming::{DEFAULT_FIRST_BYTE, DEFAULT_IDLE, OLLAMA_FIRST_BYTE};
pub use thinking::{Level, Thinking};

/// OpenAI's own address: the base URL of a target that names none.
pub const OPENAI_BASE_URL: &str = "https://api.openai.com/v1";
/// Default limit of concurrent calls to each target of an alias.
pub const DEFAULT_MAX_CONCURRENT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);
/// Default of how often the model is asked again for an answer of the wrong form.
pub const DEFAULT_REASK: u32 = 2;
/// Default time a target may take for an answer.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// Default size limit of an answer's body, in bytes.
pub const DEFAULT_MAX_ANSWER_BYTES: usize = 8 << 20;
/// Default memory for the answers of unfinished jobs, in bytes.
pub const DEFAULT_JOURNAL_BYTES: usize = 64 << 20;
/// Default memory for the answers that are reused across jobs, in bytes.
pub const DEFAULT_CACHE_BYTES: usize = 64 << 20;

/// All models of one host.
#[derive(Debug, Clone)]
pub struct Settings {
    /// By alias: the name a stage asks for.
    pub models: BTreeMap<String, AliasSettings>,
    /// How many bytes of answers are remembered for unfinished jobs; the oldest jobs are evicted first.
    pub journal_bytes: usize,
    /// How many bytes of answers are remembered across jobs where there is no store for them.
    pub cache_bytes: usize,
}

impl Default for Settings {
    /// No models and the default memory.
    fn default() -> Self {
        Self { models: BTreeMap::new(), journal_bytes: DEFAULT_JOURNAL_BYTES, cache_bytes: DEFAULT_CACHE_BYTES }
    }
}

/// One alias.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AliasSettings {
    /// In order of preference: the next one is asked when those before it are rate-limited, unreachable, too slow or too
    /// small, have no money, or do not accept their key.
    #[schemars(length(min = 1), extend(
        "x-add" = r#"targets = [{ provider = "openai", model = "…", key = { env = "…" } }]"#,
        "x-form" = r#"for example [{ provider = "openai", model = "…" }]"#
    ))]
    pub targets: Vec<TargetSettings>,
    /// Who is asked instead when a request is too long for one of `targets`, in order: targets that take longer ones. Without
    /// it the remaining `targets` are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-form" = r#"for example [{ provider = "openai", model = "…" }]"#))]
    pub on_too_long: Vec<TargetSettings>,
    /// Who is asked when a provider's filter, or a model, refuses a request, in order. Without it nobody is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-form" = r#"for example [{ provider = "openai", model = "…" }]"#))]
    pub on_filtered: Vec<TargetSettings>,
    /// Concurrent calls of each target. Targets with one address and key share them, also those of other pipelines in this
    /// process: the lowest number counts.
    #[serde(default = "default_max_concurrent")]
    #[schemars(range(max = 1_000))]
    pub max_concurrent: NonZeroUsize,
    /// How often the model is asked again when its answer does not have the JSON form that was asked for, with the faults
    /// named. Each time is paid like any other call.
    #[serde(default = "default_reask")]
    #[schemars(range(max = 5))]
    pub reask: u32,
    /// Answers are given again to equal requests of other jobs, for so long: `cache = { ttl = "30d" }`. Without it only
    /// the job that paid for an answer gets it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "CacheSettings")]
    pub cache: Option<CacheSettings>,
}

impl AliasSettings {
    /// Creates an alias of these targets with defaults for everything else.
    #[must_use]
    pub fn new(targets: Vec<TargetSettings>) -> Self {
        let (on_too_long, on_filtered) = (Vec::new(), Vec::new());
        Self {
            targets,
            on_too_long,
            on_filtered,
            max_concurrent: DEFAULT_MAX_CONCURRENT,
            reask: DEFAULT_REASK,
            cache: None,
        }
    }

    /// The targets of all its lists, each with its JSON Pointer below the alias.
    pub fn all_targets(&self) -> impl Iterator<Item = (String, &TargetSettings)> {
        let lists =
            [("targets", &self.targets), ("on_too_long", &self.on_too_long), ("on_filtered", &self.on_filtered)];
        lists.into_iter().flat_map(|(list, targets)| {
            targets.iter().enumerate().map(move |(index, target)| (format!("/{list}/{index}"), target))
        })
    }
}

fn default_reask() -> u32 {
    DEFAULT_REASK
}

fn default_max_concurrent() -> NonZeroUsize {
    DEFAULT_MAX_CONCURRENT
}

/// Who answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "provider", rename_all = "lowercase")]
#[allow(
    clippy::large_enum_variant,
    reason = "a handful are made at the start; how large depends on features of serde_json"
)]
pub enum TargetSettings {
    /// Anything that speaks OpenAI's chat completions.
    OpenAi(OpenAiSettings),
    /// Anything that speaks Anthropic's Messages.
    Anthropic(AnthropicSettings),
    /// Anything that speaks Gemini's generateContent.
    Gemini(GeminiSettings),
    /// Ollama's own API.
    Ollama(OllamaSettings),
    /// A file of prepared answers.
    Scripted(ScriptedSettings),
}

/// A server that speaks OpenAI's chat completions: OpenAI, Azure, vLLM, llama.cpp and many others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenAiSettings {
    /// The model's name on that server.
    #[schemars(length(min = 1), extend("x-add" = "model = \"…\", the model's name at the provider"))]
    pub model: String,
    /// `http` or `https`, no query, no user; `/chat/completions` is appended.
    #[serde(default = "default_base_url", deserialize_with = "address::read")]
    #[schemars(schema_with = "address::schema")]
    pub base_url: String,
    /// Sent as a bearer token or as `key_header` says; one line of visible ASCII, at most 16 KiB.
    /// Without it no key is sent, as local servers want it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SecretRef>,
    /// The header of the key.
    #[serde(default)]
    pub key_header: KeyHeader,
    /// Sent as the query `api-version`, which Azure requires for addresses of deployments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend(
        "pattern" = "^[A-Za-z0-9.-]+$",
        "x-fault" = "is not a version",
        "x-form" = "for example \"2024-10-21\""
    ))]
    pub api_version: Option<String>,
    /// Further headers of each request; each a string or a secret.
    #[serde(default)]
    #[schemars(schema_with = "headers::schema")]
    pub headers: Headers,
    /// Of one request, to the last byte; never more than what is left of the stage's `wall`.
    #[serde(default = "default_timeout", with = "span")]
    #[schemars(with = "Span", extend("x-min" = "100ms", "x-max" = "30m"))]
    pub timeout: Duration,
    /// Whether the server is asked to stream its answer. The stage gets the whole answer in any case.
    #[serde(default = "streaming::default_stream")]
    pub stream: bool,
    /// To the first byte of a streamed answer, at most `timeout`.
    #[serde(default = "streaming::default_first_byte", with = "span")]
    #[schemars(with = "Span", extend("x-min" = "100ms", "x-max" = "30m"))]
    pub first_byte: Duration,
    /// Between two parts of a streamed answer. Some servers send nothing while the model thinks.
    #[serde(default = "streaming::default_idle", with = "span")]
    #[schemars(with = "Span", extend("x-min" = "100ms", "x-max" = "30m"))]
    pub idle: Duration,
    /// What the provider allows for this model with this key.
    #[serde(default)]
    pub limits: LimitSettings,
    /// How JSON is requested.
    #[serde(default)]
    pub structured: Structured,
    /// Default of a request, and the most it may set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_output_tokens: Option<u32>,
    /// How much the model thinks before it answers, sent as `reasoning_effort`; without it the model's own default counts. For
    /// reasoning models only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Level>,
    /// Tokens that are added to the limit on output tokens for what the model thinks. Without it as many as `thinking` takes,
    /// and none without `thinking`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub headroom: Option<u32>,
    /// Default of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 2.0))]
    pub temperature: Option<f64>,
    /// Extra fields of each request.
    #[serde(skip)]
    pub options: Map<String, Value>,
    /// Names of further request fields that a stage may set; not those that Gristmill sets itself (`model`,
    /// `messages`, `stream`, `n`, …).
    #[serde(default, rename = "options")]
    #[schemars(inner(length(min = 1)), extend("x-form" = r#"names of options, for example ["reasoning_effort"]"#))]
    pub allowed_options: Vec<String>,
    /// How much it takes when it makes vectors.
    #[serde(default)]
    pub embeddings: EmbeddingSettings,
    /// What it costs. Without it: the price of a common model at its own provider, see docs/models.md; else nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-show" = "the built-in one, if there is one"))]
    pub price: Option<PriceSettings>,
    /// The largest body of an answer, in bytes.
    #[serde(skip, default = "default_max_answer_bytes")]
    pub max_answer_bytes: usize,
}

fn default_base_url() -> String {
    OPENAI_BASE_URL.to_owned()
}

fn default_timeout() -> Duration {
    DEFAULT_TIMEOUT
}

fn default_max_answer_bytes() -> usize {
    DEFAULT_MAX_ANSWER_BYTES
}

impl OpenAiSettings {
    /// This model at OpenAI, without a key and with defaults for everything else.
    #[must_use]
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            base_url: OPENAI_BASE_URL.into(),
            key: None,
            key_header: KeyHeader::Authorization,
            api_version: None,
            headers: Headers::new(),
            timeout: DEFAULT_TIMEOUT,
            stream: true,
            first_byte: DEFAULT_FIRST_BYTE,
            idle: DEFAULT_IDLE,
            limits: LimitSettings::default(),
            structured: Structured::JsonSchema,
            max_output_tokens: None,
            thinking: None,
            headroom: None,
            temperature: None,
            options: Map::new(),
            allowed_options: Vec::new(),
            embeddings: EmbeddingSettings::default(),
            price: None,
            max_answer_bytes: DEFAULT_MAX_ANSWER_BYTES,
        }
    }

    /// The tokens that are added to a limit on output tokens for what the model thinks.
    pub(crate) fn for_thinking(&self) -> u32 {
        self.headroom.or(self.thinking.map(Level::tokens)).unwrap_or(0)
    }
}

/// How a key is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline, extend("x-noun" = "header"))]
pub enum KeyHeader {
    /// `authorization: Bearer KEY`.
    #[default]
    Authorization,
    /// `api-key: KEY`, as Azure wants it.
    ApiKey,
}

/// Prepared answers, for demonstrations and tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScriptedSettings {
    /// The path of a TOML file of rules.
    #[schemars(length(min = 1), extend("x-path" = true, "x-add" = "script = \"answers.toml\""))]
    pub script: PathBuf,
    /// What it would cost, to try budgets. Without it nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-show" = "nothing"))]
    pub price: Option<PriceSettings>,
}

/// How a server is told to answer in JSON. Whatever it is, the answer is checked here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline, extend("x-noun" = "structured form"))]
pub enum Structured {
    /// `response_format = {"type": "json_schema", …}`: OpenAI, vLLM, Ollama.
    #[default]
    JsonSchema,
    /// `{"type": "json_object", "schema": …}`: llama.cpp and its Python server.
    JsonObjectSchema,
    /// `{"type": "json_object"}`; a schema goes into the instructions.
    JsonObject,
    /// Nothing: form and schema go into the instructions.
    Prompt,
}
