//! Several items in one call: what comes back for each, and what happens if the call breaks.

use std::time::Duration;

use gristmill_core::model::Outcome;
use gristmill_core::ports::{BatchOf, Batching, StageError};
use gristmill_wasm::{Grants, Isolation, StageLimits};
use serde_json::json;

use crate::harness::{Loaded, Sandbox, guest, standard, who_asks};
use crate::{code, text};

async fn batching() -> Loaded {
    Sandbox::new().model(who_asks()).load(guest("batch"), json!({})).await.unwrap()
}

/// What came of each item: its text, or the code of its failure.
fn told(results: Vec<Result<Outcome, StageError>>) -> Vec<String> {
    results.into_iter().map(|result| if result.is_ok() { text(result) } else { code(result) }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn items_that_come_together_have_a_result_each_in_order() {
    let stage = batching().await;
    assert_eq!(stage.batching().most, 4);
    let results = stage.run_together(&["a", "retry b", "c"]).await.unwrap();
    assert_eq!(told(results), ["a, one of 3", "passing told-to", "c, one of 3"]);
    assert_eq!(text(stage.run("a").await), "a, one of 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_another_length_fails_every_item_for_good() {
    let stage = batching().await;
    for odd in ["short", "long"] {
        let results = stage.run_together(&["a", "b", odd]).await.unwrap();
        let Err(StageError::Permanent(failure)) = &results[0] else { panic!("not permanent: {results:?}") };
        assert!(failure.message.contains("results for 3 items"), "{}", failure.message);
        assert_eq!(told(results), ["bad-batch"; 3], "{odd}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_breaks_says_nothing_about_its_items() {
    let limits = StageLimits { cpu: Duration::from_millis(200), ..StageLimits::default() };
    let stage = Sandbox::new().limits(limits).load(guest("batch"), json!({})).await.unwrap();
    assert!(stage.run_together(&["a", "panic"]).await.is_none());
    assert!(stage.run_together(&["much 5000000", "much 5000000"]).await.is_none(), "each alone may emit that much");
    assert_eq!(text(stage.run("much 5000000").await).len(), 5_000_000);
    assert_eq!(told(stage.run_together(&["a", "b"]).await.unwrap()), ["a, one of 2", "b, one of 2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_a_batch_is_for_one_of_its_items() {
    let stage = batching().await;
    let results = told(stage.run_together(&["ask x", "ask x", "ask-for-nobody x", "ask-for-another x"]).await.unwrap());
    let invalid = "llm-invalid-request";
    assert_eq!(results, ["in:0:7/split.0 0", "in:0:7/split.1 0", invalid, invalid]);
    assert_eq!(text(stage.run("ask-for-nobody x").await), "in:0:7 0", "a single item goes without saying");
    assert_eq!(code(stage.run("ask-for-another x").await), invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_that_takes_single_items_gets_batches_from_its_sdk() {
    let stage = Sandbox::new().model(who_asks()).misbehave().await;
    let results = told(stage.run_together(&["echo a", "permanent b", "ask c"]).await.unwrap());
    assert_eq!(results, ["a", "told-to", "in:0:7/split.2 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_no_batches_gets_none() {
    let stage = Sandbox::new().load(standard("extract"), json!({})).await.unwrap();
    assert_eq!(stage.batching().most, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn items_of_several_jobs_share_a_call_only_where_the_file_says_so_and_no_model_is_asked() {
    for (isolation, of) in
        [(Isolation::Item, BatchOf::Job), (Isolation::Batch, BatchOf::Jobs), (Isolation::Shared, BatchOf::Jobs)]
    {
        let without =
            Sandbox::new().isolation(isolation).grants(Grants::default()).load(guest("pass"), json!({})).await.unwrap();
        assert_eq!(without.batching(), Batching { most: 32, of }, "{isolation:?}");
        let with = Sandbox::new().isolation(isolation).model(who_asks()).load(guest("batch"), json!({})).await.unwrap();
        assert_eq!(with.batching().of, BatchOf::Job, "{isolation:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_batch_gets_a_fresh_instance() {
    let stage = Sandbox::new().isolation(Isolation::Batch).misbehave().await;
    for _ in 0..2 {
        assert_eq!(told(stage.run_together(&["count", "count"]).await.unwrap()), ["0", "1"]);
    }
}
