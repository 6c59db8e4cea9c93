//! Answers of the wrong form, over a model that gives prepared ones.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use super::*;
use crate::fixtures::{caller, request, response, schema};
use crate::journal::Journaled;
use crate::settings::AliasSettings;
use gristmill_core::model::{Format, JobId};
use gristmill_core::ports::{JobState, Keep, Kept, Key, Store, StoreError};

/// Gives these answers in turn, each after a second, and keeps the requests.
#[derive(Default)]
struct Prepared {
    answers: Mutex<VecDeque<ChatResponse>>,
    asked: Mutex<Vec<ChatRequest>>,
}

#[async_trait]
impl Model for &Prepared {
    async fn chat(&self, _caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError> {
        self.asked.lock().unwrap().push(request.clone());
        tokio::time::sleep(Duration::from_secs(1)).await;
        // A call that is abandoned takes none.
        Ok(self.answers.lock().unwrap().pop_front().expect("an answer"))
    }

    async fn embed(&self, _: &Caller, _: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        panic!("nobody asks for vectors here")
    }
}

impl Prepared {
    fn new(answers: &[&str]) -> &'static Self {
        Self::of(answers.iter().map(|text| {
            let usage = Usage { input_tokens: Some(10), output_tokens: Some(5), ..Usage::default() };
            ChatResponse { usage, ..response(text) }
        }))
    }

    fn of(answers: impl IntoIterator<Item = ChatResponse>) -> &'static Self {
        let answers = Mutex::new(answers.into_iter().collect());
        Box::leak(Box::new(Self { answers, asked: Mutex::default() }))
    }

    fn calls(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// The text of the last user message of this call.
    fn words(&self, call: usize) -> String {
        let asked = self.asked.lock().unwrap();
        let text = |part: &Content| match part {
            Content::Text(text) => text.clone(),
            Content::Media { .. } => String::new(),
        };
        asked[call].messages.last().unwrap().content.iter().map(text).collect()
    }
}

/// Keeps answers in memory, over the hosts of a test.
#[derive(Default)]
struct Shelf(Mutex<HashMap<(JobId, Key), Kept>>);

#[async_trait]
impl Store for Shelf {
    async fn recall(&self, job: &JobId, key: Key) -> Result<Option<Kept>, StoreError> {
        Ok(self.0.lock().unwrap().get(&(job.clone(), key)).cloned())
    }

    async fn keys(&self, _: &[JobId]) -> Result<Vec<Vec<Key>>, StoreError> {
        panic!("only the flow asks for keys")
    }

    async fn keep_all(&self, new: &[Keep]) -> Result<Vec<Option<Kept>>, StoreError> {
        let mut all = self.0.lock().unwrap();
        Ok(new.iter().map(|new| all.insert((new.job.clone(), new.key), new.kept.clone())).collect())
    }

    fn ended(&self, _: &JobId, _: JobState) -> Result<(), StoreError> {
        Ok(())
    }
}

fn counting() -> ChatRequest {
    let format = schema(r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}"#);
    ChatRequest { format, ..request("count") }
}

/// These answers, checked by the rule of a file that says nothing.
fn checked<M: Model>(model: M) -> Checked<M> {
    with_reask(model, AliasSettings::new(Vec::new()).reask)
}

fn with_reask<M: Model>(model: M, reask: u32) -> Checked<M> {
    with_rule(model, Rule { reask, output: Output::Unlimited, time: Duration::from_secs(60) })
}

fn with_rule<M: Model>(model: M, rule: Rule) -> Checked<M> {
    Checked::new(model, [("smart".to_owned(), rule)].into(), Arc::default())
}

async fn chat(model: &impl Model, request: &ChatRequest) -> Result<ChatResponse, ChatFailure> {
    model.chat(&caller(1, "s", "a", 0), request).await.map_err(|error| match error {
        ModelError::Chat { failure, .. } => failure,
        ModelError::Store(error) => panic!("{error}"),
    })
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_wrong_form_is_asked_for_again_with_its_faults() {
    let model = Prepared::new(&[r#"{"n": "uno"}"#, "uno", r#"{"n": 1}"#]);
    let answer = chat(&checked(model), &counting()).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.cached), (r#"{"n": 1}"#, false));
    assert_eq!((answer.usage.input_tokens, answer.usage.output_tokens), (Some(30), Some(15)), "all were paid");
    assert_eq!(answer.usage.reasoning_tokens, None);
    assert_eq!(model.words(0), "count");
    let words = model.words(1);
    assert!(
        words.starts_with("count\n\nAnswer 1 to this could not be used: /n: ") && !words.contains("uno"),
        "{words}"
    );
    let words = model.words(2);
    assert!(words.starts_with("count\n\nAnswer 2 to this could not be used: the answer is not one JSON"), "{words}");
    let timeouts: Vec<_> = model.asked.lock().unwrap().iter().map(|asked| asked.timeout.unwrap().as_secs()).collect();
    assert_eq!(timeouts, [10, 9, 8], "one time for all");
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_again_twice_at_most() {
    let model = Prepared::new(&["one", "two", "three", r#"{"n": 4}"#]);
    match chat(&checked(model), &counting()).await {
        Err(ChatFailure::InvalidOutput { text, .. }) => assert_eq!(text, "three"),
        other => panic!("{other:?}"),
    }
    assert_eq!(model.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_alias_says_how_often_it_is_asked_again() {
    for (reask, calls) in [(0, 1), (1, 2), (4, 5)] {
        let model = Prepared::new(&["one"; 6]);
        assert_eq!(chat(&with_reask(model, reask), &counting()).await.unwrap_err().kind(), "invalid-output");
        assert_eq!(model.calls(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_would_be_cut_off_again_is_not_asked_for_again() {
    let cut = || ChatResponse { finish_reason: FinishReason::Length, ..response("{\"n\": ") };
    let model = Prepared::of([cut(), response(r#"{"n": 1}"#)]);
    let host = checked(Journaled::new(model, 1 << 20, None));
    assert_eq!(chat(&host, &counting()).await.unwrap_err().kind(), "invalid-output");
    assert_eq!(model.calls(), 1);
    assert_eq!(chat(&host, &counting()).await.unwrap().text, r#"{"n": 1}"#, "a replay is: the limit may be higher");
}

#[tokio::test(start_paused = true)]
async fn there_is_one_time_for_all_questions() {
    let model = Prepared::new(&["one", "two", r#"{"n": 3}"#]);
    let hurried = ChatRequest { timeout: Some(Duration::from_secs(2)), ..counting() };
    match chat(&checked(model), &hurried).await {
        Err(ChatFailure::InvalidOutput { text, .. }) => assert_eq!(text, "two"),
        other => panic!("{other:?}"),
    }
    assert_eq!(model.calls(), 2);
    let model = Prepared::new(&["one", "two", r#"{"n": 3}"#]);
    chat(&checked(model), &ChatRequest { timeout: None, ..counting() }).await.unwrap();
    let timeouts: Vec<_> = model.asked.lock().unwrap().iter().map(|asked| asked.timeout.unwrap().as_secs()).collect();
    assert_eq!(timeouts, [60, 59, 58], "that of the alias, where the request asks for none");
}

#[tokio::test(start_paused = true)]
async fn a_text_is_never_asked_for_again() {
    let model = Prepared::new(&[""]);
    let answer = chat(&checked(model), &request("hello")).await.unwrap();
    assert_eq!((answer.text.as_str(), model.calls()), ("", 1));
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_between_pays_for_no_answer_twice() {
    let model = Prepared::new(&["one", r#"{"n": 2}"#]);
    let shelf: Arc<dyn Store> = Arc::new(Shelf::default());
    let host = || checked(Journaled::new(model, 1 << 20, Some(Arc::clone(&shelf))));
    let first = tokio::time::timeout(Duration::from_millis(1_500), chat(&host(), &counting())).await;
    assert!(first.is_err(), "the first host dies while it waits for the second answer");
    assert_eq!(model.calls(), 2);
    let answer = chat(&host(), &counting()).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.cached), (r#"{"n": 2}"#, false));
    assert_eq!((answer.usage.input_tokens, model.calls()), (Some(20), 3), "the first answer was kept");
    assert!(model.words(2).contains("Answer 1 to this could not be used"));
    let answer = chat(&host(), &counting()).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.cached, model.calls()), (r#"{"n": 2}"#, true, 3));
    assert_eq!(answer.usage.input_tokens, Some(20));
}

#[tokio::test(start_paused = true)]
async fn a_replay_asks_anew_behind_the_answers_of_earlier_runs() {
    let model = Prepared::new(&["one", "two", "three", "four", r#"{"n": 5}"#]);
    let host = checked(Journaled::new(model, 1 << 20, None));
    assert!(chat(&host, &counting()).await.is_err());
    assert_eq!(model.calls(), 3);
    let answer = chat(&host, &counting()).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.cached, model.calls()), (r#"{"n": 5}"#, false, 5));
    let model = Prepared::new(&["one", r#"{"n": 2}"#]);
    let host = with_reask(Journaled::new(model, 1 << 20, None), 0);
    assert!(chat(&host, &counting()).await.is_err());
    assert!(chat(&host, &counting()).await.is_ok(), "also where nothing is asked again otherwise");
}

#[tokio::test(start_paused = true)]
async fn equal_bad_answers_and_named_calls_are_questions_of_their_own() {
    let model = Prepared::new(&["one", "one", "one"]);
    let host = checked(Journaled::new(model, 1 << 20, None));
    let named = ChatRequest { idempotency_key: Some("once".into()), ..counting() };
    assert!(chat(&host, &named).await.is_err());
    assert_eq!(model.calls(), 3);
}

#[tokio::test]
async fn a_bad_schema_reaches_no_model() {
    let model = Prepared::new(&[]);
    let asked = ChatRequest { format: schema("{nope"), ..request("hello") };
    assert!(matches!(chat(&checked(model), &asked).await, Err(ChatFailure::InvalidRequest(_))));
    assert_eq!(model.calls(), 0);
}

#[test]
fn the_faults_go_where_the_question_was() {
    let system_only =
        ChatRequest { format: Format::Json, ..ChatRequest::new(vec![ChatMessage::text(Role::System, "s")]) };
    let asked = again(&system_only, 1, &["no".into()]);
    assert_eq!((asked.messages.len(), asked.messages[1].role), (2, Role::User));
    let talk = vec![ChatMessage::text(Role::User, "u"), ChatMessage::text(Role::Assistant, "a")];
    let asked = again(&ChatRequest::new(talk), 1, &["no".into()]);
    assert_eq!((asked.messages.len(), asked.messages[0].content.len()), (2, 2));
}

/// An answer that was cut off at 500 tokens before it began.
fn thought(text: &str) -> ChatResponse {
    let usage = Usage { output_tokens: Some(500), ..Usage::default() };
    ChatResponse { usage, finish_reason: FinishReason::Length, ..response(text) }
}

/// What a request that limits the output asks for.
fn limited() -> ChatRequest {
    ChatRequest { max_output_tokens: Some(500), ..request("count") }
}

fn raised(model: &Prepared) -> Vec<u32> {
    model.asked.lock().unwrap().iter().map(|asked| asked.raised).collect()
}

fn starved(answer: Result<ChatResponse, ChatFailure>) -> String {
    match answer {
        Err(ChatFailure::InvalidOutput { text, problems }) if text.is_empty() => problems.concat(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_ended_in_thought_is_asked_for_again_with_a_raised_limit_once() {
    let model = Prepared::of([thought(""), response("two")]);
    let answer = chat(&with_reask(model, 0), &limited()).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.usage.output_tokens), ("two", None));
    assert_eq!(raised(model), [0, 1]);
    let model = Prepared::of([thought("<think>hm"), thought("<think>hm"), response("three")]);
    let problem = starved(chat(&checked(model), &limited()).await);
    assert!(problem.starts_with("reasoning-starved: all 500 output tokens were used up"), "{problem}");
    assert_eq!(raised(model), [0, 1]);
    let both = ChatRequest { max_output_tokens: Some(500), ..counting() };
    let model = Prepared::of([thought(""), response("uno"), response(r#"{"n": 1}"#)]);
    assert!(chat(&checked(model), &both).await.is_ok());
    assert_eq!(raised(model), [0, 1, 1], "a limit that was too low stays raised");
}

#[tokio::test(start_paused = true)]
async fn only_a_limit_that_was_set_can_be_raised() {
    let unlimited = Rule { reask: 2, output: Output::Unlimited, time: Duration::from_secs(60) };
    let by_target = Rule { output: Output::Limited, ..unlimited };
    for (rule, request, calls) in
        [(unlimited, request("count"), 1), (unlimited, limited(), 2), (by_target, request("count"), 2)]
    {
        let model = Prepared::of([thought(""), thought(""), thought("")]);
        starved(chat(&with_rule(model, rule), &request).await);
        assert_eq!(model.calls(), calls, "{rule:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_raises_the_limit_once_more() {
    let model = Prepared::of([thought(""), thought(""), response("three")]);
    let host = checked(Journaled::new(model, 1 << 20, None));
    starved(chat(&host, &limited()).await);
    let answer = chat(&host, &limited()).await.unwrap();
    assert_eq!((answer.text.as_str(), answer.cached), ("three", false));
    assert_eq!(raised(model), [0, 1, 2]);
    let named = ChatRequest { idempotency_key: Some("once".into()), ..limited() };
    let model = Prepared::of([thought(""), response("two")]);
    let host = checked(Journaled::new(model, 1 << 20, None));
    assert_eq!(chat(&host, &named).await.unwrap().text, "two", "a named call is another one when it is raised");
}

/// Thinks up to its limit, and refuses any that was raised.
struct Small;

#[async_trait]
impl Model for Small {
    async fn chat(&self, _caller: &Caller, request: &ChatRequest) -> Result<ChatResponse, ModelError> {
        match request.raised {
            0 => Ok(thought("")),
            _ => Err(ChatFailure::InvalidRequest("max_tokens is too large".into()).into()),
        }
    }

    async fn embed(&self, _: &Caller, _: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        panic!("nobody asks for vectors here")
    }
}

#[tokio::test]
async fn a_limit_that_the_model_refuses_leaves_the_failure_from_before() {
    assert!(starved(chat(&checked(Small), &limited()).await).contains("reasoning-starved"));
}
