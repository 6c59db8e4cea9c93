//! One task: its prompt and the schema of its answer.

use gristmill_sdk::ConfigFault;
use serde_json::{Map, Value};

use crate::builtin::BuiltIn;
use crate::config::Custom;
use crate::references::unresolved;
use crate::template::Template;

/// A task, ready to be sent to a model.
#[derive(Debug)]
pub(crate) struct Task {
    /// The key of the answer.
    pub name: String,
    /// The prompt.
    pub prompt: Template,
    /// The JSON Schema of the answer.
    pub schema: Map<String, Value>,
}

impl Task {
    /// A built-in task; the language is for `translate`.
    ///
    /// # Errors
    /// None that an operator can cause: tests parse every built-in prompt and schema.
    pub(crate) fn built_in(task: BuiltIn, target_language: &str) -> Result<Self, ConfigFault> {
        let prompt = task.prompt().replace("[target language]", target_language);
        let schema = serde_json::from_str(task.schema()).map_err(|error| ConfigFault::new("", error.to_string()))?;
        Self::new(task.name().into(), &prompt, schema)
    }

    /// A task of the operator.
    ///
    /// # Errors
    /// The name cannot be a key, the prompt has a fault, or a reference of the schema leads nowhere.
    pub(crate) fn custom(custom: Custom) -> Result<Self, ConfigFault> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if custom.name.is_empty() || custom.name.len() > 64 || !custom.name.chars().all(plain) {
            let message = format!("`{}` is not a valid name: use 1 to 64 letters, digits, `_` and `-`", custom.name);
            return Err(ConfigFault::new("/name", message));
        }
        if let Some(target) = unresolved(&custom.schema) {
            let message =
                format!("`{target}` leads nowhere: a `$ref` can only point into its own schema, as in `#/$defs/name`");
            return Err(ConfigFault::new("/schema", message));
        }
        Self::new(custom.name, &custom.prompt, custom.schema)
    }

    fn new(name: String, prompt: &str, schema: Map<String, Value>) -> Result<Self, ConfigFault> {
        let prompt = Template::parse(prompt).map_err(|message| ConfigFault::new("/prompt", message))?;
        if prompt.placeholders().next().is_none() {
            let message = format!("the prompt of `{name}` has no placeholder: add {{{{text}}}}, for example");
            return Err(ConfigFault::new("/prompt", message));
        }
        Ok(Self { name, prompt, schema })
    }
}
