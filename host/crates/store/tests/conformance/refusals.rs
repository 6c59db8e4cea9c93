//! Servers that will not do.

use std::time::Duration;

use futures_util::future::join_all;
use gristmill_core::ports::{KeepOne, Store, StoreError};
use gristmill_store::{Postgres, PostgresUrl, Redis, RedisUrl, ServerSettings, StoreUrl};
use gristmill_test_servers as servers;

use super::world::{job, key, text};

fn settings() -> ServerSettings {
    ServerSettings { patience: Duration::ZERO, ..ServerSettings::new("p") }
}

fn postgres(url: &str) -> PostgresUrl {
    match url.parse().unwrap() {
        StoreUrl::Postgres(url) => url,
        StoreUrl::Redis(_) => panic!("{url}"),
    }
}

fn redis(url: &str) -> RedisUrl {
    match url.parse().unwrap() {
        StoreUrl::Redis(url) => url,
        StoreUrl::Postgres(_) => panic!("{url}"),
    }
}

/// The reason of a store that does not open for good.
fn refusal<T>(opened: Result<T, StoreError>) -> String {
    match opened.err() {
        Some(error @ StoreError::Broken { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

async fn execute(url: &str, statements: &str) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(statements).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_open_an_empty_database_at_once_make_its_tables_once() {
    let url = postgres(&servers::Postgres::shared().await.database().await);
    let stores = join_all((0..6).map(|_| Postgres::open(&url, settings()))).await;
    for (number, store) in (0..).zip(stores) {
        store.unwrap().keep(&job(number), key(0), &text("x")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_version_that_was_faster_is_left_alone() {
    let url = servers::Postgres::shared().await.database().await;
    // The lock under which hosts migrate.
    let lock = 0x4772_6973_746d_i64;
    let (newer, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    newer.batch_execute(&format!("SELECT pg_advisory_lock({lock})")).await.unwrap();
    let older = postgres(&url);
    let opened = tokio::spawn(async move { Postgres::open(&older, settings()).await });
    let waits = "SELECT EXISTS (SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted)";
    while !newer.query_one(waits, &[]).await.unwrap().get::<_, bool>(0) {
        assert!(!opened.is_finished(), "it does not wait for the lock");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let tables = "CREATE SCHEMA gristmill; CREATE TABLE gristmill.version (number integer NOT NULL);
        INSERT INTO gristmill.version VALUES (99)";
    newer.batch_execute(tables).await.unwrap();
    newer.batch_execute(&format!("SELECT pg_advisory_unlock({lock})")).await.unwrap();
    let error = refusal(opened.await.unwrap());
    assert!(error.contains("a newer Gristmill wrote it (version 99"), "{error}");
    let version: i32 = newer.query_one("SELECT number FROM gristmill.version", &[]).await.unwrap().get(0);
    assert_eq!(version, 99);
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_of_others_and_of_newer_versions_are_refused_and_left_alone() {
    let server = servers::Postgres::shared().await;
    let url = server.database().await;
    drop(Postgres::open(&postgres(&url), settings()).await.unwrap());
    execute(&url, "UPDATE gristmill.version SET number = 99").await;
    let error = refusal(Postgres::open(&postgres(&url), settings()).await);
    assert!(error.contains("a newer Gristmill wrote it (version 99"), "{error}");

    let url = server.database().await;
    execute(&url, "CREATE SCHEMA gristmill; CREATE TABLE gristmill.job (mine text)").await;
    let error = refusal(Postgres::open(&postgres(&url), settings()).await);
    assert!(error.contains("another application"), "{error}");

    let missing = url.replace("gristmill_test", "no_such_database");
    let error = refusal(Postgres::open(&postgres(&missing), settings()).await);
    assert!(error.contains("no such database") && error.contains("3D000"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_rights_is_told_what_it_lacks_and_needs_no_more_than_the_tables() {
    let url = servers::Postgres::shared().await.database().await;
    let role = format!("limited_{:x}", fastrand::u64(..));
    execute(&url, &format!("CREATE ROLE {role} LOGIN PASSWORD 'x'; REVOKE CREATE ON SCHEMA public FROM public")).await;
    let limited = url.replace("postgres@", &format!("{role}@"));
    let error = refusal(Postgres::open(&postgres(&limited), settings()).await);
    assert!(error.contains("42501") && error.contains("schema gristmill"), "{error}");
    // An administrator may create the schema for the user.
    execute(&url, &format!("CREATE SCHEMA gristmill AUTHORIZATION {role}")).await;
    let store = Postgres::open(&postgres(&limited), settings()).await.unwrap();
    store.keep(&job(1), key(0), &text("x")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_may_answer_later() {
    for url in ["postgres://user@127.0.0.1:1/state", "redis://127.0.0.1:1", "redis://no-such-host.invalid"] {
        let error = match url.parse().unwrap() {
            StoreUrl::Postgres(url) => Postgres::open(&url, settings()).await.err(),
            StoreUrl::Redis(url) => Redis::open(&url, settings()).await.err(),
        };
        assert!(matches!(&error, Some(StoreError::Transient { store, .. }) if store == url), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_evicts_is_refused_also_later() {
    let Some(evicts) = servers::Redis::own_with(&["--maxmemory-policy", "allkeys-lru"]).await else { return };
    let error = refusal(Redis::open(&redis(evicts.url()), settings()).await);
    assert!(error.contains("allkeys-lru") && error.contains("noeviction"), "{error}");

    let Some(mut server) = servers::Redis::own().await else { return };
    let store = Redis::open(&redis(server.url()), settings()).await.unwrap();
    store.keep(&job(1), key(0), &text("x")).await.unwrap();
    server.kill();
    server.restart_with(&["--maxmemory-policy", "volatile-lru"]).await;
    let error = loop {
        match store.keep(&job(2), key(0), &text("x")).await {
            Err(StoreError::Transient { .. }) => tokio::time::sleep(Duration::from_millis(20)).await,
            other => break refusal(other),
        }
    };
    assert!(error.contains("volatile-lru"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_whose_memory_is_full_is_waited_for() {
    let Some(server) = servers::Redis::own_with(&["--maxmemory", "3mb"]).await else { return };
    let store = Redis::open(&redis(server.url()), settings()).await.unwrap();
    let large = text(&"x".repeat(100_000));
    let mut kept = 0;
    let error = loop {
        match store.keep(&job(kept), key(0), &large).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, StoreError::Transient { reason, .. } if reason.contains("maxmemory")), "{error}");
    for number in 0..kept {
        assert_eq!(store.recall(&job(number), key(0)).await.unwrap().as_ref(), Some(&large));
    }
    let client = ::redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    ::redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg("0").exec_async(&mut connection).await.unwrap();
    store.keep(&job(kept), key(0), &large).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_used_and_never_shown() {
    let Some(server) = servers::Redis::own_with(&["--requirepass", "canary"]).await else { return };
    let url = redis(server.url());
    let with = |password: &str| ServerSettings { password: Some(password.into()), ..settings() };
    let error = refusal(Redis::open(&url, settings()).await);
    assert!(error.contains("store.password"), "{error}");
    let error = refusal(Redis::open(&url, with("canary-but-wrong")).await);
    assert!(error.contains("store.password") && !error.contains("canary"), "{error}");
    let store = Redis::open(&url, with("canary")).await.unwrap();
    store.keep(&job(1), key(0), &text("x")).await.unwrap();
    assert!(!format!("{:?}", with("canary")).contains("canary"));
}
