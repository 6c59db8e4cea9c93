//! `gristmill models list`.

use std::fmt::Write;

use gristmill_llm::settings::TargetSettings;
use gristmill_llm::{Price, prices};
use serde_json::{Map, Value, json};

use super::args::List;
use crate::app::Failure;
use crate::console;
use crate::settings::Pipeline;

/// Prints each alias with its targets.
pub(super) fn list(args: &List) -> Result<(), Failure> {
    let pipeline = args.of.pipeline()?;
    console::print(&if args.json { lines(&pipeline) } else { text(&pipeline) })?;
    Ok(())
}

fn text(pipeline: &Pipeline) -> String {
    let mut text = String::new();
    if pipeline.models.is_empty() {
        text.push_str("no models; add [models.NAME] with targets\n");
    }
    for (alias, model) in &pipeline.models {
        let _ = writeln!(text, "{alias}: at most {} calls at a time", model.max_concurrent);
        for (place, target) in model.all_targets() {
            let _ = writeln!(text, "  {}{}", target.name(), asked_for(&place));
            for secret in secrets(target) {
                let _ = writeln!(text, "    {secret}");
            }
            let limits: Vec<String> = limits(target).iter().map(|(key, limit)| format!("{key} = {limit}")).collect();
            if !limits.is_empty() {
                let _ = writeln!(text, "    limits: {}", limits.join(", "));
            }
            let bound = target.most_output_tokens().map(|most| format!("    at most {most} tokens of output\n"));
            let _ = writeln!(text, "{}    {}", bound.unwrap_or_default(), price(target));
        }
    }
    text
}

/// When a target that is not one of the usual ones is asked.
fn asked_for(place: &str) -> &'static str {
    match place.split('/').nth(1) {
        Some("on_too_long") => " (for what is too long)",
        Some("on_filtered") => " (for what is refused)",
        _ => "",
    }
}

/// The limits that the file gives a target.
fn limits(target: &TargetSettings) -> Map<String, Value> {
    match serde_json::to_value(target.limits()) {
        Ok(Value::Object(mut limits)) if limits.len() > 1 => {
            limits.retain(|key, value| key != "share" || value != "group");
            limits
        }
        _ => Map::new(),
    }
}

/// One line for each secret: whether it is there.
fn secrets(target: &TargetSettings) -> Vec<String> {
    let state = |(pointer, secret): (String, &gristmill_core::settings::SecretRef)| {
        let what = pointer.trim_start_matches('/').replace("headers/", "header ").replace("~0", "~");
        match secret.read() {
            Ok(_) => format!("{what}: present, {secret}"),
            Err(missing) => format!("{what}: {missing}"),
        }
    };
    target.secrets().into_iter().map(state).collect()
}

fn price(target: &TargetSettings) -> String {
    let origin = match target.own_price() {
        Some(_) => "by the file".to_owned(),
        None => format!("built in, as of {}", prices::AS_OF),
    };
    match prices::of(target) {
        None => "price unknown; add price = { input = \"… USD\", output = \"… USD\" }".to_owned(),
        Some(price) if price.is_free() => "free".to_owned(),
        Some(Price { rates, long }) => {
            let of = |rates: gristmill_llm::Rates| {
                format!(
                    "{} input, {} cached, {} written to a cache, {} output",
                    rates.input, rates.cached_input, rates.cache_write, rates.output
                )
            };
            let long = long.map(|(above, rates)| format!("; above {above} tokens of input {}", of(rates)));
            format!("a million tokens: {}{} ({origin})", of(rates), long.unwrap_or_default())
        }
    }
}

fn lines(pipeline: &Pipeline) -> String {
    let mut lines = String::new();
    for (alias, model) in &pipeline.models {
        for (place, target) in model.all_targets() {
            let secrets: Vec<bool> = target.secrets().iter().map(|(_, secret)| secret.read().is_ok()).collect();
            let rates = prices::of(target).map(|price| {
                json!({
                    "input": price.rates.input.number(),
                    "cached_input": price.rates.cached_input.number(),
                    "cache_write": price.rates.cache_write.number(),
                    "output": price.rates.output.number(),
                })
            });
            let line: Value = json!({
                "alias": &**alias,
                "place": place,
                "target": target.name(),
                "max_concurrent": model.max_concurrent,
                "limits": target.limits(),
                "max_output_tokens": target.most_output_tokens(),
                "keys_present": secrets.iter().all(|present| *present),
                "usd_per_million_tokens": rates,
            });
            let _ = writeln!(lines, "{line}");
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn parsed() -> Pipeline {
        let text = r#"name = "p"
kafka = { brokers = "h:1" }
source = { topic = "in" }
sink = { topic = "out" }
dead_letter = { topic = "dead" }
stage = [{ name = "a", module = "builtin:extract" }]
[models.smart]
targets = [
  { provider = "openai", model = "gpt-5-mini", key = { env = "GRISTMILL_NO_SUCH_KEY" }, max_output_tokens = 500 },
  { provider = "openai", model = "mine", base_url = "http://h/v1", key = { env = "CARGO_PKG_NAME" } },
  { provider = "ollama", model = "llama3.2", context = 4096 },
]
"#;
        Pipeline::parse(text, Path::new("p.toml")).unwrap()
    }

    #[test]
    fn each_target_is_listed_with_its_key_its_bounds_and_its_price() {
        let expected = "smart: at most 8 calls at a time\n  \
            openai/gpt-5-mini\n    \
            key: the environment variable GRISTMILL_NO_SUCH_KEY is not set; set it\n    \
            at most 500 tokens of output\n    \
            a million tokens: 0.25 USD input, 0.025 USD cached, 0.25 USD written to a cache, 2 USD output (built in, \
            as of 2026-07-24)\n  \
            openai/mine\n    \
            key: present, the environment variable CARGO_PKG_NAME\n    \
            price unknown; add price = { input = \"… USD\", output = \"… USD\" }\n  \
            ollama/llama3.2\n    \
            at most 4096 tokens of output\n    \
            free\n";
        assert_eq!(text(&parsed()), expected);
    }

    #[test]
    fn a_target_is_one_line_of_json() {
        let lines = lines(&parsed());
        let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!((&first["target"], &first["keys_present"]), (&json!("openai/gpt-5-mini"), &json!(false)));
        assert_eq!(first["usd_per_million_tokens"]["cached_input"], "0.025");
        assert_eq!(lines.lines().count(), 3);
    }
}
