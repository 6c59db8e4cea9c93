//! A target as the commands show it.

use gristmill_llm::settings::TargetSettings;

/// As "provider/model", which answers and logs call it too.
pub(super) fn name(target: &TargetSettings) -> String {
    match target {
        TargetSettings::OpenAi(target) => format!("openai/{}", target.model),
        TargetSettings::Anthropic(target) => format!("anthropic/{}", target.model),
        TargetSettings::Gemini(target) => format!("gemini/{}", target.model),
        TargetSettings::Ollama(target) => format!("ollama/{}", target.model),
        TargetSettings::Scripted(target) => format!("scripted/{}", target.script.display()),
    }
}
