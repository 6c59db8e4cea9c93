//! What of a JSON Schema a target has no field for, so that an operator can know it before the first call. Pure.

use serde_json::Value;

pub use crate::narrow::Unheld;
use crate::settings::{AnthropicStructured, GeminiStructured, TargetSettings};
use crate::{anthropic, gemini};

/// What of this schema the target has no field for. A target that is told to say every schema in words has none by choice,
/// which is not reported.
#[must_use]
pub fn unheld(target: &TargetSettings, schema: &Value) -> Unheld {
    match target {
        TargetSettings::Anthropic(target) if target.structured == AnthropicStructured::JsonSchema => {
            anthropic::unheld(schema)
        }
        TargetSettings::Gemini(target) if target.structured == GeminiStructured::JsonSchema => gemini::unheld(schema),
        // Servers with these APIs are sent the schema as it is.
        TargetSettings::OpenAi(_) | TargetSettings::Ollama(_) => Unheld::Nothing,
        TargetSettings::Anthropic(_) | TargetSettings::Gemini(_) | TargetSettings::Scripted(_) => Unheld::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::{AnthropicSettings, GeminiSettings, OpenAiSettings};

    #[test]
    fn what_a_target_has_no_field_for_is_told() {
        let anthropic = TargetSettings::Anthropic(AnthropicSettings::new("m"));
        let gemini = TargetSettings::Gemini(GeminiSettings::new("m"));
        let openai = TargetSettings::OpenAi(OpenAiSettings::new("m"));
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "required": ["n"],
            "properties": {"n": {"type": "string", "maxLength": 3}, "of": {"type": "integer", "minimum": 1}},
        });
        let keywords = |names: &[&str]| Unheld::Keywords(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(unheld(&anthropic, &schema), keywords(&["maxLength", "minimum"]));
        assert_eq!(unheld(&gemini, &schema), keywords(&["maxLength"]));
        assert_eq!(unheld(&openai, &schema), Unheld::Nothing);
        let open = json!({"type": "object", "additionalProperties": {"type": "integer"}});
        assert_eq!(unheld(&anthropic, &open), Unheld::Whole);
        assert_eq!(unheld(&gemini, &open), Unheld::Nothing);
        let recursive = json!({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"});
        assert_eq!(unheld(&anthropic, &recursive), Unheld::Whole);
        let chosen = AnthropicSettings { structured: AnthropicStructured::Prompt, ..AnthropicSettings::new("m") };
        assert_eq!(unheld(&TargetSettings::Anthropic(chosen), &open), Unheld::Nothing);
    }
}
