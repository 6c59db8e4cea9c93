//! Several requests in one call, in simulated time, over a model that is asked by a rule.

use std::num::NonZeroU32;

use futures_util::future::join_all;
use gristmill_core::model::{Blame, Content, Role, Usage};
use serde_json::{Value, json};

use super::*;
use crate::cache::Cached;
use crate::checked::{Checked, Output, Rule};
use crate::fixtures::{caller, message, response, schema};
use crate::journal::Journaled;

const SECOND: Duration = Duration::from_secs(1);
const WAIT: Duration = Duration::from_millis(500);

type Reply = Result<ChatResponse, ModelError>;

/// Gives the answers of a rule, each after a second, and keeps the questions with their times.
struct Asked {
    reply: Box<dyn Fn(&Call) -> Reply + Send + Sync>,
    calls: Mutex<Vec<Call>>,
    begun: Instant,
}

/// One call as the model sees it.
#[derive(Debug, Clone)]
struct Call {
    /// When it began, since the test did.
    at: Duration,
    /// The texts in it: one, or several with their numbers.
    texts: Vec<String>,
    request: ChatRequest,
    caller: Caller,
}

#[async_trait]
impl Model for &Asked {
    async fn chat(&self, caller: &Caller, request: &ChatRequest) -> Reply {
        let (at, texts) = (self.begun.elapsed(), texts(request));
        let call = Call { at, texts, request: request.clone(), caller: caller.clone() };
        self.calls.lock().unwrap().push(call.clone());
        let time = request.timeout.unwrap_or(Duration::MAX);
        if timeout(time, tokio::time::sleep(SECOND)).await.is_err() {
            return Err(ChatFailure::Timeout("slow".into()).into());
        }
        (self.reply)(&call)
    }

    async fn embed(&self, _: &Caller, _: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        panic!("nobody asks for vectors here")
    }
}

impl Asked {
    fn by(reply: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> &'static Self {
        Box::leak(Box::new(Self { reply: Box::new(reply), calls: Mutex::default(), begun: Instant::now() }))
    }

    /// Answers each text with its length.
    fn well() -> &'static Self {
        Self::by(|call| Ok(lengths(call, |_| true)))
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// How many texts were in each call.
    fn sizes(&self) -> Vec<usize> {
        self.calls().iter().map(|call| call.texts.len()).collect()
    }
}

fn said(request: &ChatRequest) -> String {
    let text = |part: &Content| match part {
        Content::Text(text) => text.clone(),
        Content::Media { .. } => panic!("no media are asked about"),
    };
    request.messages.last().unwrap().content.iter().map(text).collect()
}

fn is_merged(request: &ChatRequest) -> bool {
    request.messages.iter().filter(|message| message.role == Role::System).count() == 2
}

fn texts(request: &ChatRequest) -> Vec<String> {
    let said = said(request);
    if !is_merged(request) {
        return vec![said];
    }
    let block = |part: &str| part.split_once('\n').and_then(|(_, part)| Some(part.rsplit_once('\n')?.0.to_owned()));
    said.split("<<<").skip(1).filter_map(|part| block(part.trim_end())).collect()
}

/// The answer to a call, without the answers to the texts that are left out.
fn lengths(call: &Call, gives: impl Fn(&str) -> bool) -> ChatResponse {
    let answer = |text: &String| json!({ "length": text.len() });
    let text = match is_merged(&call.request) {
        false => answer(&call.texts[0]).to_string(),
        true => {
            let each = (1..).zip(&call.texts).filter(|(_, text)| gives(text));
            let answers: Vec<Value> = each.map(|(id, text)| json!({ "id": id, "answer": answer(text) })).collect();
            json!({ "answers": answers }).to_string()
        }
    };
    let count = call.texts.len() as u64;
    let usage = Usage { input_tokens: Some(100 + 10 * count), output_tokens: Some(5 * count), ..Usage::default() };
    ChatResponse { usage, ..response(&text) }
}

fn merge() -> Merge {
    Merge { items: NonZeroU32::new(4).unwrap(), tokens: 1_000, wait: WAIT, among: MergeScope::Pipeline }
}

fn request(text: &str) -> ChatRequest {
    let messages = vec![message(Role::System, "Count."), message(Role::User, text)];
    let format = schema(r#"{"type":"object","properties":{"length":{"type":"integer"}},"required":["length"]}"#);
    ChatRequest { format, merge: Some(merge()), timeout: Some(SECOND * 30), ..ChatRequest::new(messages) }
}

fn merged(model: &'static Asked) -> Merged<&'static Asked> {
    Merged::new(model, Arc::default())
}

/// Asks this after a while, as another job each.
async fn ask(layer: &impl Model, job: u128, after: Duration, request: ChatRequest) -> Reply {
    tokio::time::sleep(after).await;
    layer.chat(&caller(job, "s", "a", 0), &request).await
}

fn length(reply: &Reply) -> u64 {
    let answer: Value = serde_json::from_str(&reply.as_ref().unwrap().text).unwrap();
    answer["length"].as_u64().unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_comes_within_the_wait_shares_a_call_and_each_gets_its_own_answer() {
    let model = Asked::well();
    let layer = merged(model);
    let late = WAIT - Duration::from_millis(1);
    let replies = tokio::join!(
        ask(&layer, 1, Duration::ZERO, request("a")),
        ask(&layer, 2, late, request("bb")),
        ask(&layer, 3, WAIT + Duration::from_millis(1), request("ccc")),
    );
    assert_eq!((length(&replies.0), length(&replies.1), length(&replies.2)), (1, 2, 3));
    let calls = model.calls();
    assert_eq!(model.sizes(), [2, 1], "the third came too late, and alone it is asked as it is");
    assert_eq!((calls[0].at, calls[1].at), (WAIT, WAIT * 2 + Duration::from_millis(1)));
    assert_eq!((calls[0].texts.join(" "), said(&calls[1].request)), ("a bb".into(), "ccc".into()));
    assert_eq!(calls[0].caller.job, caller(1, "s", "a", 0).job, "the first stands for all");
}

#[tokio::test(start_paused = true)]
async fn a_full_call_does_not_wait() {
    let model = Asked::well();
    let layer = merged(model);
    let replies =
        join_all((0..10).map(|job| ask(&layer, job, Duration::ZERO, request(&"x".repeat(job as usize + 1))))).await;
    assert_eq!(replies.iter().map(length).collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    assert_eq!(model.sizes(), [4, 4, 2]);
    assert_eq!(model.calls().iter().map(|call| call.at).collect::<Vec<_>>(), [Duration::ZERO, Duration::ZERO, WAIT]);
}

#[tokio::test(start_paused = true)]
async fn a_call_has_no_more_tokens_than_it_may() {
    let model = Asked::well();
    let layer = merged(model);
    // 400 tokens each, by three bytes for one.
    let large = |letter: &str| request(&letter.repeat(1_200));
    let replies =
        join_all(["a", "b", "c"].into_iter().zip(0..).map(|(text, job)| ask(&layer, job, Duration::ZERO, large(text))))
            .await;
    assert!(replies.iter().all(|reply| length(reply) == 1_200));
    assert_eq!(model.sizes(), [2, 1]);
    assert_eq!(model.calls()[0].at, Duration::ZERO, "it cannot get fuller");
    ask(&layer, 4, Duration::ZERO, request(&"x".repeat(3_001))).await.unwrap();
    let calls = model.calls();
    let last = calls.last().unwrap();
    assert_eq!(last.at, model.begun.elapsed() - SECOND, "what is above the bound by itself is asked at once");
}

#[tokio::test(start_paused = true)]
async fn other_instructions_other_jobs_and_requests_that_are_not_to_share_stay_apart() {
    let model = Asked::well();
    let layer = merged(model);
    let job_only = || ChatRequest { merge: Some(Merge { among: MergeScope::Job, ..merge() }), ..request("x") };
    let strict = || ChatRequest {
        messages: vec![message(Role::System, "Count well."), message(Role::User, "x")],
        ..request("x")
    };
    let alone = || ChatRequest { merge: None, ..request("x") };
    let replies = tokio::join!(
        join_all((1..=2).map(|job| ask(&layer, job, Duration::ZERO, request("x")))),
        join_all((1..=2).map(|job| ask(&layer, job, Duration::ZERO, job_only()))),
        join_all((1..=2).map(|_| ask(&layer, 3, Duration::ZERO, job_only()))),
        join_all((1..=2).map(|job| ask(&layer, job, Duration::ZERO, strict()))),
        join_all((1..=2).map(|job| ask(&layer, job, Duration::ZERO, alone()))),
    );
    for reply in [replies.0, replies.1, replies.2, replies.3, replies.4].iter().flatten() {
        assert_eq!(length(reply), 1);
    }
    let mut sizes = model.sizes();
    sizes.sort_unstable();
    assert_eq!(sizes, [1, 1, 1, 1, 2, 2, 2]);
    // A request with no time to wait does not.
    let hurried = ChatRequest { timeout: Some(WAIT * 2 - Duration::from_millis(1)), ..request("x") };
    let (model, begun) = (Asked::by(|call| Ok(lengths(call, |_| true))), Instant::now());
    ask(&merged(model), 1, Duration::ZERO, hurried).await.unwrap_err();
    assert_eq!((model.calls()[0].at, begun.elapsed()), (Duration::ZERO, WAIT * 2 - Duration::from_millis(1)));
}

#[tokio::test(start_paused = true)]
async fn a_missing_a_doubled_and_a_faulty_answer_are_asked_for_alone_and_nothing_is_lost_of_what_it_took() {
    let model = Asked::by(|call| {
        let good = lengths(call, |text| text != "missing");
        let bad = |text: &str| Ok(ChatResponse { text: text.into(), ..good.clone() });
        match (is_merged(&call.request), call.texts.iter().position(|text| text == "doubled")) {
            (false, _) | (true, None) => Ok(good),
            (true, Some(_)) => {
                bad(r#"{"answers": [{"id": 1, "answer": {"length": 1}}, {"id": 2, "answer": {"length": 7}},
                    {"id": 2, "answer": {"length": 8}}, {"id": 3, "answer": {"length": "six"}}, {"id": 9, "answer": {"length": 9}}]}"#)
            }
        }
    });
    let layer = merged(model);
    let texts = ["a", "doubled", "faulty", "missing"];
    let replies =
        join_all(texts.into_iter().zip(0..).map(|(text, job)| ask(&layer, job, Duration::ZERO, request(text)))).await;
    assert_eq!(replies.iter().map(length).collect::<Vec<_>>(), [1, 7, 6, 7]);
    assert_eq!(model.sizes(), [4, 1, 1, 1]);
    assert!(model.calls()[1..].iter().all(|call| call.at == SECOND), "at once, and beside each other");
    let sum: u64 = replies.iter().map(|reply| reply.as_ref().unwrap().usage.input_tokens.unwrap()).sum();
    assert_eq!(sum, 140 + 3 * 110, "what all calls took is told once");
    let longer = |index: usize| replies[index].as_ref().unwrap().usage.input_tokens.unwrap();
    assert!(longer(0) < 140 / 2, "a short one has a small share");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_list_or_was_cut_off_answers_nobody() {
    for bad in ["I cannot.", r#"{"answers": [{"id": 1, "answer": {"length": 1}}, {"id": 2"#] {
        let model = Asked::by(move |call| {
            let good = lengths(call, |_| true);
            Ok(if is_merged(&call.request) { ChatResponse { text: bad.into(), ..good } } else { good })
        });
        let layer = merged(model);
        let replies =
            tokio::join!(ask(&layer, 1, Duration::ZERO, request("a")), ask(&layer, 2, Duration::ZERO, request("bb")));
        assert_eq!((length(&replies.0), length(&replies.1)), (1, 2));
        assert_eq!(model.sizes(), [2, 1, 1], "{bad}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_be_the_fault_of_one_request_is_not_that_of_the_others() {
    for (failure, sizes) in [
        (ChatFailure::ContextLengthExceeded { message: "long".into(), limit: None, actual: None }, vec![2, 1, 1]),
        (ChatFailure::ContentFiltered("no".into()), vec![2, 1, 1]),
        (ChatFailure::InvalidRequest("no".into()), vec![2, 1, 1]),
        (ChatFailure::InvalidOutput { text: String::new(), problems: vec!["no".into()] }, vec![2, 1, 1]),
        (ChatFailure::RateLimited { message: "busy".into(), after: Some(SECOND) }, vec![2]),
        (ChatFailure::Unavailable { message: "down".into(), after: None }, vec![2]),
        (ChatFailure::Timeout("slow".into()), vec![2]),
        (ChatFailure::Misconfigured("key".into()), vec![2]),
    ] {
        let error = ModelError::Chat { failure: failure.clone(), blame: Some(Blame::Dependency) };
        let told = error.clone();
        let model = Asked::by(move |call| match is_merged(&call.request) || call.texts[0] == "bad" {
            true => Err(error.clone()),
            false => Ok(lengths(call, |_| true)),
        });
        let layer = merged(model);
        let replies = tokio::join!(
            ask(&layer, 1, Duration::ZERO, request("good")),
            ask(&layer, 2, Duration::ZERO, request("bad"))
        );
        assert_eq!(model.sizes(), sizes, "{failure:?}");
        assert_eq!(replies.1, Err(told), "with whose fault it is");
        assert_eq!(replies.0.is_ok(), sizes.len() > 1, "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_caller_breaks_nothing_and_what_it_asked_is_not_paid_for() {
    let model = Asked::well();
    let layer = merged(model);
    // Before the call: it is not in it. The first one, which opened the window, at that.
    let first = timeout(WAIT / 2, ask(&layer, 1, Duration::ZERO, request("gone")));
    let (first, second, third) = tokio::join!(
        first,
        ask(&layer, 2, Duration::ZERO, request("bb")),
        ask(&layer, 3, Duration::ZERO, request("ccc"))
    );
    assert!(first.is_err());
    assert_eq!((length(&second), length(&third)), (2, 3));
    assert_eq!(model.calls()[0].texts, ["bb", "ccc"]);
    // During the call: the others get their answers.
    let first = timeout(WAIT + SECOND / 2, ask(&layer, 1, Duration::ZERO, request("gone")));
    let (first, second) = tokio::join!(first, ask(&layer, 2, Duration::ZERO, request("bb")));
    assert!(first.is_err());
    assert_eq!((length(&second), model.sizes()), (2, vec![2, 2]));
    // All of them: nothing is asked.
    let nobody = timeout(WAIT / 2, join_all((0..3).map(|job| ask(&layer, job, Duration::ZERO, request("gone"))))).await;
    assert!(nobody.is_err());
    tokio::time::sleep(SECOND * 5).await;
    assert_eq!(model.sizes().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn each_waits_only_as_long_as_it_may() {
    let model = Asked::well();
    let layer = merged(model);
    let hurried = ChatRequest { timeout: Some(WAIT * 2), ..request("a") };
    let replies = tokio::join!(ask(&layer, 1, Duration::ZERO, hurried), ask(&layer, 2, Duration::ZERO, request("bb")),);
    assert!(matches!(replies.0, Err(ModelError::Chat { failure: ChatFailure::Timeout(_), .. })), "{:?}", replies.0);
    assert_eq!((length(&replies.1), model.sizes()), (2, vec![2]));
    assert_eq!(model.calls()[0].request.timeout, Some(SECOND * 30 - WAIT), "the call may take as long as any of them");
}

/// The layers above, as they are built.
fn host(model: &'static Asked) -> impl Model + use<> {
    let forms = Arc::new(Forms::default());
    let merged = Merged::new(model, Arc::clone(&forms));
    let answers = Arc::new(crate::answers::MemoryAnswers::new(0));
    let cached = Cached::new(merged, [("smart".to_owned(), None)].into(), answers, Arc::clone(&forms));
    let rules = [("smart".to_owned(), Rule { reask: 2, output: Output::Unlimited, time: SECOND * 60 })].into();
    Checked::new(Journaled::new(cached, 1 << 20, None), rules, forms)
}

#[tokio::test(start_paused = true)]
async fn each_answer_is_kept_for_its_own_item_and_a_later_attempt_asks_for_none_of_them() {
    let model = Asked::well();
    let host = host(model);
    let all = || join_all((0..4).map(|job| ask(&host, job, Duration::ZERO, request(&"x".repeat(job as usize + 1)))));
    assert!(all().await.iter().all(|reply| !reply.as_ref().unwrap().cached));
    let again = all().await;
    assert_eq!(again.iter().map(length).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(again.iter().all(|reply| reply.as_ref().unwrap().cached));
    assert_eq!(model.sizes(), [4]);
    // One of them again beside new ones: only the new ones are asked.
    let news = tokio::join!(
        ask(&host, 0, Duration::ZERO, request("x")),
        ask(&host, 7, Duration::ZERO, request("seven")),
        ask(&host, 8, Duration::ZERO, request("eight")),
    );
    assert!(news.0.unwrap().cached);
    assert_eq!((length(&news.1), length(&news.2), model.sizes()), (5, 5, vec![4, 2]));
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_again_for_its_form_is_asked_alone() {
    // The single answer is bad once, too: then its faults are told, and it does not wait for others.
    let model = Asked::by(|call| match (is_merged(&call.request), said(&call.request).contains("could not be used")) {
        (true, _) => Ok(lengths(call, |text| text != "odd")),
        (false, false) => Ok(response("odd")),
        (false, true) => Ok(response(r#"{"length": 3}"#)),
    });
    let host = host(model);
    let replies =
        tokio::join!(ask(&host, 1, Duration::ZERO, request("even")), ask(&host, 2, Duration::ZERO, request("odd")));
    assert_eq!((length(&replies.0), length(&replies.1)), (4, 3));
    let at: Vec<_> = model.calls().iter().map(|call| call.at).collect();
    assert_eq!((at, model.sizes()), (vec![WAIT, WAIT + SECOND, WAIT + SECOND * 2], vec![2, 1, 1]));
}
