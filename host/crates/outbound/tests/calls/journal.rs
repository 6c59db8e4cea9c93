//! A call that was answered is not made again.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use gristmill_core::model::{HttpRequest, HttpResponse, Timestamp};
use gristmill_core::ports::{Caller, Edition, Outbound, Store};
use gristmill_outbound::Calls;
use gristmill_store::{Settings, Sqlite};

use crate::world::{caller, caller_of, calls_with, here, request, serve};

/// Counts what it is sent, and answers with this status and the count.
async fn counting(statuses: &'static [u16]) -> (u16, Arc<AtomicU32>, Arc<Mutex<Vec<Option<String>>>>) {
    let (count, keys) = (Arc::new(AtomicU32::new(0)), Arc::<Mutex<Vec<_>>>::default());
    let (counted, seen) = (Arc::clone(&count), Arc::clone(&keys));
    let answer = move |headers: HeaderMap| {
        let number = counted.fetch_add(1, Ordering::SeqCst);
        seen.lock().unwrap().push(headers.get("idempotency-key").map(|key| key.to_str().unwrap().to_owned()));
        let status = *statuses.get(number as usize).unwrap_or(&200);
        async move { (StatusCode::from_u16(status).unwrap(), number.to_string()) }
    };
    (serve(Router::new().fallback(answer)).await.port(), count, keys)
}

fn journaling(port: u16, store: Option<Arc<dyn Store>>) -> Calls {
    let grant =
        format!("http = [\"* http://here.example:{port}/*\"]\njournal = true\nallow_private = [\"127.0.0.0/8\"]");
    calls_with(&grant, here(), store).unwrap()
}

fn post(port: u16) -> HttpRequest {
    HttpRequest { body: "x".into(), ..request("POST", &format!("http://here.example:{port}/")) }
}

async fn answer(calls: &Calls, caller: &Caller, request: &HttpRequest) -> HttpResponse {
    calls.call(caller, request).await.unwrap().response
}

#[tokio::test]
async fn a_redelivered_job_posts_once_also_in_another_process() {
    let (port, count, _) = counting(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let open = || -> Arc<dyn Store> {
        Arc::new(Sqlite::open(Settings::new(folder.path(), "p", Arc::new(Timestamp::default))).unwrap())
    };
    let first = answer(&journaling(port, Some(open())), &caller(), &post(port)).await;
    assert_eq!((first.cached, &first.body[..]), (false, &b"0"[..]));
    // As after a crash: nothing in memory, the same store.
    let again = answer(&journaling(port, Some(open())), &caller(), &post(port)).await;
    assert_eq!(again, HttpResponse { cached: true, ..first });
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn calls_that_are_not_the_same_are_made() {
    let (port, count, keys) = counting(&[]).await;
    let calls = journaling(port, None);
    let (one, same) = (caller(), post(port));
    let second = Caller { repeat: 1, ..caller() };
    let restarted = Caller { edition: Edition(1), ..caller() };
    for caller in [&one, &second, &restarted, &caller_of(2), &Caller { item: "other".into(), ..caller() }] {
        assert!(!answer(&calls, caller, &same).await.cached);
        assert!(answer(&calls, caller, &same).await.cached, "without a store as long as there is room");
    }
    assert_eq!(count.load(Ordering::SeqCst), 5);
    let named = |body: &'static str| HttpRequest { idempotency_key: Some("k".into()), body: body.into(), ..post(port) };
    assert!(!answer(&calls, &one, &named("a")).await.cached);
    assert!(answer(&calls, &second, &named("b")).await.cached, "one key is one call");
    let sent = keys.lock().unwrap();
    let mut different: Vec<_> = sent.iter().map(|key| key.as_deref().unwrap()).collect();
    different.sort_unstable();
    different.dedup();
    assert_eq!((sent.len(), different.len()), (6, 6), "each call has a key of its own: {sent:?}");
}

#[tokio::test]
async fn an_answer_that_is_none_for_good_is_asked_for_again_with_the_same_key() {
    let (port, count, keys) = counting(&[503, 429, 201]).await;
    let calls = journaling(port, None);
    for (status, cached) in [(503, false), (429, false), (201, false), (201, true), (201, true)] {
        let answer = answer(&calls, &caller(), &post(port)).await;
        assert_eq!((answer.status, answer.cached), (status, cached));
    }
    assert_eq!(count.load(Ordering::SeqCst), 3);
    let keys = keys.lock().unwrap();
    assert!(keys[0].is_some() && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
}

#[tokio::test]
async fn what_only_asks_has_no_key_and_without_a_journal_nothing_has() {
    let (port, count, keys) = counting(&[]).await;
    answer(&journaling(port, None), &caller(), &request("GET", &format!("http://here.example:{port}/"))).await;
    let plain = calls_with(
        &format!("http = [\"* http://here.example:{port}/*\"]\nallow_private = [\"127.0.0.0/8\"]"),
        here(),
        None,
    );
    let plain = plain.unwrap();
    assert!(!answer(&plain, &caller(), &post(port)).await.cached);
    assert!(!answer(&plain, &caller(), &post(port)).await.cached);
    assert_eq!((count.load(Ordering::SeqCst), keys.lock().unwrap().clone()), (3, vec![None, None, None]));
}
