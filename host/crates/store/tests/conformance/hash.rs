//! The hash of a job in Redis, as frontends read it that know nothing of us.

use std::collections::BTreeMap;
use std::time::Duration;

use gristmill_core::model::{Ended, Failure, JobNote, StageAt, StageCount, Told};
use gristmill_store::{Redis, ServerSettings, StoreUrl};
use gristmill_test_servers as servers;

use super::records::{end, note, submission};

#[tokio::test(flavor = "multi_thread")]
async fn hgetall_shows_a_job_in_eight_fields_of_plain_text() {
    let server = servers::Redis::start().await;
    let StoreUrl::Redis(url) = server.url().parse().unwrap() else { panic!("{}", server.url()) };
    let pipeline = format!("hash-{:x}", fastrand::u64(..));
    let settings = ServerSettings { keep_ended: Duration::from_secs(600), ..ServerSettings::new(&pipeline) };
    let store: std::sync::Arc<dyn super::world::Records> =
        std::sync::Arc::new(Redis::open(&url, settings).await.unwrap());
    let job = submission(1).job;
    let client = ::redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let key = format!("gristmill:{pipeline}:status:{job}");
    let mut hash = async || -> BTreeMap<String, String> {
        ::redis::cmd("HGETALL").arg(&key).query_async(&mut connection).await.unwrap()
    };
    let expected = |status: &str, stage: &str, progress: &str, error: &str, updated: &str| {
        BTreeMap::from(
            [
                ("job_id", job.as_str()),
                ("pipeline", &pipeline),
                ("status", status),
                ("current_stage", stage),
                ("progress", progress),
                ("last_error", error),
                ("created_at", "2025-11-26T09:40:00.000Z"),
                ("updated_at", updated),
            ]
            .map(|(field, value)| (field.to_owned(), value.to_owned())),
        )
    };
    store.submit(vec![submission(1)]).await.unwrap();
    assert_eq!(hash().await, expected("accepted", "", "0", "", "2025-11-26T09:40:00.000Z"));
    let stage = Some(StageAt { name: "chunk".into(), index: 2, of: 4, items: StageCount::default() });
    let told = Told { stage, last_error: Some(Failure::new("bad", "worse")), ..Told::default() };
    store.note(&[JobNote { told, ..note(&job, 1, 25) }]).await.unwrap();
    assert_eq!(hash().await, expected("running", "chunk", "25", "bad: worse", "2033-05-18T03:33:20.001Z"));
    store.note(&[end(&job, 1, Ended::Completed)]).await.unwrap();
    assert_eq!(hash().await, expected("completed", "", "100", "", "2033-05-18T03:33:20.001Z"));
    let mut left: Vec<i64> = Vec::new();
    for key in [key.clone(), format!("gristmill:{pipeline}:record:{job}")] {
        left.push(::redis::cmd("PTTL").arg(key).query_async(&mut connection).await.unwrap());
    }
    assert!(left.iter().all(|left| (1..=600_000).contains(left)), "it goes with its record: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_of_an_older_version_is_taken_on_and_one_of_a_newer_version_is_refused() {
    let server = servers::Redis::start().await;
    let StoreUrl::Redis(url) = server.url().parse().unwrap() else { panic!("{}", server.url()) };
    let pipeline = format!("version-{:x}", fastrand::u64(..));
    let client = ::redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let key = format!("gristmill:{pipeline}:version");
    ::redis::cmd("SET").arg(&key).arg(1).exec_async(&mut connection).await.unwrap();
    drop(Redis::open(&url, ServerSettings::new(&pipeline)).await.unwrap());
    let now: u32 = ::redis::cmd("GET").arg(&key).query_async(&mut connection).await.unwrap();
    assert_eq!(now, 2, "an older host does not run jobs without their records");
    ::redis::cmd("SET").arg(&key).arg(3).exec_async(&mut connection).await.unwrap();
    let error = Redis::open(&url, ServerSettings::new(&pipeline)).await.err().unwrap().to_string();
    assert!(error.contains("a newer Gristmill wrote it (version 3"), "{error}");
}
