//! What the operator decided about models: plain data, made by `app` from the configuration file.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Map, Value};

/// The address of OpenAI itself: the base URL where a target names none.
pub const OPENAI_BASE_URL: &str = "https://api.openai.com/v1";
/// Calls of one alias under way at once, where the alias says nothing.
pub const DEFAULT_MAX_CONCURRENT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);
/// How long one target may take for an answer, where it says nothing.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest body of an answer, where the target says nothing.
pub const DEFAULT_MAX_ANSWER_BYTES: usize = 8 << 20;
/// Memory for the answers of unfinished jobs.
pub const DEFAULT_JOURNAL_BYTES: usize = 64 << 20;

/// All models of one host.
#[derive(Debug, Clone)]
pub struct Settings {
    /// By alias: the name a stage asks for.
    pub models: BTreeMap<String, AliasSettings>,
    /// Bytes of answers that are remembered for unfinished jobs; the oldest jobs give way.
    pub journal_bytes: usize,
}

impl Default for Settings {
    /// No models, and the default memory.
    fn default() -> Self {
        Self { models: BTreeMap::new(), journal_bytes: DEFAULT_JOURNAL_BYTES }
    }
}

/// One alias.
#[derive(Debug, Clone)]
pub struct AliasSettings {
    /// At least one. The first answers; each further one stands in while those before it are busy or away.
    pub targets: Vec<TargetSettings>,
    /// Calls under way at once, over all targets.
    pub max_concurrent: NonZeroUsize,
}

impl AliasSettings {
    /// An alias of these targets with the default concurrency.
    #[must_use]
    pub fn new(targets: Vec<TargetSettings>) -> Self {
        Self { targets, max_concurrent: DEFAULT_MAX_CONCURRENT }
    }
}

/// Who answers.
#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "a handful are made at the start; how large depends on features of serde_json"
)]
pub enum TargetSettings {
    /// Anything that speaks OpenAI's chat completions.
    OpenAi(OpenAiSettings),
    /// A file of prepared answers.
    Scripted(ScriptedSettings),
}

/// A server that speaks OpenAI's chat completions: OpenAI, Ollama, vLLM, llama.cpp and many others.
#[derive(Debug, Clone)]
pub struct OpenAiSettings {
    /// The server's name of the model.
    pub model: String,
    /// An http or https address to which "/chat/completions" is added; no user, password or fragment in it.
    pub base_url: String,
    /// `None` sends no key, as local servers want it.
    pub key: Option<KeySource>,
    /// Bound of one call, from connecting to the last byte; a request may ask for less.
    pub timeout: Duration,
    /// How the server is told what form the answer must have.
    pub structured: Structured,
    /// What the server calls the bound of the answer. `None` goes by the address: OpenAI's and Azure's own servers get
    /// `max_completion_tokens`, all others `max_tokens`.
    pub output_limit: Option<OutputLimit>,
    /// The most tokens of an answer: what a request gets that names no number, and the most that one may name.
    pub max_output_tokens: Option<u32>,
    /// For requests that name none.
    pub temperature: Option<f64>,
    /// Extra fields of each request.
    pub options: Map<String, Value>,
    /// Names of extra fields that a stage may set; they go before `options`.
    pub allowed_options: Vec<String>,
    /// The largest body of an answer, in bytes.
    pub max_answer_bytes: usize,
}

impl OpenAiSettings {
    /// This model at OpenAI, without a key, all else by default.
    #[must_use]
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            base_url: OPENAI_BASE_URL.into(),
            key: None,
            timeout: DEFAULT_TIMEOUT,
            structured: Structured::JsonSchema,
            output_limit: None,
            max_output_tokens: None,
            temperature: None,
            options: Map::new(),
            allowed_options: Vec::new(),
            max_answer_bytes: DEFAULT_MAX_ANSWER_BYTES,
        }
    }
}

/// Prepared answers, for demonstrations and tests.
#[derive(Debug, Clone)]
pub struct ScriptedSettings {
    /// The TOML file of rules; the [`script`](super::script) module shows its form.
    pub script: PathBuf,
}

/// Where a key is read from, once, when the host starts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeySource {
    /// An environment variable.
    Env(String),
    /// A file that holds nothing else.
    File(PathBuf),
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

/// How a server is told to answer in JSON. Whatever it is, the answer is checked here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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

/// What a server calls the bound of the answer's tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputLimit {
    /// `max_tokens`.
    MaxTokens,
    /// `max_completion_tokens`.
    MaxCompletionTokens,
}

/// A word of the configuration that is not one of those known.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{word:?} is not known here; it can be {known}")]
pub struct UnknownWord {
    word: String,
    known: &'static str,
}

impl FromStr for Structured {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "json_schema" => Ok(Self::JsonSchema),
            "json_object_schema" => Ok(Self::JsonObjectSchema),
            "json_object" => Ok(Self::JsonObject),
            "prompt" => Ok(Self::Prompt),
            _ => {
                let known = "\"json_schema\", \"json_object_schema\", \"json_object\" or \"prompt\"";
                Err(UnknownWord { word: word.into(), known })
            }
        }
    }
}

impl FromStr for OutputLimit {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "max_tokens" => Ok(Self::MaxTokens),
            "max_completion_tokens" => Ok(Self::MaxCompletionTokens),
            _ => Err(UnknownWord { word: word.into(), known: "\"max_tokens\" or \"max_completion_tokens\"" }),
        }
    }
}
