//! Answers over many jobs, over a model that counts its calls.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::answers::MemoryAnswers;
use crate::checked::{Checked, Output, Rule};
use crate::fixtures::{caller, request, response, schema};
use crate::journal::Journaled;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// Answers after a second: with what was prepared, else with the number of the call.
#[derive(Default)]
struct Numbered {
    calls: AtomicU32,
    prepared: Mutex<VecDeque<Result<ChatResponse, ModelError>>>,
}

#[async_trait]
impl Model for &Numbered {
    async fn chat(&self, _caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let prepared = self.prepared.lock().unwrap().pop_front();
        if timeout(request.timeout.unwrap_or(HOUR), tokio::time::sleep(SECOND)).await.is_err() {
            return Err(ChatFailure::Timeout("slow".into()).into());
        }
        let usage = Usage { output_tokens: Some(5), cost_nano_usd: Some(70), ..Usage::default() };
        prepared.unwrap_or_else(|| Ok(ChatResponse { usage, ..response(&format!("answer {number}")) }))
    }

    async fn embed(&self, _: &Caller, _: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        panic!("nobody asks for vectors here")
    }
}

impl Numbered {
    fn new() -> &'static Self {
        Self::of(Vec::new())
    }

    fn of(prepared: Vec<Result<ChatResponse, ModelError>>) -> &'static Self {
        Box::leak(Box::new(Self { prepared: Mutex::new(prepared.into()), ..Self::default() }))
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }
}

fn reuse(targets: u8) -> BTreeMap<String, Option<Reuse>> {
    [("smart".to_owned(), Some(Reuse { ttl: HOUR, targets: [targets; 32] })), ("plain".to_owned(), None)].into()
}

fn cached(model: &'static Numbered) -> Cached<&'static Numbered> {
    Cached::new(model, reuse(0), Arc::new(MemoryAnswers::new(1 << 20)), Arc::default())
}

fn of(alias: &str, text: &str) -> ChatRequest {
    ChatRequest { model: Some(alias.into()), ..request(text) }
}

#[tokio::test(start_paused = true)]
async fn an_equal_request_of_another_job_costs_nothing_until_the_time_is_over() {
    let model = Numbered::new();
    let cache = cached(model);
    let hello = of("smart", "hello");
    let first = cache.chat(&caller(1, "s", "a", 0), &hello).await.unwrap();
    assert_eq!((first.cached, first.usage.cost_nano_usd), (false, Some(70)));
    let second = cache.chat(&caller(2, "t", "b", 0), &hello).await.unwrap();
    assert_eq!((second.text, second.cached), (first.text, true));
    assert_eq!((second.usage.output_tokens, second.usage.cost_nano_usd), (Some(5), Some(0)));
    tokio::time::advance(HOUR).await;
    assert!(!cache.chat(&caller(3, "s", "a", 0), &hello).await.unwrap().cached);
    assert_eq!(model.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_differs_is_asked_for_itself() {
    let model = Numbered::new();
    let answers: Arc<dyn Answers> = Arc::new(MemoryAnswers::new(1 << 20));
    let of_targets = |targets| Cached::new(model, reuse(targets), Arc::clone(&answers), Arc::default());
    let (ours, others) = (of_targets(0), of_targets(1));
    let who = caller(1, "s", "a", 0);
    let warm = ChatRequest { temperature: Some(0.5), ..of("smart", "hello") };
    for (cache, who, request) in [
        (&ours, &who, of("smart", "hello")),
        (&ours, &who, of("smart", "good day")),
        (&ours, &who, warm),
        (&others, &who, of("smart", "hello")),
        // The second such request of one call wants a second answer.
        (&ours, &caller(1, "s", "a", 1), of("smart", "hello")),
        // Without `cache`, every time.
        (&ours, &who, of("plain", "hello")),
        (&ours, &who, of("plain", "hello")),
    ] {
        assert!(!cache.chat(who, &request).await.unwrap().cached, "{request:?}");
    }
    assert_eq!(model.calls(), 7);
    assert!(ours.chat(&caller(2, "s", "z", 1), &of("smart", "hello")).await.unwrap().cached);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_restarted_gets_a_new_answer_which_replaces_the_old_one() {
    let model = Numbered::new();
    let cache = cached(model);
    let hello = of("smart", "hello");
    cache.chat(&caller(1, "s", "a", 0), &hello).await.unwrap();
    let anew = Caller { edition: Edition(1), ..caller(1, "s", "a", 0) };
    let answer = cache.chat(&anew, &hello).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.cached), ("answer 1", false));
    assert_eq!(cache.chat(&caller(2, "s", "a", 0), &hello).await.unwrap().text, "answer 1");
}

#[tokio::test(start_paused = true)]
async fn concurrent_equal_requests_are_one_call() {
    let model = Numbered::new();
    let cache = cached(model);
    let hello = of("smart", "hello");
    let callers: Vec<_> = (0..50).map(|job| caller(job, "s", "a", 0)).collect();
    let answers = futures_util::future::join_all(callers.iter().map(|who| cache.chat(who, &hello))).await;
    let paid = answers.iter().filter(|answer| !answer.as_ref().unwrap().cached).count();
    assert_eq!((paid, model.calls()), (1, 1));
    let cost: u64 = answers.iter().map(|answer| answer.as_ref().unwrap().usage.cost_nano_usd.unwrap()).sum();
    assert_eq!(cost, 70, "it is counted once");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_does_not_end_that_of_others() {
    let model = Numbered::new();
    let cache = cached(model);
    let hello = of("smart", "hello");
    let (one, other) = (caller(1, "s", "a", 0), caller(2, "s", "a", 0));
    let first = timeout(SECOND / 2, cache.chat(&one, &hello));
    let (first, second) = tokio::join!(first, cache.chat(&other, &hello));
    assert!(first.is_err());
    assert_eq!((second.unwrap().text.as_str(), model.calls()), ("answer 0", 1));
    // If nobody waits any more, the call is over, and the next one asks anew.
    assert!(timeout(SECOND / 2, cache.chat(&one, &of("smart", "bye"))).await.is_err());
    assert_eq!(cache.chat(&other, &of("smart", "bye")).await.unwrap().text, "answer 2");
    assert!(cache.flights().len() <= 1, "nothing is left of calls that are over");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shared_and_not_remembered_and_a_time_out_is_its_callers_own() {
    let limited = || ModelError::from(ChatFailure::RateLimited { message: "busy".into(), after: None });
    let model = Numbered::of(vec![Err(limited())]);
    let cache = cached(model);
    let hello = of("smart", "hello");
    let (one, other) = (caller(1, "s", "a", 0), caller(2, "s", "a", 0));
    let both = tokio::join!(cache.chat(&one, &hello), cache.chat(&other, &hello));
    assert_eq!((both, model.calls()), ((Err(limited()), Err(limited())), 1));
    assert!(cache.chat(&one, &hello).await.is_ok());

    let hurried = ChatRequest { timeout: Some(SECOND / 2), ..of("smart", "bye") };
    let bye = of("smart", "bye");
    let (first, second) = tokio::join!(cache.chat(&one, &hurried), cache.chat(&other, &bye));
    assert!(matches!(first, Err(ModelError::Chat { failure: ChatFailure::Timeout(_), .. })), "{first:?}");
    assert_eq!(second.unwrap().text, "answer 3", "it had the time to ask again");
    let patient = of("smart", "see you");
    let hurried = ChatRequest { timeout: Some(SECOND / 2), ..patient.clone() };
    let (first, second) = tokio::join!(cache.chat(&one, &patient), cache.chat(&other, &hurried));
    assert!(first.is_ok());
    assert!(matches!(second, Err(ModelError::Chat { failure: ChatFailure::Timeout(_), .. })), "{second:?}");
}

#[tokio::test(start_paused = true)]
async fn only_a_whole_answer_of_the_right_form_is_given_to_others() {
    let cut = || ChatResponse { finish_reason: FinishReason::Length, ..response("half of") };
    let other = || ChatResponse { finish_reason: FinishReason::Other("pause".into()), ..response("so far") };
    let model = Numbered::of(vec![Ok(cut()), Ok(other()), Ok(response("no JSON")), Ok(response("{}"))]);
    let cache = cached(model);
    let who = caller(1, "s", "a", 0);
    for _ in 0..2 {
        cache.chat(&who, &of("smart", "hello")).await.unwrap();
    }
    let json = ChatRequest { format: schema(r#"{"type":"object"}"#), ..of("smart", "hello") };
    for expected in [("no JSON", false), ("{}", false), ("{}", true)] {
        let answer = cache.chat(&who, &json).await.unwrap();
        assert_eq!((answer.text.as_str(), answer.cached), expected);
    }
    assert_eq!(model.calls(), 4);
}

/// The layers above, as they are built.
fn host(model: &'static Numbered, answers: &Arc<dyn Answers>) -> Checked<Journaled<Cached<&'static Numbered>>> {
    let forms = Arc::new(Forms::default());
    let cached = Cached::new(model, reuse(0), Arc::clone(answers), Arc::clone(&forms));
    let rule = Rule { reask: 2, output: Output::Unlimited, time: Duration::from_secs(60) };
    let rules = [("smart".to_owned(), rule), ("plain".to_owned(), rule)].into();
    Checked::new(Journaled::new(cached, 1 << 20, None), rules, forms)
}

#[tokio::test(start_paused = true)]
async fn a_job_keeps_the_answer_that_it_got_and_a_bad_one_costs_later_jobs_one_call() {
    let bad = || Ok(response("no JSON"));
    let model = Numbered::of(vec![bad(), Ok(response(r#"{"n":1}"#)), bad()]);
    let answers: Arc<dyn Answers> = Arc::new(MemoryAnswers::new(1 << 20));
    let json = ChatRequest { format: schema(r#"{"type":"object"}"#), ..of("smart", "hello") };
    let one = host(model, &answers);
    assert_eq!(one.chat(&caller(1, "s", "a", 0), &json).await.unwrap().text, r#"{"n":1}"#);
    assert_eq!(model.calls(), 2);
    tokio::time::advance(HOUR * 2).await;
    assert!(one.chat(&caller(1, "s", "a", 0), &json).await.unwrap().cached, "from the journal, however old");
    assert_eq!(model.calls(), 2);

    let model = Numbered::of(vec![bad(), Ok(response(r#"{"n":1}"#)), bad()]);
    let one = host(model, &answers);
    one.chat(&caller(1, "s", "a", 0), &json).await.unwrap();
    let answer = one.chat(&caller(2, "s", "a", 0), &json).await.unwrap();
    assert_eq!((answer.text.as_str(), model.calls()), (r#"{"n":1}"#, 3), "the better answer was known");
}
