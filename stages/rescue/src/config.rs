//! The configuration, and the checks that its schema cannot express.

use gristmill_sdk::ConfigFault;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::mended::Stop;
use crate::pointer::Pointer;
use crate::schema;

/// The `config` table of a `rescue` stage.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What may be mended.
    pub mend: Vec<Mend>,
    /// Whether a model is asked where rules are not enough.
    #[serde(default = "yes")]
    pub ask: bool,
    /// Alias of the model; `None` asks the stage's default.
    #[serde(default)]
    pub model: Option<String>,
    /// The JSON Schema that the failed stage checks, for [`Mend::Schema`].
    #[serde(default)]
    pub schema: Option<Map<String, Value>>,
    /// What is too long, for [`Mend::Length`].
    #[serde(default)]
    pub length: Option<Length>,
    /// Maximum characters of what a model reads.
    #[serde(default = "most_input")]
    pub max_input_chars: usize,
    /// Maximum values of one document that are mended.
    #[serde(default = "most_fields")]
    pub max_fields: usize,
    /// Maximum tokens of an answer; `None` leaves it to the alias.
    #[serde(default)]
    pub max_output_tokens: Option<u32>,
}

impl Config {
    /// Whether a model may read this text.
    ///
    /// # Errors
    /// It is longer than `max_input_chars`.
    pub(crate) fn readable(&self, text: &str) -> Result<(), Stop> {
        let (length, most) = (text.chars().count(), self.max_input_chars);
        if length > most {
            let reason =
                format!("a model would read {length} characters, the limit is {most}: raise `max_input_chars`");
            return Err(Stop::Cannot(reason));
        }
        Ok(())
    }
}

/// One kind of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mend {
    /// Another encoding than UTF-8, control characters.
    Characters,
    /// JSON with faults of syntax.
    Json,
    /// JSON with values that do not fit a schema.
    Schema,
    /// A text that is too long.
    Length,
}

/// How long a text may be.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Length {
    /// Maximum characters of a text.
    pub max_chars: usize,
    /// How a longer one is shortened.
    #[serde(default)]
    pub how: Shorten,
    /// JSON Pointer to the text of a JSON item.
    #[serde(default)]
    pub field: Option<String>,
    /// The failures that say that an item is too long.
    #[serde(default = "too_long")]
    pub codes: Vec<String>,
}

/// How a text is shortened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shorten {
    /// It ends behind the last sentence that fits.
    #[default]
    Cut,
    /// A model summarises it.
    Summarise,
}

fn yes() -> bool {
    true
}

fn most_input() -> usize {
    20_000
}

fn most_fields() -> usize {
    8
}

fn too_long() -> Vec<String> {
    ["input-too-long", "llm-context-length-exceeded", "validation-failed"].map(Into::into).to_vec()
}

/// The configuration, checked and parsed.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The schema.
    pub schema: Option<Value>,
    /// Parsed `length.field`.
    pub field: Option<Pointer>,
    /// The settings that need no parsing.
    pub settings: Config,
}

impl Plan {
    /// Whether this kind of damage may be mended.
    pub(crate) fn mends(&self, kind: Mend) -> bool {
        self.settings.mend.contains(&kind)
    }
}

impl TryFrom<Config> for Plan {
    type Error = Vec<ConfigFault>;

    fn try_from(mut config: Config) -> Result<Self, Self::Error> {
        let mut faults = Vec::new();
        let mends = |kind| config.mend.contains(&kind);
        if config.mend.is_empty() {
            faults.push(ConfigFault::new("/mend", "nothing may be mended: name at least one kind of damage"));
        }
        for (kind, name, is_there) in
            [(Mend::Schema, "schema", config.schema.is_some()), (Mend::Length, "length", config.length.is_some())]
        {
            if mends(kind) && !is_there {
                let message = format!("\"{name}\" in `mend` needs `{name}`");
                faults.push(ConfigFault::new(&format!("/{name}"), message));
            } else if is_there && !mends(kind) {
                let message = format!("`{name}` is of no use without \"{name}\" in `mend`");
                faults.push(ConfigFault::new(&format!("/{name}"), message));
            }
        }
        if let Some(schema) = &config.schema
            && let Some(target) = schema::elsewhere(schema)
        {
            let message = format!("`{target}` leads elsewhere: here a `$ref` can only name a schema in `$defs`");
            faults.push(ConfigFault::new("/schema", message));
        }
        let field = config.length.as_ref().and_then(|length| length.field.as_deref()).map(Pointer::parse);
        let field = field.transpose().unwrap_or_else(|message| {
            faults.push(ConfigFault::new("/length/field", message));
            None
        });
        if let Some(length) = &config.length
            && length.how == Shorten::Summarise
            && !config.ask
        {
            faults.push(ConfigFault::new("/length/how", "only a model summarises, and `ask` is false: use \"cut\""));
        }
        let schema = config.schema.take().map(Value::Object);
        if faults.is_empty() { Ok(Self { schema, field, settings: config }) } else { Err(faults) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The pointers at which a configuration is at fault.
    fn faults(config: Value) -> Vec<String> {
        let config: Config = serde_json::from_value(config).unwrap();
        Plan::try_from(config).err().unwrap_or_default().into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn a_kind_of_damage_needs_its_settings_and_they_need_it() {
        assert_eq!(faults(json!({"mend": ["json", "characters"]})), [""; 0]);
        assert_eq!(faults(json!({"mend": []})), ["/mend"]);
        assert_eq!(faults(json!({"mend": ["schema", "length"]})), ["/schema", "/length"]);
        assert_eq!(faults(json!({"mend": ["json"], "schema": {}, "length": {"max_chars": 9}})), ["/schema", "/length"]);
        assert_eq!(faults(json!({"mend": ["length"], "length": {"max_chars": 9, "field": "a"}})), ["/length/field"]);
    }

    #[test]
    fn a_summary_needs_a_model() {
        let length = json!({"max_chars": 9, "how": "summarise"});
        assert_eq!(faults(json!({"mend": ["length"], "length": length, "ask": false})), ["/length/how"]);
    }

    #[test]
    fn a_reference_names_a_definition() {
        let mends = |target: &str| {
            faults(json!({"mend": ["schema"], "schema": {"items": {"$ref": target}, "$defs": {"a": {}}}}))
        };
        assert_eq!(mends("#/$defs/a"), [""; 0]);
        for elsewhere in ["#", "#/items", "#/$defs/b", "other.json"] {
            assert_eq!(mends(elsewhere), ["/schema"], "{elsewhere}");
        }
    }
}
