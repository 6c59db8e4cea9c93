//! Aliases, fallbacks and permits, over fake targets and a paused clock.

mod goodput;
mod lists;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Notify;
use tokio::time::timeout;

use super::*;
use crate::answered::Answered;
use crate::fixtures::{caller, request, response};
use crate::settings::LimitSettings;
use gristmill_core::model::{BudgetScope, Sign};
use gristmill_core::ports::{Exchange, Observers};

/// Gives a fixed answer and counts the calls.
struct Fixed {
    answer: Result<ChatResponse, ChatFailure>,
    calls: Arc<AtomicU32>,
    takes: Duration,
}

#[async_trait]
impl Provider for Fixed {
    async fn chat(&self, _caller: &Caller, request: &ChatRequest) -> Result<Answered<ChatResponse>, Unanswered> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let allowed = request.timeout.unwrap();
        if self.takes > allowed {
            tokio::time::sleep(allowed).await;
            return Err(ChatFailure::Timeout("slow".into()).into());
        }
        tokio::time::sleep(self.takes).await;
        Ok(self.answer.clone()?.into())
    }
}

/// Waits to be released, at most as long as the request allows.
struct Held(Arc<Notify>);

#[async_trait]
impl Provider for Held {
    async fn chat(&self, _caller: &Caller, request: &ChatRequest) -> Result<Answered<ChatResponse>, Unanswered> {
        match timeout(request.timeout.unwrap(), self.0.notified()).await {
            Ok(()) => Ok(response("late").into()),
            Err(_) => Err(ChatFailure::Timeout("held".into()).into()),
        }
    }
}

fn target(provider: impl Provider + 'static, max_concurrent: usize) -> Target {
    Target {
        name: "test/model".into(),
        timeout: Duration::from_secs(60),
        limit: Share::new(max_concurrent),
        entry: Entry::new(Arc::default(), LimitSettings::default(), None),
        results: Arc::default(),
        price: None,
        provider: Box::new(provider),
    }
}

fn alias(answers: Vec<Result<ChatResponse, ChatFailure>>) -> (Alias, Vec<Arc<AtomicU32>>) {
    let (mut targets, mut calls) = (Vec::new(), Vec::new());
    for answer in answers {
        let counter = Arc::new(AtomicU32::new(0));
        calls.push(Arc::clone(&counter));
        targets.push(target(Fixed { answer, calls: counter, takes: Duration::ZERO }, 8));
    }
    (Alias::new(targets), calls)
}

fn only(alias: Alias) -> Aliases {
    named_all([("smart".to_owned(), alias)])
}

fn named_all(aliases: impl IntoIterator<Item = (String, Alias)>) -> Aliases {
    Aliases::new(aliases.into_iter().collect(), Arc::new(Observers::default()))
}

async fn chat(models: &Aliases, request: &ChatRequest) -> Result<ChatResponse, ChatFailure> {
    models.chat(&caller(1, "s", "a", 0), request).await.map_err(|error| unwrapped(error).0)
}

fn unwrapped(error: ModelError) -> (ChatFailure, Option<Blame>) {
    match error {
        ModelError::Chat { failure, blame } => (failure, blame),
        ModelError::Store(error) => panic!("{error}"),
    }
}

fn limited(seconds: u64) -> ChatFailure {
    ChatFailure::RateLimited { message: "limited".into(), after: Some(Duration::from_secs(seconds)) }
}

fn too_long() -> ChatFailure {
    ChatFailure::ContextLengthExceeded { message: "long".into(), limit: None, actual: None }
}

fn no_money() -> ChatFailure {
    ChatFailure::BudgetExhausted { scope: BudgetScope::Account, message: "pay".into() }
}

fn wrong_key() -> ChatFailure {
    ChatFailure::Misconfigured("wrong key".into())
}

fn away() -> ChatFailure {
    ChatFailure::Unavailable { message: "away".into(), after: None }
}

#[tokio::test]
async fn a_request_without_a_model_goes_to_the_only_one_or_the_default() {
    let named = |model: Option<&str>| ChatRequest { model: model.map(str::to_owned), ..request("hello") };
    let model = |text: &str| alias(vec![Ok(response(text))]).0;
    let one = only(model("one"));
    assert_eq!(chat(&one, &named(None)).await.unwrap().text, "one");
    let several = named_all([("a".to_owned(), model("a")), ("default".to_owned(), model("d"))]);
    assert_eq!(chat(&several, &named(None)).await.unwrap().text, "d");
    assert_eq!(chat(&several, &named(Some("a"))).await.unwrap().text, "a");
    let unclear = named_all([("a".to_owned(), model("a")), ("b".to_owned(), model("b"))]);
    for (models, asked, expected) in [
        (&several, Some("x"), "there is no model \"x\"; configured: a, default"),
        (&unclear, None, "the request names no model, and none is called \"default\"; configured: a, b"),
        (&named_all([]), Some("x"), "there is no model \"x\"; none is configured; add one as [models.NAME]"),
    ] {
        assert_eq!(chat(models, &named(asked)).await, Err(ChatFailure::Denied(expected.into())));
    }
}

#[tokio::test]
async fn a_fallback_stands_in_for_a_target_that_cannot_answer() {
    for failure in [limited(9), away(), ChatFailure::Timeout("slow".into()), too_long(), no_money(), wrong_key()] {
        let name = failure.kind();
        let (alias, calls) = alias(vec![Err(failure), Ok(response("second"))]);
        assert_eq!(chat(&only(alias), &request("hello")).await.unwrap().text, "second", "{name}");
        assert_eq!(calls[0].load(Ordering::Relaxed), 1, "no target is asked twice");
    }
}

#[tokio::test]
async fn no_fallback_is_asked_for_what_is_wrong_with_the_request_or_refused() {
    for failure in [
        ChatFailure::ContentFiltered("no".into()),
        ChatFailure::InvalidRequest("no".into()),
        ChatFailure::BudgetExhausted { scope: BudgetScope::Job, message: "no".into() },
    ] {
        let (alias, calls) = alias(vec![Err(failure.clone()), Ok(response("second"))]);
        assert_eq!(chat(&only(alias), &request("hello")).await, Err(failure));
        assert_eq!(calls[1].load(Ordering::Relaxed), 0);
    }
}

#[test]
fn a_target_that_turns_calls_away_is_told_once_until_it_answers_again() {
    let (alias, _) = alias(vec![Err(away()), Err(away())]);
    let told =
        |index, failure| alias.begins_to_turn_away(index, &Err::<ChatResponse, _>(Failed { failure, blame: None }));
    assert!(told(0, wrong_key()));
    assert!(!told(0, wrong_key()) && !told(0, no_money()));
    assert!(!alias.begins_to_turn_away(0, &Ok(response("hello"))));
    assert!(told(0, no_money()));
    assert!(!told(0, away()), "that passes by itself");
    assert!(told(1, wrong_key()), "each target is told on its own");
}

#[tokio::test]
async fn without_any_answer_the_first_failure_is_told_unless_another_passes_sooner() {
    for (answers, expected) in [
        (vec![Err(no_money()), Err(away())], no_money()),
        (vec![Err(wrong_key()), Err(limited(5))], limited(5)),
        (vec![Err(too_long()), Err(too_long())], too_long()),
        (vec![Err(too_long()), Err(wrong_key())], too_long()),
        (vec![Err(too_long()), Err(away())], away()),
        (vec![Err(too_long()), Err(limited(5))], limited(5)),
    ] {
        let (alias, _) = alias(answers);
        assert_eq!(chat(&only(alias), &request("hello")).await, Err(expected));
    }
}

#[tokio::test]
async fn a_bad_fallback_does_not_make_a_pause_permanent() {
    let permanent = || Err(ChatFailure::Misconfigured("wrong key".into()));
    for (answers, expected) in [
        (vec![Err(limited(9)), permanent()], limited(9)),
        (vec![Err(limited(9)), Err(away())], limited(9)),
        (vec![Err(away()), Err(limited(5))], limited(5)),
        (vec![Err(away()), permanent()], away()),
        (vec![Err(limited(9)), Err(limited(5))], limited(5)),
    ] {
        let (alias, _) = alias(answers);
        assert_eq!(chat(&only(alias), &request("hello")).await, Err(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_start_in_half_its_time_is_rate_limited() {
    let release = Arc::new(Notify::new());
    let models = only(Alias::new(vec![target(Held(Arc::clone(&release)), 1)]));
    let who = caller(1, "s", "a", 0);
    let asked = ChatRequest { timeout: Some(Duration::from_secs(10)), ..request("hello") };
    let begun = Instant::now();
    let holding = models.chat(&who, &asked);
    let waiting = async {
        let (failure, blame) = unwrapped(models.chat(&who, &asked).await.unwrap_err());
        assert_eq!(blame, Some(Blame::Limit), "it is the host's own limit");
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
        assert!(matches!(failure, ChatFailure::RateLimited { after: None, .. }), "{failure:?}");
        release.notify_one();
    };
    let (held, ()) = tokio::join!(holding, waiting);
    assert_eq!(held.unwrap().text, "late");
    release.notify_one();
    assert!(models.chat(&who, &asked).await.is_ok(), "the permit was returned");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_gives_its_permit_back() {
    let release = Arc::new(Notify::new());
    let models = only(Alias::new(vec![target(Held(Arc::clone(&release)), 1)]));
    let who = caller(1, "s", "a", 0);
    let asked = request("hello");
    assert!(timeout(Duration::from_secs(1), models.chat(&who, &asked)).await.is_err());
    release.notify_one();
    assert!(models.chat(&who, &asked).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn all_targets_together_keep_to_the_requests_time() {
    let calls = Arc::new(AtomicU32::new(0));
    let slow = || {
        let takes = Duration::from_secs(8);
        Target {
            timeout: Duration::from_secs(6),
            ..target(Fixed { answer: Ok(response("late")), calls: Arc::clone(&calls), takes }, 8)
        }
    };
    let models = only(Alias::new(vec![slow(), slow(), slow()]));
    let begun = Instant::now();
    let failure = chat(&models, &request("hello")).await.unwrap_err();
    assert_eq!(failure, ChatFailure::Timeout("slow".into()));
    assert_eq!(begun.elapsed(), Duration::from_secs(10), "6 s for the first, the remaining 4 s for the second");
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    let endless = ChatRequest { timeout: Some(Duration::MAX), ..request("hello") };
    let begun = Instant::now();
    chat(&models, &endless).await.unwrap_err();
    assert_eq!(begun.elapsed(), Duration::from_secs(18), "the targets' own timeouts bound a greedy request");
}

#[tokio::test(start_paused = true)]
async fn a_slow_first_target_does_not_take_the_concurrency_of_its_fallback() {
    let release = Arc::new(Notify::new());
    let calls = Arc::new(AtomicU32::new(0));
    let fallback = Fixed { answer: Ok(response("second")), calls: Arc::clone(&calls), takes: Duration::ZERO };
    let models = only(Alias::new(vec![target(Held(Arc::clone(&release)), 1), target(fallback, 1)]));
    let who = caller(1, "s", "a", 0);
    let asked = ChatRequest { timeout: Some(Duration::from_secs(10)), ..request("hello") };
    let (first, second, third) =
        tokio::join!(models.chat(&who, &asked), models.chat(&who, &asked), models.chat(&who, &asked));
    assert!(first.is_err(), "the held one has used up its time");
    assert_eq!((second.unwrap().text, third.unwrap().text), ("second".into(), "second".into()));
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

/// Records the calls it observes.
#[derive(Default)]
struct Noting(std::sync::Mutex<Vec<String>>);

impl Observer for Noting {
    fn observe(&self, event: &FlowEvent<'_>) {
        if let FlowEvent::ModelCall { alias, target, exchange, result, .. } = event {
            let Exchange::Chat { request, response, .. } = exchange else { panic!("{exchange:?}") };
            assert_eq!((request.messages.len(), response.is_some()), (1, result.is_ok()));
            self.0.lock().unwrap().push(format!("{alias} {target} {}", result.is_ok()));
        }
    }
}

#[tokio::test]
async fn every_call_of_a_target_is_observed() {
    let (alias, _) = alias(vec![Err(away()), Ok(response("second"))]);
    let noting = Arc::new(Noting::default());
    let models = Aliases::new([("smart".to_owned(), alias)].into(), Arc::<Noting>::clone(&noting));
    chat(&models, &request("hello")).await.unwrap();
    assert_eq!(*noting.0.lock().unwrap(), ["smart test/model false", "smart test/model true"]);
}

/// Answers what contains "good" and refuses the rest in this way.
struct Picky(Unanswered);

#[async_trait]
impl Provider for Picky {
    async fn chat(&self, _caller: &Caller, request: &ChatRequest) -> Result<Answered<ChatResponse>, Unanswered> {
        match &request.messages[0].content[0] {
            gristmill_core::model::Content::Text(text) if text.contains("good") => Ok(response("yes").into()),
            _ => Err(self.0.clone()),
        }
    }
}

/// Whose fault it is that this text of this job gets no answer. `None` if it gets one, or that is not open.
async fn blame(models: &Aliases, position: u128, text: &str) -> Option<Blame> {
    let answer = models.chat(&caller(position, "s", "a", 0), &request(text)).await;
    answer.err().and_then(|error| unwrapped(error).1)
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_judged_by_what_others_get_from_the_same_target() {
    let misconfigured = || ChatFailure::Misconfigured("403".into()).into();
    let unreached = || Unanswered { failure: away(), sign: Some(Sign::Unreached) };
    for (failure, alone, beside) in [
        (misconfigured(), Some(Blame::Dependency), Some(Blame::Request)),
        (away().into(), Some(Blame::Dependency), Some(Blame::Request)),
        (unreached(), Some(Blame::Dependency), Some(Blame::Dependency)),
        (limited(1).into(), Some(Blame::Limit), Some(Blame::UnevenLimit)),
        (ChatFailure::Timeout("slow".into()).into(), None, None),
        (ChatFailure::InvalidRequest("no".into()).into(), None, None),
    ] {
        let name = format!("{failure:?}");
        let models = only(Alias::new(vec![target(Picky(failure), 8)]));
        assert_eq!(blame(&models, 1, "bad").await, alone, "{name}");
        assert_eq!(blame(&models, 1, "bad").await, alone, "{name}");
        // The pause after a limit is over.
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(blame(&models, 2, "good").await, None);
        assert_eq!(blame(&models, 1, "bad").await, beside, "{name}");
        models.forget(&crate::fixtures::job(1));
        assert_eq!(blame(&models, 1, "bad").await, alone, "{name}: its job was forgotten");
    }
}

#[tokio::test]
async fn targets_that_share_their_results_are_evidence_for_each_other() {
    let results: Arc<Results> = Arc::default();
    let refusing = || target(Picky(ChatFailure::Misconfigured("403".into()).into()), 8);
    let models = || only(Alias::new(vec![Target { results: Arc::clone(&results), ..refusing() }]));
    let (one, other) = (models(), models());
    assert_eq!(blame(&one, 1, "bad").await, Some(Blame::Dependency));
    blame(&other, 2, "good").await;
    assert_eq!(blame(&one, 1, "bad").await, Some(Blame::Request));
}

#[test]
fn of_several_targets_each_must_find_the_request_at_fault() {
    let slow = || ChatFailure::Timeout("slow".into());
    let table = [
        ((away(), Some(Blame::Request)), (away(), Some(Blame::Request)), Some(Blame::Request)),
        ((away(), Some(Blame::Request)), (away(), Some(Blame::Dependency)), Some(Blame::Dependency)),
        ((away(), Some(Blame::Dependency)), (limited(1), Some(Blame::UnevenLimit)), Some(Blame::Dependency)),
        ((limited(1), Some(Blame::Limit)), (away(), Some(Blame::Request)), Some(Blame::Limit)),
        ((away(), Some(Blame::Dependency)), (too_long(), None), Some(Blame::Dependency)),
        ((too_long(), None), (away(), Some(Blame::Dependency)), None),
        ((too_long(), None), (limited(1), Some(Blame::Limit)), Some(Blame::Limit)),
        ((no_money(), Some(Blame::Dependency)), (wrong_key(), Some(Blame::Request)), Some(Blame::Dependency)),
        ((slow(), None), (away(), Some(Blame::Dependency)), None),
        ((away(), Some(Blame::Dependency)), (slow(), None), None),
    ];
    for ((first, blame), (second, other), expected) in table {
        let name = format!("{first:?} {blame:?}, then {second:?} {other:?}");
        let both = Failed { failure: first, blame }.beside(Failed { failure: second, blame: other });
        assert_eq!(both.blame, expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_costs_what_its_provider_says_else_what_its_target_does() {
    let usd: Usd = "1 USD".parse().unwrap();
    let settings = crate::settings::PriceSettings { input: usd, cached_input: None, cache_write: None, output: usd };
    let usage = gristmill_core::model::Usage { input_tokens: Some(5), output_tokens: Some(2), ..Default::default() };
    for (told, price, expected) in [
        (None, None, None),
        (None, Some(settings.into()), Some(7_000)),
        (Some(3), Some(settings.into()), Some(3)),
        (Some(3), None, Some(3)),
    ] {
        let usage = gristmill_core::model::Usage { cost_nano_usd: told, ..usage };
        let answer = Ok(ChatResponse { usage, ..response("yes") });
        let fixed = Fixed { answer, calls: Arc::default(), takes: Duration::ZERO };
        let models = only(Alias::new(vec![Target { price, ..target(fixed, 1) }]));
        assert_eq!(chat(&models, &request("hello")).await.unwrap().usage.cost_nano_usd, expected);
    }
}
