//! `gristmill models test`.

use std::fmt::Write;
use std::time::{Duration, Instant};

use gristmill_core::model::{
    ChatFailure, ChatMessage, ChatRequest, ChatResponse, EventId, FinishReason, Format, JobId, Partition, Position,
    Role, TraceContext, Usd,
};
use gristmill_core::ports::{Caller, Edition, ModelError};
use gristmill_llm::settings::TargetSettings;
use serde_json::{Value, json};

use super::args::Test;
use crate::app::{self, Failure};
use crate::console;
use crate::settings::Pipeline;

/// The most that an answer may have, so that a server that ignores the bound is noticed.
const MOST_OUTPUT_TOKENS: u32 = 500;
/// The question names no form: only the schema does.
const QUESTION: &str = "Which metal has the chemical symbol Fe, and is it magnetic?";
const SCHEMA: &str = r#"{"type":"object","properties":{"metal":{"type":"string"},"magnetic":{"type":"boolean"}},"required":["metal","magnetic"],"additionalProperties":false}"#;

/// Asks each target, and prints each answer as it comes.
///
/// # Errors
/// The first thing that is wrong with the file; that targets did not answer, when all were asked.
pub(super) async fn test(args: &Test) -> Result<(), Failure> {
    let pipeline = args.of.pipeline()?;
    let targets = targets(&pipeline, args.alias.as_deref())?;
    let mut failed = 0;
    for (alias, target) in &targets {
        let tested = ask(&pipeline, target).await;
        failed += usize::from(tested.answer.is_err());
        console::print(&if args.json { tested.line(alias) } else { tested.text(alias) })?;
    }
    match failed {
        0 => Ok(()),
        failed => {
            Err(Failure::Running(anyhow::anyhow!("{failed} of {} targets did not answer as asked", targets.len())))
        }
    }
}

fn targets<'p>(pipeline: &'p Pipeline, only: Option<&str>) -> Result<Vec<(&'p str, &'p TargetSettings)>, Failure> {
    let names = || pipeline.models.keys().map(|name| &**name).collect::<Vec<_>>().join(", ");
    let aliases = pipeline.models.iter().filter(|(name, _)| only.is_none_or(|only| *only == ***name));
    let targets: Vec<_> =
        aliases.flat_map(|(name, model)| model.targets.iter().map(|target| (&**name, target))).collect();
    match (targets.is_empty(), only) {
        (false, _) => Ok(targets),
        (true, Some(only)) => {
            Err(Failure::Setup(anyhow::anyhow!("there is no model {only:?}; there are: {}", names())))
        }
        (true, None) => Err(Failure::Setup(anyhow::anyhow!("there are no models; add [models.NAME] with targets"))),
    }
}

/// What a target made of the question.
struct Tested {
    target: String,
    took: Duration,
    /// Or why there is none, in words.
    answer: Result<ChatResponse, String>,
}

async fn ask(pipeline: &Pipeline, target: &TargetSettings) -> Tested {
    let name = target.name();
    let begun = Instant::now();
    let answer = match app::model_of(target) {
        Ok(model) => model.chat(&caller(pipeline), &request()).await.map_err(|error| words(&error)),
        Err(failure) => Err(failure.to_string()),
    };
    Tested { target: name, took: begun.elapsed(), answer }
}

fn request() -> ChatRequest {
    let schema = Format::Schema { name: "metal".into(), description: None, schema: SCHEMA.into() };
    ChatRequest {
        format: schema,
        max_output_tokens: Some(MOST_OUTPUT_TOKENS),
        ..ChatRequest::new(vec![ChatMessage::text(Role::User, QUESTION)])
    }
}

/// A job that no event of the pipeline has.
fn caller(pipeline: &Pipeline) -> Caller {
    let partition = Partition { topic: "models-test".into(), index: 0 };
    let job = JobId::new(&pipeline.name, &EventId { partition, position: Position(0) });
    let trace = TraceContext::of_job(&job);
    let (stage, item) = ("models-test".into(), "models-test".into());
    Caller { job, stage, item, repeat: 0, edition: Edition::default(), trace }
}

fn words(error: &ModelError) -> String {
    let failure = match error {
        ModelError::Chat { failure, .. } => failure,
        ModelError::Store(error) => return error.to_string(),
    };
    let message = match failure {
        ChatFailure::RateLimited { message, .. }
        | ChatFailure::Unavailable { message, .. }
        | ChatFailure::ContextLengthExceeded { message, .. }
        | ChatFailure::BudgetExhausted { message, .. }
        | ChatFailure::Timeout(message)
        | ChatFailure::ContentFiltered(message)
        | ChatFailure::InvalidRequest(message)
        | ChatFailure::Denied(message)
        | ChatFailure::Misconfigured(message) => message.clone(),
        ChatFailure::InvalidOutput { problems, .. } => {
            format!("the answer does not have the form of the schema: {}", problems.join("; "))
        }
    };
    format!("{}: {message}", failure.kind())
}

/// What the server did not do, although it answered.
fn ignored(answer: &ChatResponse) -> Vec<String> {
    let mut ignored = Vec::new();
    let usage = &answer.usage;
    if usage.output_tokens.is_some_and(|output| output > MOST_OUTPUT_TOKENS.into()) {
        ignored.push(format!("max_output_tokens: it was {MOST_OUTPUT_TOKENS}"));
    }
    if usage.input_tokens.is_none() || usage.output_tokens.is_none() {
        ignored.push("it does not tell its tokens: budgets count its calls as estimated".to_owned());
    }
    if usage.cost_nano_usd.is_none() {
        ignored.push("what it cost is not known".to_owned());
    }
    if let FinishReason::Other(reason) = &answer.finish_reason {
        ignored.push(format!("it ended with {reason:?}"));
    }
    ignored
}

impl Tested {
    fn text(&self, alias: &str) -> String {
        let Self { target, took, answer } = self;
        let mut text = format!("{alias}  {target}  {} ms\n", took.as_millis());
        match answer {
            Ok(answer) => {
                let count = |tokens: Option<u64>| tokens.map_or_else(|| "?".to_owned(), |tokens| tokens.to_string());
                let usage = &answer.usage;
                let cost = usage.cost_nano_usd.map(|nano| format!(", {}", Usd::nano(nano)));
                let _ = writeln!(
                    text,
                    "  structured output: yes; {} tokens in, {} out{}",
                    count(usage.input_tokens),
                    count(usage.output_tokens),
                    cost.unwrap_or_default()
                );
                for what in ignored(answer) {
                    let _ = writeln!(text, "  {what}");
                }
            }
            Err(why) => {
                let _ = writeln!(text, "  {why}");
            }
        }
        text
    }

    fn line(&self, alias: &str) -> String {
        let Self { target, took, answer } = self;
        let answered = answer.as_ref().ok();
        let usage = answered.map(|answer| &answer.usage);
        let line: Value = json!({
            "alias": alias,
            "target": target,
            "milliseconds": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "structured": answered.is_some(),
            "input_tokens": usage.and_then(|usage| usage.input_tokens),
            "output_tokens": usage.and_then(|usage| usage.output_tokens),
            "cost_usd": usage.and_then(|usage| usage.cost_nano_usd).map(|nano| Usd::nano(nano).number()),
            "ignored": answered.map(ignored),
            "error": answer.as_ref().err(),
        });
        format!("{line}\n")
    }
}

#[cfg(test)]
mod tests {
    use gristmill_core::model::Usage;

    use super::*;

    fn tested(usage: Usage) -> Tested {
        let answer = ChatResponse {
            text: "{}".into(),
            finish_reason: FinishReason::Stop,
            usage,
            model: "openai/m".into(),
            provider_request_id: None,
            cached: false,
        };
        Tested { target: "openai/m".into(), took: Duration::from_millis(12), answer: Ok(answer) }
    }

    #[test]
    fn what_a_server_ignores_is_told() {
        let good = Usage { input_tokens: Some(9), output_tokens: Some(7), cost_nano_usd: Some(5), ..Usage::default() };
        let shown = "smart  openai/m  12 ms\n  structured output: yes; 9 tokens in, 7 out, 0.000000005 USD\n";
        assert_eq!(tested(good).text("smart"), shown);
        let long = tested(Usage { output_tokens: Some(501), ..good }).text("smart");
        assert!(long.contains("max_output_tokens"), "{long}");
        let silent: Value = serde_json::from_str(&tested(Usage::default()).line("smart")).unwrap();
        assert_eq!(silent["ignored"].as_array().map(Vec::len), Some(2), "{silent}");
    }

    #[test]
    fn a_target_without_an_answer_says_why() {
        let failure = ChatFailure::InvalidOutput { text: "canary".into(), problems: vec!["it is no object".into()] };
        let answer = Err(words(&ModelError::Chat { failure, blame: None }));
        let shown = Tested { answer, ..tested(Usage::default()) }.text("smart");
        assert!(
            shown.contains("invalid-output: the answer does not have the form") && !shown.contains("canary"),
            "{shown}"
        );
    }
}
