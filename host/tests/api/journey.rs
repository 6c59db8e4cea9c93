//! The way of a job from its submission to its result, and over the death of its host.

use crate::client::path_of;
use crate::harness::{Harness, OBEY, PASS, Setup, header};

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_submitted_followed_and_fetched_with_nothing_installed() {
    let harness = Harness::new(Setup::embedded(PASS)).await;
    let mut host = harness.start().await;
    let job = host.client.submit(&harness.name, "text/plain", "a document").await;
    let over = host.client.until_over(&job).await;
    assert_eq!((&over["status"], &over["progress"], &over["outputs"]), (&"completed".into(), &100.into(), &1.into()));
    assert_eq!(over["pipeline"], harness.name.as_str());
    let result = host.client.get(&format!("{}/result/1", path_of(&job))).await.is(200);
    assert_eq!(&*result.body, b"a document");
    assert!(host.terminate().await.success(), "{}", host.last_words());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_tells_why() {
    let harness = Harness::new(Setup::embedded(OBEY)).await;
    let host = harness.start().await;
    let job = host.client.submit(&harness.name, "text/plain", "panic").await;
    let over = host.client.until_over(&job).await;
    assert_eq!((&over["status"], &over["error"]["code"]), (&"failed".into(), &"trap".into()), "{over:#}");
    assert!(over["progress"].as_u64().unwrap() < 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_is_not_there_is_told_from_one_that_does_not_run() {
    let harness = Harness::new(Setup::embedded(PASS)).await;
    let host = harness.start().await;
    host.client.post("/v1/pipelines/other/jobs", "text/plain", "x").await.is(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_document_takes_the_way_through_the_folder_of_objects() {
    let setup = Setup::kafka(PASS).api("max_body = \"16MiB\"");
    let harness = Harness::new(setup).await;
    let host = harness.start().await;
    let body = vec![b'x'; 3 << 20];
    let job = host.client.submit(&harness.name, "application/octet-stream", body.clone()).await;
    let over = host.client.until_over(&job).await;
    assert_eq!(over["status"], "completed", "{over:#}\n{}", host.last_words());
    let event = &harness.records("in").await[0];
    assert!(event.payload.as_ref().is_none_or(bytes::Bytes::is_empty), "the body is not in the event");
    assert!(header(event, "gristmill-payload").contains(";size=3145728"));
    let result = host.client.get(&format!("{}/result/1", path_of(&job))).await.is(200);
    assert!(result.body == body, "{} bytes", result.body.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_and_its_result_are_known_after_a_kill() {
    let harness = Harness::new(Setup::kafka(PASS)).await;
    let mut host = harness.start().await;
    let job = host.client.submit(&harness.name, "text/plain", "before the kill").await;
    let over = host.client.until_over(&job).await;
    host.kill().await;
    let host = harness.start().await;
    assert_eq!(host.client.job(&job).await, over);
    assert_eq!(&*host.client.get(&format!("{}/result/1", path_of(&job))).await.is(200).body, b"before the kill");
    assert_eq!(harness.records("in").await.len(), 1);
}
