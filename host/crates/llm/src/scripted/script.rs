//! The file format of a scripted target.
//!
//! ```toml
//! name = "demo"                  # the model is called "scripted/demo"; default: the file's name without its extension
//! latency = "50ms"               # before every answer: ms, s or m
//!
//! [[rule]]                       # tried in order; the first match answers
//! when = ["invoice", "overdue"]  # all must be in the last user message, verbatim; one text or a list
//! system = "accountant"          # must be in the system messages
//! model = "smart"                # the exact alias
//! times = 2                      # matches this many times, then never again
//! error = "rate-limited"         # or any other failure, by its name in the logs
//! retry_after = "2s"             # only for "rate-limited" and "unavailable"
//! message = "busy"
//!
//! [[rule]]
//! when = "invoice"
//! answer = { kind = "invoice" }  # a text; anything else is returned as JSON
//!
//! [default]                      # when no rule matches; without it such requests are refused
//! answer_from = "document"       # made up from the document, in the requested format
//! ```

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde::Deserialize;
use serde_json::Value;

use gristmill_core::model::{BudgetScope, ChatFailure};
use gristmill_core::settings::{ByteSize, read_file};

/// A parsed and validated script.
#[derive(Debug)]
pub struct Script {
    pub(super) name: String,
    pub(super) latency: Duration,
    pub(super) rules: Vec<Rule>,
    pub(super) default: Option<Reply>,
}

/// One rule. Empty lists and `None` match everything.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) when: Vec<String>,
    pub(super) system: Vec<String>,
    pub(super) model: Option<String>,
    pub(super) times: Option<u32>,
    pub(super) reply: Reply,
}

/// A rule's answer.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Text(String),
    FromDocument,
    Failure(ChatFailure),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptFile {
    name: Option<String>,
    latency: Option<String>,
    #[serde(default, rename = "rule")]
    rules: Vec<RuleFile>,
    default: Option<RuleFile>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RuleFile {
    when: OneOrMany,
    system: OneOrMany,
    model: Option<String>,
    times: Option<u32>,
    answer: Option<Value>,
    answer_from: Option<Origin>,
    error: Option<String>,
    retry_after: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(untagged)]
enum OneOrMany {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Origin {
    Document,
}

/// Answers for a large corpus fit; anything larger means the path is wrong.
const LARGEST_SCRIPT: ByteSize = ByteSize::mib(16);

/// Reads a script from a file.
pub(crate) fn read(path: &Path) -> anyhow::Result<Script> {
    let unreadable = || format!("the script {} cannot be read; check its path", path.display());
    let bytes = read_file(path, LARGEST_SCRIPT).with_context(unreadable)?;
    let text = String::from_utf8(bytes).with_context(unreadable)?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    parse(&text, &stem).with_context(|| format!("the script {} cannot be used", path.display()))
}

/// Parses the text of a script; `name` is used if it has none.
pub(super) fn parse(text: &str, name: &str) -> anyhow::Result<Script> {
    let file: ScriptFile = toml::from_str(text)?;
    let mut rules = Vec::new();
    for (index, rule) in file.rules.into_iter().enumerate() {
        rules.push(rule.read().with_context(|| format!("its rule {}", index + 1))?);
    }
    let default = match file.default {
        Some(default) => Some(default.read_default().context("its default")?),
        None => None,
    };
    let latency = file.latency.as_deref().map(duration).transpose()?.unwrap_or_default();
    Ok(Script { name: file.name.unwrap_or_else(|| name.to_owned()), latency, rules, default })
}

impl RuleFile {
    fn read(self) -> anyhow::Result<Rule> {
        let reply = match (self.answer, self.answer_from, self.error) {
            (Some(Value::String(text)), None, None) => Reply::Text(text),
            (Some(value), None, None) => Reply::Text(value.to_string()),
            (None, Some(Origin::Document), None) => Reply::FromDocument,
            (None, None, Some(error)) => {
                let after = self.retry_after.as_deref().map(duration).transpose()?;
                Reply::Failure(failure(&error, self.message.as_deref(), after)?)
            }
            _ => bail!("it needs one of `answer`, `answer_from` and `error`, and only one"),
        };
        if !matches!(reply, Reply::Failure(_)) && (self.message.is_some() || self.retry_after.is_some()) {
            bail!("`message` and `retry_after` belong to an `error`");
        }
        let (when, system) = (self.when.into_vec(), self.system.into_vec());
        Ok(Rule { when, system, model: self.model, times: self.times, reply })
    }

    fn read_default(self) -> anyhow::Result<Reply> {
        let rule = self.read()?;
        if !rule.when.is_empty() || !rule.system.is_empty() || rule.model.is_some() || rule.times.is_some() {
            bail!("it always matches, so it takes no `when`, `system`, `model` or `times`; make it a [[rule]]");
        }
        Ok(rule.reply)
    }
}

fn failure(name: &str, message: Option<&str>, after: Option<Duration>) -> anyhow::Result<ChatFailure> {
    let message = message.unwrap_or("as its script says").to_owned();
    let failure = match name {
        "rate-limited" => return Ok(ChatFailure::RateLimited { message, after }),
        "unavailable" => return Ok(ChatFailure::Unavailable { message, after }),
        "timeout" => ChatFailure::Timeout(message),
        "context-length-exceeded" => ChatFailure::ContextLengthExceeded { message, limit: None, actual: None },
        "content-filtered" => ChatFailure::ContentFiltered(message),
        "invalid-output" => ChatFailure::InvalidOutput { text: String::new(), problems: vec![message] },
        "invalid-request" => ChatFailure::InvalidRequest(message),
        "denied" => ChatFailure::Denied(message),
        "budget-exhausted" => ChatFailure::BudgetExhausted { scope: BudgetScope::Account, message },
        "misconfigured" => ChatFailure::Misconfigured(message),
        _ => bail!(
            "{name:?} is not a known error; it can be rate-limited, unavailable, timeout, context-length-exceeded, \
             content-filtered, invalid-output, invalid-request, denied, budget-exhausted or misconfigured"
        ),
    };
    if after.is_some() {
        bail!("`retry_after` belongs to the errors rate-limited and unavailable, not to {name}");
    }
    Ok(failure)
}

fn duration(text: &str) -> anyhow::Result<Duration> {
    let wrong = || anyhow!("{text:?} is not a time; write it like \"50ms\", \"2s\" or \"1m\"");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u32 = digits.parse().map_err(|_| wrong())?;
    match &text[digits.len()..] {
        "ms" => Ok(Duration::from_millis(number.into())),
        "s" => Ok(Duration::from_secs(number.into())),
        "m" => Ok(Duration::from_secs(60 * u64::from(number))),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        match parse(text, "file") {
            Err(error) => format!("{error:#}"),
            Ok(script) => panic!("accepted {script:?}"),
        }
    }

    #[test]
    fn the_documented_example_is_a_script() {
        let page = include_str!("script.rs");
        let fenced = page.split("//! ```").nth(1).unwrap();
        let example: String =
            fenced.lines().skip(1).map(|line| line.trim_start_matches("//!").to_owned() + "\n").collect();
        let script = parse(&example, "file").unwrap();
        assert_eq!((script.name.as_str(), script.latency, script.rules.len()), ("demo", Duration::from_millis(50), 2));
        assert!(matches!(&script.rules[1].reply, Reply::Text(text) if text == r#"{"kind":"invoice"}"#));
        assert!(matches!(script.default, Some(Reply::FromDocument)));
    }

    #[test]
    fn every_failure_can_be_scripted_by_the_name_logs_have_for_it() {
        for name in [
            "rate-limited",
            "unavailable",
            "timeout",
            "context-length-exceeded",
            "content-filtered",
            "invalid-output",
            "invalid-request",
            "denied",
            "budget-exhausted",
            "misconfigured",
        ] {
            assert_eq!(failure(name, None, None).unwrap().kind(), name);
        }
    }

    #[test]
    fn faults_name_the_rule_and_the_way_out() {
        for (text, expected) in [
            ("[[rule]]\nwhen = 'a'", "its rule 1: it needs one of"),
            ("[[rule]]\nanswer = 'a'\nerror = 'timeout'", "and only one"),
            ("[[rule]]\nanswer = 'a'\nretry_after = '1s'", "belong to an `error`"),
            ("[[rule]]\nerror = 'timeout'\nretry_after = '1s'", "not to timeout"),
            ("[[rule]]\nerror = 'sleepy'", "it can be rate-limited"),
            ("[[rule]]\nanswer_from = 'sky'", "document"),
            ("[default]\nwhen = 'a'\nanswer = 'b'", "make it a [[rule]]"),
            ("latency = '5 parsecs'", "is not a time"),
            ("latency = '-5s'", "is not a time"),
            ("colour = 'red'", "colour"),
        ] {
            assert!(fault(text).contains(expected), "{text}: {}", fault(text));
        }
    }
}
