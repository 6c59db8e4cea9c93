//! The promise to stage authors: a component that was built once runs on later hosts. See `golden/README.md`.

use std::path::Path;

use gristmill_core::model::{Attribute, Header, Outcome, Output};
use gristmill_wasm::Grants;
use serde_json::json;

use crate::harness::{Loaded, Sandbox, always, guest, vectors};
use crate::{code, text};

fn golden(version: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sandbox/golden");
    std::fs::read(folder.join(format!("stage-{version}.wasm"))).unwrap()
}

async fn speaks_0_2(stage: &Loaded) {
    let trace = "00-8d3e75a52ef43d0fb01c3e8e7ff1e3d8-0000000000000000-00";
    for (command, expected) in [
        ("anything", "anything"),
        ("chat", "{}"),
        ("chat-many", "{}{}"),
        ("item", "in:0:7 test/in/0/7 in:0:7 0-7 in 7 yes"),
    ] {
        assert_eq!(text(stage.run(command).await), expected, "{command}");
    }
    let context = text(stage.run("context").await);
    let (start, rest) = context.split_once(" 00-").expect("a traceparent");
    assert_eq!((start, rest.len()), ("test under-test", trace.len() - 3 + " yes no yes no".len()), "{context}");
    assert!(rest.ends_with("-00 yes no yes no"), "{context}");
    for (command, expected) in
        [("embed", "denied"), ("retry", "passing told-to"), ("slow", "passing told-to"), ("permanent", "told-to")]
    {
        assert_eq!(code(stage.run(command).await), expected, "{command}");
    }
    assert_eq!(stage.run("drop").await.unwrap(), Outcome::Drop("told-to".into()));
    let Ok(Outcome::Reject(failure)) = stage.run("reject").await else { panic!("not rejected") };
    assert_eq!((failure.code.as_str(), failure.details.as_deref()), ("told-to", Some("{}")));
    let Ok(Outcome::Emit(outputs)) = stage.run("anything").await else { panic!("not emitted") };
    let expected = Output {
        payload: "anything".into(),
        content_type: Some("text/plain".into()),
        key: Some("key".into()),
        headers: vec![Header { name: "header".into(), value: None }],
        attributes: vec![Attribute { name: "attribute".into(), value: "value".into() }],
        branch: Some("side".into()),
    };
    assert_eq!(outputs, [expected]);
    assert_eq!(stage.batching().most, 2);
    let together = stage.run_together(&["a", "permanent"]).await.unwrap();
    let [first, second] = <[_; 2]>::try_from(together).unwrap();
    assert_eq!((text(first), code(second)), ("a".into(), "told-to".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_of_version_0_2_0_runs_here() {
    let stage = Sandbox::new().routed(&["side"]).model(always("{}")).load(golden("0.2.0"), json!({})).await.unwrap();
    speaks_0_2(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_built_today_runs_like_the_golden_one() {
    let stage = Sandbox::new().routed(&["side"]).model(always("{}")).load(guest("golden"), json!({})).await.unwrap();
    speaks_0_2(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn embeddings_need_a_grant() {
    let grants = Grants { llm: true, ..Grants::default() };
    let refused = Sandbox::new().grants(grants).load(golden("0.2.0"), json!({})).await.err().unwrap().to_string();
    assert!(refused.contains("grants = [\"embeddings\"]"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_was_built_before_there_were_vectors_gets_them() {
    let stage = Sandbox::new().model(vectors()).load(golden("0.2.0"), json!({})).await.unwrap();
    assert_eq!(text(stage.run("embed").await), " yes");
}
