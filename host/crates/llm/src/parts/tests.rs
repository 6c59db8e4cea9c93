//! Requests for vectors: cut, halved, and put together again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::fixtures::caller;

/// Makes a vector of each text's length, refuses what it is told to, and notes the requests.
struct Fussy {
    /// Texts that have this in them are refused with this failure.
    refused: Option<(&'static str, ChatFailure)>,
    asked: Mutex<Vec<Vec<Arc<str>>>>,
    lengths: fn(&str) -> usize,
}

impl Fussy {
    fn new(refused: Option<(&'static str, ChatFailure)>) -> Self {
        Self { refused, asked: Mutex::default(), lengths: |_| 2 }
    }

    /// How many texts each request had, the smallest first.
    fn sizes(&self) -> Vec<usize> {
        let mut sizes: Vec<usize> = self.asked.lock().unwrap().iter().map(Vec::len).collect();
        sizes.sort_unstable();
        sizes
    }
}

#[async_trait]
impl Model for &Fussy {
    async fn chat(&self, _: &Caller, _: &ChatRequest) -> Result<ChatResponse, ModelError> {
        panic!("nobody chats here")
    }

    async fn embed(&self, _: &Caller, request: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
        self.asked.lock().unwrap().push(request.inputs.clone());
        tokio::task::yield_now().await;
        if let Some((text, failure)) = &self.refused
            && request.inputs.iter().any(|input| input.contains(text))
        {
            return Err(failure.clone().into());
        }
        let vector = |input: &Arc<str>| {
            #[allow(clippy::cast_precision_loss, reason = "texts of tests are short")]
            Vector::new(&vec![input.len() as f32; (self.lengths)(input)]).unwrap()
        };
        let usage = Usage { input_tokens: Some(request.inputs.len() as u64), ..Usage::default() };
        let vectors = request.inputs.iter().map(vector).collect();
        Ok(EmbedResponse { vectors, usage, model: "test/m".into(), cached: false })
    }
}

async fn embed(model: &Fussy, inputs: usize, request: EmbedRequest) -> Result<EmbedResponse, ChatFailure> {
    let bounds = Bounds { inputs, tokens: 1_000, input_tokens: Some(100) };
    let parted = Parted::new(model, [("m".to_owned(), Ok(bounds))].into());
    parted.embed(&caller(1, "s", "a", 0), &request).await.map_err(|error| match error {
        ModelError::Chat { failure, .. } => failure,
        ModelError::Store(error) => panic!("{error}"),
    })
}

fn texts(count: usize) -> EmbedRequest {
    EmbedRequest::new((1..=count).map(|number| "x".repeat(number).into()).collect())
}

fn too_long() -> ChatFailure {
    ChatFailure::ContextLengthExceeded { message: "long".into(), limit: None, actual: None }
}

#[tokio::test]
async fn a_large_request_is_cut_and_its_vectors_stay_in_order() {
    let model = Fussy::new(None);
    let answer = embed(&model, 3, texts(10)).await.unwrap();
    let firsts: Vec<f32> = answer.vectors.iter().filter_map(|vector| vector.numbers().next()).collect();
    assert_eq!(firsts, (1..=10_u8).map(f32::from).collect::<Vec<_>>());
    assert_eq!((model.sizes(), answer.usage.input_tokens), (vec![1, 3, 3, 3], Some(10)));
    assert_eq!((answer.model.as_str(), answer.cached), ("test/m", false));
}

#[tokio::test]
async fn a_refused_request_is_halved_down_to_the_text_at_fault_and_the_others_get_their_vectors() {
    let model = Fussy::new(Some(("bad", too_long())));
    let mut request = texts(16);
    request.inputs[4] = "bad".into();
    let failure = embed(&model, 100, request).await.unwrap_err();
    assert!(matches!(&failure, ChatFailure::ContextLengthExceeded { message, .. } if message == "input 5 of 16: long"));
    assert_eq!(model.sizes(), [1, 1, 2, 2, 4, 4, 8, 8, 16]);
    let answered: usize =
        model.asked.lock().unwrap().iter().filter(|inputs| !inputs.contains(&"bad".into())).map(Vec::len).sum();
    assert_eq!(answered, 15, "each of the others once");
}

#[tokio::test]
async fn a_request_that_is_refused_whatever_is_in_it_is_not_halved_to_the_end() {
    let model = Fussy::new(Some(("x", ChatFailure::InvalidRequest("no such dimensions".into()))));
    let failure = embed(&model, 100, texts(64)).await.unwrap_err();
    assert_eq!(failure, ChatFailure::InvalidRequest("input 1 of 64: no such dimensions".into()));
    assert_eq!(model.sizes(), [1, 1, 2, 4, 8, 16, 32, 64]);
}

#[tokio::test]
async fn a_model_that_is_away_is_not_asked_in_halves() {
    let away = ChatFailure::Unavailable { message: "away".into(), after: None };
    let model = Fussy::new(Some(("x", away.clone())));
    assert_eq!(embed(&model, 100, texts(64)).await, Err(away));
    assert_eq!(model.sizes(), [64]);
}

#[tokio::test]
async fn what_no_provider_takes_is_told_before_anything_is_asked() {
    let model = Fussy::new(None);
    let with = |text: &str| EmbedRequest::new(vec!["good".into(), text.into()]);
    for (request, kind, words) in [
        (EmbedRequest::new(Vec::new()), "invalid-request", "no inputs"),
        (texts(0), "invalid-request", "no inputs"),
        (EmbedRequest::new(vec!["x".into(); 2_049]), "invalid-request", "at most 2048"),
        (with(" \n"), "invalid-request", "input 2 of 2: the text is empty"),
        (with(&"x".repeat(301)), "context-length-exceeded", "input 2 of 2: the text may have 101 tokens"),
        (EmbedRequest { model: Some("other".into()), ..with("x") }, "denied", "other"),
    ] {
        let failure = embed(&model, 100, request).await.unwrap_err();
        assert_eq!(failure.kind(), kind);
        assert!(format!("{failure:?}").contains(words), "{failure:?}");
    }
    assert!(model.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn vectors_of_two_lengths_are_no_answer() {
    let model = Fussy { lengths: |text| if text.len() > 3 { 4 } else { 2 }, ..Fussy::new(None) };
    let failure = embed(&model, 3, texts(5)).await.unwrap_err();
    assert_eq!(failure.kind(), "misconfigured");
}

#[tokio::test(start_paused = true)]
async fn all_requests_of_a_call_share_its_time() {
    /// Takes ten seconds for each request, and notes the time that it is given.
    struct Slow(Mutex<Vec<Option<Duration>>>);

    #[async_trait]
    impl Model for &Slow {
        async fn chat(&self, _: &Caller, _: &ChatRequest) -> Result<ChatResponse, ModelError> {
            panic!("nobody chats here")
        }

        async fn embed(&self, caller: &Caller, request: &EmbedRequest) -> Result<EmbedResponse, ModelError> {
            self.0.lock().unwrap().push(request.timeout);
            tokio::time::sleep(Duration::from_secs(10)).await;
            (&Fussy::new(None)).embed(caller, request).await
        }
    }

    let slow = Slow(Mutex::default());
    let bounds = Bounds { inputs: 1, tokens: 1_000, input_tokens: None };
    let parted = Parted::new(&slow, [("m".to_owned(), Ok(bounds))].into());
    let request = EmbedRequest { timeout: Some(Duration::from_secs(60)), ..texts(5) };
    parted.embed(&caller(1, "s", "a", 0), &request).await.unwrap();
    let given: Vec<u64> = slow.0.lock().unwrap().iter().map(|time| time.unwrap().as_secs()).collect();
    assert_eq!(given, [60, 60, 60, 60, 50]);
}
