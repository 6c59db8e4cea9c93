//! What is checked before a pipeline starts.

use gristmill_core::ports::{Broker, Role, Topic};
use gristmill_redis::{AccessError, CheckError, Creation, RedisBroker, Settings};
use gristmill_test_servers::Redis;

use crate::redis::Streams;

fn topics(streams: &Streams) -> Vec<Topic> {
    let topic = |suffix: &str, role| Topic { name: format!("{}{suffix}", streams.name).into(), role };
    vec![topic("", Role::Source), topic(".out", Role::Sink)]
}

async fn checked(settings: &Settings, topics: &[Topic]) -> Result<gristmill_core::ports::Checked, CheckError> {
    let checked = RedisBroker::new(settings.clone()).unwrap().check(topics).await;
    checked.map_err(|error| error.downcast().expect("an error of the check"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_streams_are_created_unless_they_must_not_be() {
    let streams = Streams::new().await;
    let never = Settings { creation: Creation::Never, ..streams.settings.clone() };
    let error = checked(&never, &topics(&streams)).await.unwrap_err();
    assert!(matches!(&error, CheckError::Streams(faults) if faults.len() == 2), "{error}");

    let found = checked(&streams.settings, &topics(&streams)).await.unwrap();
    assert_eq!(found.created, [streams.name.clone(), format!("{}.out", streams.name)]);
    assert_eq!(found.address, streams.settings.addresses.to_string());
    assert!(streams.run::<Vec<redis::Value>>("XINFO GROUPS S").await.is_empty(), "no group is left behind");
    assert!(checked(&never, &topics(&streams)).await.unwrap().created.is_empty(), "they exist by now");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_is_no_stream_is_told_at_once() {
    let streams = Streams::new().await;
    let () = streams.run("SET S x").await;
    let () = streams.run(&format!("SET {}.out x", streams.name)).await;
    let error = checked(&streams.settings, &topics(&streams)).await.unwrap_err().to_string();
    assert!(error.contains(&format!("{}: the key is a string", streams.name)) && error.contains(".out"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_may_delete_streams_is_refused_and_one_without_a_file_is_warned_of() {
    let Some(server) = Redis::own_with(&["--appendonly", "no"]).await else { return };
    let streams = Streams::on(server.url());
    let found = checked(&streams.settings, &topics(&streams)).await.unwrap();
    assert!(found.warnings.iter().any(|warning| warning.contains("append-only")), "{:?}", found.warnings);
    let () = streams.run("CONFIG SET maxmemory-policy allkeys-lru").await;
    let () = streams.run("CONFIG SET maxmemory 100mb").await;
    let error = checked(&streams.settings, &topics(&streams)).await.unwrap_err();
    assert!(matches!(&error, CheckError::Unsuitable { reason, .. } if reason.contains("allkeys-lru")), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_and_a_wrong_password_are_told_apart() {
    let away = Settings::new("redis://127.0.0.1:1".parse().unwrap());
    let error = checked(&away, &[]).await.unwrap_err();
    assert!(matches!(error, CheckError::Access(AccessError::Unreachable { .. })), "{error}");

    let Some(server) = Redis::own_with(&["--requirepass", "right"]).await else { return };
    let wrong = Settings { password: Some("wrong".into()), ..Settings::new(server.url().parse().unwrap()) };
    let none = Settings::new(server.url().parse().unwrap());
    for settings in [wrong, none] {
        let error = checked(&settings, &[]).await.unwrap_err();
        assert!(matches!(error, CheckError::Access(AccessError::Credentials { .. })), "{error}");
        assert!(!error.to_string().contains("wrong"), "{error}");
    }
}
