//! The configuration, and the checks that its schema cannot express.

use gristmill_sdk::ConfigFault;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::batch::Batch;
use crate::builtin::BuiltIn;
use crate::json::Pointer;
use crate::task::Task;
use crate::template::Template;

/// The `config` table of an `enrich` stage.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Alias of the model; `None` asks the stage's default.
    pub model: Option<String>,
    /// Built-in tasks.
    pub tasks: Vec<BuiltIn>,
    /// The operator's own tasks.
    pub custom: Vec<Custom>,
    /// JSON Pointers to what `{{text}}` stands for on a JSON item, `*` for every element. Empty: the whole document.
    pub fields: Vec<String>,
    /// The language that `translate` translates into.
    pub target_language: Option<String>,
    /// Instructions placed before the tasks.
    pub system: Option<String>,
    /// Whether to send one request for all tasks, or one for each.
    pub one_call: bool,
    /// Whether items share calls; `None`: each has its own.
    pub batch: Option<Batch>,
    /// Sampling temperature; `None` leaves it to the alias.
    pub temperature: Option<f64>,
    /// Maximum tokens of an answer; `None` leaves it to the alias.
    pub max_output_tokens: Option<u32>,
    /// Maximum characters of one placeholder's value.
    pub max_input_chars: usize,
    /// What to do with a longer value.
    pub on_too_long: OnTooLong,
    /// What to do with an item without text to ask about.
    pub on_missing: OnMissing,
    /// Key of a JSON item under which the answers go.
    pub merge_under: String,
    /// Whether the result of a text item includes the text.
    pub include_text: bool,
    /// Whether the result of a text item includes its `chunk.` and `extract.` attributes.
    pub include_attributes: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            model: None,
            tasks: Vec::new(),
            custom: Vec::new(),
            fields: Vec::new(),
            target_language: None,
            system: None,
            one_call: true,
            batch: None,
            temperature: None,
            max_output_tokens: None,
            max_input_chars: 100_000,
            on_too_long: OnTooLong::Reject,
            on_missing: OnMissing::Skip,
            merge_under: "ai_enrichment".into(),
            include_text: false,
            include_attributes: true,
        }
    }
}

/// A task with the operator's own prompt.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    /// The key of the answer.
    pub name: String,
    /// The prompt, with placeholders.
    pub prompt: String,
    /// The JSON Schema of the answer.
    pub schema: Map<String, Value>,
}

/// What to do with an item that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnTooLong {
    /// Reject it.
    Reject,
    /// Show the model only the beginning.
    Truncate,
}

/// What to do with an item without text to ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    /// Pass it on as it came.
    Skip,
    /// Reject it.
    Reject,
}

/// Keys of a text item's result that are not answers.
const RESERVED: [&str; 2] = ["source", "text"];

/// The configuration, checked and parsed.
#[derive(Debug)]
pub(crate) struct Plan {
    /// All tasks, built-in ones first.
    pub tasks: Vec<Task>,
    /// Parsed `fields`.
    pub fields: Vec<Pointer>,
    /// Parsed `system`.
    pub system: Option<Template>,
    /// The settings that need no parsing.
    pub settings: Config,
}

impl TryFrom<Config> for Plan {
    type Error = Vec<ConfigFault>;

    fn try_from(mut config: Config) -> Result<Self, Self::Error> {
        let mut faults = Vec::new();
        let tasks = read_tasks(&mut config, &mut faults);
        let mut fields = Vec::new();
        for (index, field) in config.fields.iter().enumerate() {
            match Pointer::parse(field) {
                Ok(pointer) => fields.push(pointer),
                Err(message) => faults.push(ConfigFault::new(&format!("/fields/{index}"), message)),
            }
        }
        let system = config.system.as_deref().map(Template::parse).transpose().unwrap_or_else(|message| {
            faults.push(ConfigFault::new("/system", message));
            None
        });
        if faults.is_empty() { Ok(Self { tasks, fields, system, settings: config }) } else { Err(faults) }
    }
}

fn read_tasks(config: &mut Config, faults: &mut Vec<ConfigFault>) -> Vec<Task> {
    let language = config.target_language.as_deref().unwrap_or_default().trim();
    if language.is_empty() && config.tasks.contains(&BuiltIn::Translate) {
        let message = "`translate` needs a language to translate into, for example target_language = \"German\"";
        faults.push(ConfigFault::new("/target_language", message));
    }
    let mut tasks: Vec<Task> = Vec::new();
    let mut add = |pointer: String, task: Result<Task, ConfigFault>| match task {
        Err(fault) => faults.push(ConfigFault { pointer: pointer + &fault.pointer, ..fault }),
        Ok(task) if RESERVED.contains(&task.name.as_str()) => faults.push(ConfigFault::new(
            &format!("{pointer}/name"),
            format!("the name `{}` is reserved for another part of the result: choose another", task.name),
        )),
        Ok(task) if tasks.iter().any(|other| other.name == task.name) => faults.push(ConfigFault::new(
            &pointer,
            format!("two tasks are named `{}`: give each a name of its own", task.name),
        )),
        Ok(task) => tasks.push(task),
    };
    for (index, task) in config.tasks.iter().enumerate() {
        add(format!("/tasks/{index}"), Task::built_in(*task, language));
    }
    for (index, custom) in std::mem::take(&mut config.custom).into_iter().enumerate() {
        add(format!("/custom/{index}"), Task::custom(custom));
    }
    if tasks.is_empty() && faults.is_empty() {
        let message = "there is no task: list built-in tasks in `tasks` or write your own in `custom`";
        faults.push(ConfigFault::new("", message));
    }
    tasks
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(config: Value) -> Result<Plan, Vec<ConfigFault>> {
        serde_json::from_value::<Config>(config).unwrap().try_into()
    }

    /// The pointers at which a configuration is at fault.
    fn faults(config: Value) -> Vec<String> {
        plan(config).unwrap_err().into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn built_in_tasks_come_before_custom_ones() {
        let custom = json!({"name": "risk", "prompt": "Rate {{text}}", "schema": {"type": "integer"}});
        let plan = plan(json!({"custom": [custom], "tasks": ["summary", "spam"]})).unwrap();
        assert_eq!(plan.tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>(), ["summary", "spam", "risk"]);
    }

    #[test]
    fn a_configuration_without_tasks_is_a_fault() {
        assert_eq!(faults(json!({})), [""]);
    }

    #[test]
    fn a_translation_needs_a_target_language() {
        assert_eq!(faults(json!({"tasks": ["summary", "translate"]})), ["/target_language"]);
        assert_eq!(faults(json!({"tasks": ["translate"], "target_language": " "})), ["/target_language"]);
    }

    #[test]
    fn every_fault_is_reported_at_its_place() {
        let config = json!({
            "tasks": ["summary", "summary"],
            "custom": [
                {"name": "a b", "prompt": "{{text}}", "schema": {}},
                {"name": "text", "prompt": "{{text}}", "schema": {}},
                {"name": "risk", "prompt": "{{texts}}", "schema": {}},
                {"name": "blind", "prompt": "Rate it", "schema": {}},
                {"name": "lost", "prompt": "{{text}}", "schema": {"$ref": "#/$defs/none"}},
            ],
            "fields": ["/subject", "body"],
            "system": "{{",
        });
        let expected = [
            "/tasks/1",
            "/custom/0/name",
            "/custom/1/name",
            "/custom/2/prompt",
            "/custom/3/prompt",
            "/custom/4/schema",
            "/fields/1",
            "/system",
        ];
        assert_eq!(faults(config), expected);
    }

    #[test]
    fn an_unknown_key_is_rejected() {
        assert!(serde_json::from_value::<Config>(json!({"tasks": ["summary"], "modle": "smart"})).is_err());
    }
}
