//! A target that answers from a script: the same answers in the same order every time, without a provider or a key.

mod made_up;
pub mod script;
mod vectors;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use gristmill_core::model::{
    ChatFailure, ChatRequest, ChatResponse, Content, EmbedRequest, EmbedResponse, FinishReason, Role, Usage,
};
use gristmill_core::ports::Caller;

use crate::answered::{Answered, Unanswered};
use crate::embedding::{Embeds, Made, check, unusable};
use crate::parts::Bounds;
use crate::provider::Provider;

use script::{Reply, Rule, Script};

/// Characters per token: a rule of thumb for English.
const CHARACTERS_PER_TOKEN: u64 = 4;

/// A running script.
pub(super) struct Scripted {
    name: String,
    latency: Duration,
    rules: Vec<(Rule, Uses)>,
    default: Option<Reply>,
}

/// How often a rule has been used.
struct Uses(AtomicU32);

impl Scripted {
    pub(super) fn new(script: Script) -> Self {
        let rules = script.rules.into_iter().map(|rule| (rule, Uses(AtomicU32::new(0)))).collect();
        Self { name: format!("scripted/{}", script.name), latency: script.latency, rules, default: script.default }
    }

    /// The name of the script, as its answers and errors give it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn reply(&self, request: &ChatRequest, document: &str) -> Option<&Reply> {
        let system = said(request, Role::System);
        for (rule, uses) in &self.rules {
            let fits = rule.when.iter().all(|text| document.contains(text))
                && rule.system.iter().all(|text| system.contains(text))
                && rule.model.as_ref().is_none_or(|model| request.model.as_ref() == Some(model));
            if fits && uses.take(rule.times) {
                return Some(&rule.reply);
            }
        }
        self.default.as_ref()
    }
}

/// What one request may hold: as much as the largest provider takes.
const BOUNDS: Bounds = Bounds { inputs: 2_048, tokens: 300_000, input_tokens: None };

#[async_trait]
impl Embeds for Scripted {
    fn model(&self) -> &str {
        &self.name
    }

    fn bounds(&self) -> Bounds {
        BOUNDS
    }

    /// Vectors of the words of each text. A rule with an `error` applies to a request if one of its texts has all of `when`.
    async fn embed(&self, _caller: &Caller, request: &EmbedRequest) -> Result<Answered<EmbedResponse>, Unanswered> {
        for (rule, uses) in &self.rules {
            let Reply::Failure(failure) = &rule.reply else { continue };
            let fits = rule.system.is_empty()
                && request.inputs.iter().any(|input| rule.when.iter().all(|text| input.contains(text)))
                && rule.model.as_ref().is_none_or(|model| request.model.as_ref() == Some(model));
            if fits && uses.take(rule.times) {
                return Err(named(&self.name, failure.clone()).into());
            }
        }
        if self.latency > request.timeout.unwrap_or(Duration::MAX) {
            return Err(ChatFailure::Timeout(format!("{} takes {:?} for each answer", self.name, self.latency)).into());
        }
        if !self.latency.is_zero() {
            sleep(self.latency).await;
        }
        let dimensions = request.dimensions.unwrap_or(vectors::DIMENSIONS);
        let made = request.inputs.iter().map(|input| vectors::vector(input, dimensions));
        let vectors = made.collect::<Result<_, _>>().map_err(|fault| unusable(fault.to_string()))?;
        let characters: u64 = request.inputs.iter().map(|input| input.chars().count() as u64).sum();
        let words: u64 = request.inputs.iter().map(|input| input.split_whitespace().count() as u64).sum();
        let input_tokens = Some(characters.div_ceil(CHARACTERS_PER_TOKEN).max(words));
        let made = Made { vectors, usage: Usage { input_tokens, ..Usage::default() } };
        Ok(check(&self.name, request, made)?.into())
    }
}

impl Uses {
    /// Takes one of `most` uses. False if none is left.
    fn take(&self, most: Option<u32>) -> bool {
        let Some(most) = most else { return true };
        let one_more = |uses: u32| (uses < most).then_some(uses + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }
}

#[async_trait]
impl Provider for Scripted {
    /// Chooses the rule before waiting, so that overlapping calls take the rules in the order they arrived. Usage is
    /// estimated from the characters; the prefix "scripted/" in the model's name marks it as such.
    async fn chat(&self, _caller: &Caller, request: &ChatRequest) -> Result<Answered<ChatResponse>, Unanswered> {
        let begun = Instant::now();
        let document = last_user_message(request);
        let reply = self.reply(request, &document).cloned();
        let allowed = request.timeout.unwrap_or(Duration::MAX);
        if self.latency > allowed {
            sleep(allowed).await;
            return Err(ChatFailure::Timeout(format!("{} takes {:?} for each answer", self.name, self.latency)).into());
        }
        if !self.latency.is_zero() {
            tokio::time::sleep_until(begun + self.latency).await;
        }
        let text = match reply {
            Some(Reply::Text(text)) => text,
            Some(Reply::FromDocument) => made_up::answer(&request.format, &document)?,
            Some(Reply::Failure(failure)) => return Err(named(&self.name, failure).into()),
            None => {
                let reason = format!("no rule of {} matches this request; add a [default] to its script", self.name);
                return Err(ChatFailure::Misconfigured(reason).into());
            }
        };
        let usage = Usage {
            input_tokens: Some(tokens(request.messages.iter().flat_map(|message| &message.content))),
            output_tokens: Some(text.chars().count() as u64).map(|count| count.div_ceil(CHARACTERS_PER_TOKEN)),
            ..Usage::default()
        };
        let (finish_reason, model) = (FinishReason::Stop, self.name.clone());
        Ok(ChatResponse { text, finish_reason, usage, model, provider_request_id: None, cached: false }.into())
    }

    fn embeds(&self) -> Option<&dyn Embeds> {
        Some(self)
    }
}

/// Puts the sender in front of the failure's message, as real providers do.
fn named(name: &str, failure: ChatFailure) -> ChatFailure {
    let with = |message: String| format!("{name}: {message}");
    match failure {
        ChatFailure::RateLimited { message, after } => ChatFailure::RateLimited { message: with(message), after },
        ChatFailure::Unavailable { message, after } => ChatFailure::Unavailable { message: with(message), after },
        ChatFailure::Timeout(message) => ChatFailure::Timeout(with(message)),
        other => other,
    }
}

fn tokens<'a>(content: impl Iterator<Item = &'a Content>) -> u64 {
    let mut characters = 0;
    for part in content {
        match part {
            Content::Text(text) => characters += text.chars().count() as u64,
            Content::Media { data, .. } => characters += data.len() as u64,
        }
    }
    characters.div_ceil(CHARACTERS_PER_TOKEN)
}

/// All text of the messages with this role.
fn said(request: &ChatRequest, role: Role) -> String {
    let of_role = request.messages.iter().filter(|message| message.role == role);
    let mut whole = String::new();
    for part in of_role.flat_map(|message| &message.content) {
        if let Content::Text(text) = part {
            whole.push_str(text);
            whole.push('\n');
        }
    }
    whole
}

fn last_user_message(request: &ChatRequest) -> String {
    let Some(last) = request.messages.iter().rfind(|message| message.role == Role::User) else {
        return String::new();
    };
    let mut whole = String::new();
    for part in &last.content {
        if let Content::Text(text) = part {
            whole.push_str(text);
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::script::parse;
    use super::*;
    use crate::fixtures::{caller, message, request};

    async fn ask(model: &Scripted, request: &ChatRequest) -> Result<ChatResponse, ChatFailure> {
        let answer = model.chat(&caller(1, "s", "a", 0), request).await;
        Ok(answer.map_err(|unanswered| unanswered.failure)?.response)
    }

    fn scripted(text: &str) -> Scripted {
        Scripted::new(parse(text, "file").unwrap())
    }

    #[tokio::test]
    async fn the_first_rule_that_fits_answers() {
        let model = scripted(
            "[[rule]]\nwhen = ['invoice', 'overdue']\nanswer = 'both'\n[[rule]]\nwhen = 'invoice'\nanswer = 'one'\n\
             [[rule]]\nsystem = 'pirate'\nanswer = 'arr'\n[[rule]]\nmodel = 'smart'\nanswer = 'clever'\n\
             [default]\nanswer = 'rest'",
        );
        let smart = ChatRequest { model: Some("smart".into()), ..request("x") };
        let pirate = vec![message(Role::System, "You are a pirate."), message(Role::User, "x")];
        let earlier = vec![message(Role::User, "invoice"), message(Role::User, "x")];
        for (request, expected) in [
            (request("the invoice is overdue"), "both"),
            (request("the invoice"), "one"),
            (ChatRequest { messages: pirate, ..request("") }, "arr"),
            (smart, "clever"),
            (ChatRequest { messages: earlier, ..request("") }, "rest"),
            (request("Invoice"), "rest"),
        ] {
            assert_eq!(ask(&model, &request).await.unwrap().text, expected);
        }
    }

    #[tokio::test]
    async fn a_rule_can_fit_so_many_times_only() {
        let model = scripted(
            "[[rule]]\ntimes = 2\nerror = 'rate-limited'\nretry_after = '3s'\nmessage = 'busy'\n[default]\nanswer = 'ok'",
        );
        let limited =
            ChatFailure::RateLimited { message: "scripted/file: busy".into(), after: Some(Duration::from_secs(3)) };
        assert_eq!(ask(&model, &request("x")).await, Err(limited.clone()));
        assert_eq!(ask(&model, &request("x")).await, Err(limited));
        assert_eq!(ask(&model, &request("x")).await.unwrap().text, "ok");
    }

    #[tokio::test]
    async fn usage_is_estimated_and_the_name_says_so() {
        let answer =
            ask(&scripted("name = 'demo'\n[default]\nanswer = 'ninechars'"), &request("eight888")).await.unwrap();
        assert_eq!(answer.model, "scripted/demo");
        assert_eq!((answer.usage.input_tokens, answer.usage.output_tokens), (Some(2), Some(3)));
        assert_eq!(answer.usage.cost_nano_usd, None);
    }

    #[tokio::test]
    async fn a_request_that_no_rule_fits_is_not_made_up() {
        let failure = ask(&scripted("[[rule]]\nwhen = 'a'\nanswer = 'b'"), &request("x")).await.unwrap_err();
        assert!(matches!(&failure, ChatFailure::Misconfigured(reason) if reason.contains("[default]")), "{failure:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn latency_is_kept_within_the_requests_time() {
        let model = scripted("latency = '2s'\n[default]\nanswer = 'ok'");
        let begun = Instant::now();
        assert!(ask(&model, &request("x")).await.is_ok());
        assert_eq!(begun.elapsed(), Duration::from_secs(2));
        let hurried = ChatRequest { timeout: Some(Duration::from_secs(1)), ..request("x") };
        assert!(matches!(ask(&model, &hurried).await, Err(ChatFailure::Timeout(_))));
        assert_eq!(begun.elapsed(), Duration::from_secs(3));
    }
}
