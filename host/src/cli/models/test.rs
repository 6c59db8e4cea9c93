//! `gristmill models test`.

use std::fmt::Write;
use std::time::{Duration, Instant};

use gristmill_core::model::{
    ChatFailure, ChatMessage, ChatRequest, ChatResponse, EmbedRequest, EmbedResponse, EventId, FinishReason, Format,
    JobId, Partition, Position, Role, TraceContext, Usage, Usd, Vector,
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
        failed += usize::from(!tested.has_answered());
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

/// What a target is asked for: what the stages of the pipeline may ask, or an answer if none may ask anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Purposes {
    chat: bool,
    vectors: bool,
}

impl Purposes {
    fn of(pipeline: &Pipeline, target: &TargetSettings) -> Self {
        let vectors = target.embeds() && pipeline.stages.iter().any(|stage| stage.grants.embeddings);
        Self { chat: !vectors || pipeline.stages.iter().any(|stage| stage.grants.llm), vectors }
    }
}

/// What a target made of the questions.
struct Tested {
    target: String,
    chat: Option<Trial<ChatResponse>>,
    vectors: Option<Trial<EmbedResponse>>,
}

/// One question.
struct Trial<A> {
    took: Duration,
    /// Or why there is none, in words.
    answer: Result<A, String>,
}

impl<A> Trial<A> {
    async fn of(asked: impl Future<Output = Result<A, ModelError>>) -> Self {
        let begun = Instant::now();
        let answer = asked.await.map_err(|error| words(&error));
        Self { took: begun.elapsed(), answer }
    }

    fn none(why: &str) -> Self {
        Self { took: Duration::ZERO, answer: Err(why.to_owned()) }
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX)
    }
}

async fn ask(pipeline: &Pipeline, target: &TargetSettings) -> Tested {
    let Purposes { chat, vectors } = Purposes::of(pipeline, target);
    let name = target.name();
    let model = match app::model_of(target) {
        Ok(model) => model,
        Err(failure) => {
            let why = failure.to_string();
            let (chat, vectors) = (chat.then(|| Trial::none(&why)), vectors.then(|| Trial::none(&why)));
            return Tested { target: name, chat, vectors };
        }
    };
    let caller = caller(pipeline);
    let chat = match chat {
        true => Some(Trial::of(model.chat(&caller, &request())).await),
        false => None,
    };
    let vectors = match vectors {
        true => Some(Trial::of(model.embed(&caller, &EmbedRequest::new(vec![QUESTION.into()]))).await),
        false => None,
    };
    Tested { target: name, chat, vectors }
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
    /// Whether it answered one of the questions: no model of a provider makes both answers and vectors, and the file does
    /// not say which one it is.
    fn has_answered(&self) -> bool {
        self.chat.as_ref().is_some_and(|trial| trial.answer.is_ok())
            || self.vectors.as_ref().is_some_and(|trial| trial.answer.is_ok())
    }

    fn text(&self, alias: &str) -> String {
        let mut text = format!("{alias}  {}\n", self.target);
        let count = |tokens: Option<u64>| tokens.map_or_else(|| "?".to_owned(), |tokens| tokens.to_string());
        let cost = |usage: &Usage| usage.cost_nano_usd.map(|nano| format!(", {}", Usd::nano(nano))).unwrap_or_default();
        if let Some(Trial { took, answer }) = &self.chat {
            let milliseconds = took.as_millis();
            let _ = match answer {
                Ok(ChatResponse { usage, .. }) => writeln!(
                    text,
                    "  structured output: yes; {milliseconds} ms, {} tokens in, {} out{}",
                    count(usage.input_tokens),
                    count(usage.output_tokens),
                    cost(usage)
                ),
                Err(why) => writeln!(text, "  structured output: no; {why}"),
            };
            for what in answer.as_ref().map(ignored).unwrap_or_default() {
                let _ = writeln!(text, "  {what}");
            }
        }
        if let Some(Trial { took, answer }) = &self.vectors {
            let milliseconds = took.as_millis();
            let _ = match answer {
                Ok(made) => writeln!(
                    text,
                    "  vectors: yes; {milliseconds} ms, {} dimensions, {} tokens in{}",
                    dimensions(made),
                    count(made.usage.input_tokens),
                    cost(&made.usage)
                ),
                Err(why) => writeln!(text, "  vectors: no; {why}"),
            };
        }
        text
    }

    fn line(&self, alias: &str) -> String {
        let line = json!({
            "alias": alias,
            "target": self.target,
            "chat": self.chat.as_ref().map(|trial| {
                let answered = trial.answer.as_ref().ok();
                json!({
                    "milliseconds": trial.milliseconds(),
                    "structured": answered.is_some(),
                    "usage": answered.map(|answer| usage(&answer.usage)),
                    "ignored": answered.map(ignored),
                    "error": trial.answer.as_ref().err(),
                })
            }),
            "vectors": self.vectors.as_ref().map(|trial| {
                let made = trial.answer.as_ref().ok();
                json!({
                    "milliseconds": trial.milliseconds(),
                    "dimensions": made.map(dimensions),
                    "usage": made.map(|made| usage(&made.usage)),
                    "error": trial.answer.as_ref().err(),
                })
            }),
        });
        format!("{line}\n")
    }
}

fn dimensions(made: &EmbedResponse) -> usize {
    made.vectors.first().map_or(0, Vector::dimensions)
}

fn usage(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_usd": usage.cost_nano_usd.map(|nano| Usd::nano(nano).number()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(usage: Usage) -> Trial<ChatResponse> {
        let answer = ChatResponse {
            text: "{}".into(),
            finish_reason: FinishReason::Stop,
            usage,
            model: "openai/m".into(),
            provider_request_id: None,
            cached: false,
        };
        Trial { took: Duration::from_millis(12), answer: Ok(answer) }
    }

    fn tested(chat: Option<Trial<ChatResponse>>, vectors: Option<Trial<EmbedResponse>>) -> Tested {
        Tested { target: "openai/m".into(), chat, vectors }
    }

    #[test]
    fn what_a_server_ignores_is_told() {
        let good = Usage { input_tokens: Some(9), output_tokens: Some(7), cost_nano_usd: Some(5), ..Usage::default() };
        let shown = "smart  openai/m\n  structured output: yes; 12 ms, 9 tokens in, 7 out, 0.000000005 USD\n";
        assert_eq!(tested(Some(said(good)), None).text("smart"), shown);
        let long = tested(Some(said(Usage { output_tokens: Some(501), ..good })), None).text("smart");
        assert!(long.contains("max_output_tokens"), "{long}");
        let silent: Value = serde_json::from_str(&tested(Some(said(Usage::default())), None).line("smart")).unwrap();
        assert_eq!(silent["chat"]["ignored"].as_array().map(Vec::len), Some(2), "{silent}");
        assert_eq!(silent["vectors"], Value::Null);
    }

    #[test]
    fn a_target_without_an_answer_says_why() {
        let failure = ChatFailure::InvalidOutput { text: "canary".into(), problems: vec!["it is no object".into()] };
        let why = words(&ModelError::Chat { failure, blame: None });
        let failed = tested(Some(Trial::none(&why)), None);
        let shown = failed.text("smart");
        assert!(shown.contains("no; invalid-output: the answer does not have the form"), "{shown}");
        assert!(!shown.contains("canary") && !failed.has_answered(), "{shown}");
    }

    #[test]
    fn a_model_of_vectors_gives_no_answer_and_is_as_it_should_be() {
        let vectors = vec![Vector::new(&[0.5, 1.0, 2.0]).unwrap()];
        let usage = Usage { input_tokens: Some(11), ..Usage::default() };
        let made = EmbedResponse { vectors, usage, model: "openai/m".into(), cached: false };
        let made = Trial { took: Duration::from_millis(4), answer: Ok(made) };
        let both = tested(Some(Trial::none("invalid-request: it does not chat")), Some(made));
        assert!(both.has_answered());
        let shown = "vectors  openai/m\n  structured output: no; invalid-request: it does not chat\n  vectors: yes; 4 ms, 3 \
                     dimensions, 11 tokens in\n";
        assert_eq!(both.text("vectors"), shown);
        let line: Value = serde_json::from_str(&both.line("vectors")).unwrap();
        assert_eq!((&line["vectors"]["dimensions"], &line["vectors"]["error"]), (&json!(3), &Value::Null), "{line}");
    }
}
