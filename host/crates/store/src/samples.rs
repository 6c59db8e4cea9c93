//! What tests keep.

use gristmill_core::model::{
    Attribute, ChatResponse, Embedding, Failure, FinishReason, Header, HttpResponse, Outcome, Output, Usage, Vector,
};
use gristmill_core::ports::Kept;

/// Values of every variant, with every optional field present and absent.
pub(super) fn every_kind() -> Vec<Kept> {
    let answer = |finish_reason, usage, id: Option<&str>| {
        Kept::Answer(ChatResponse {
            text: "schön \u{1f33e}".into(),
            finish_reason,
            usage,
            model: "openai/m".into(),
            provider_request_id: id.map(str::to_owned),
            cached: id.is_none(),
        })
    };
    let usage = Usage {
        input_tokens: Some(1),
        cache_read_input_tokens: Some(0),
        cache_write_input_tokens: None,
        output_tokens: Some(u64::MAX),
        reasoning_tokens: None,
        cost_nano_usd: Some(7),
    };
    let bare = Output {
        payload: vec![0, 255, 7].into(),
        content_type: None,
        key: None,
        headers: Vec::new(),
        attributes: Vec::new(),
        branch: None,
    };
    let full = Output {
        payload: Vec::new().into(),
        content_type: Some("text/plain".into()),
        key: Some(vec![254].into()),
        headers: vec![
            Header { name: "h".into(), value: None },
            Header { name: "h".into(), value: Some(vec![200].into()) },
        ],
        attributes: vec![Attribute { name: "a".into(), value: String::new() }],
        branch: Some("left".into()),
    };
    let reject = |details: Option<&str>| {
        Kept::Outcome(Outcome::Reject(Failure { details: details.map(str::to_owned), ..Failure::new("bad", "worse") }))
    };
    vec![
        answer(FinishReason::Stop, usage, Some("id")),
        answer(FinishReason::Length, Usage::default(), None),
        answer(FinishReason::Other("tired".into()), usage, None),
        Kept::Outcome(Outcome::Emit(Vec::new())),
        Kept::Outcome(Outcome::Emit(vec![bare, full])),
        Kept::Outcome(Outcome::Drop("spam".into())),
        reject(None),
        reject(Some("{}")),
        Kept::Embedding(Embedding { vector: Vector::new(&[0.25, -1.0]).unwrap(), usage, model: "openai/m".into() }),
        Kept::Http(HttpResponse {
            status: 201,
            headers: vec![("content-type".into(), "text/plain".into())],
            body: vec![0, 255].into(),
            cached: false,
        }),
    ]
}
