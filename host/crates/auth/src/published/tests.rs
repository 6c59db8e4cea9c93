//! Tests of keys that change.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use josekit::jwk::Jwk;
use josekit::jwk::alg::ec::EcCurve;
use reqwest::header::HeaderValue;
use serde_json::json;

use super::*;

/// Answers with what is in it, and counts.
#[derive(Default)]
struct Issuer {
    answer: Mutex<Option<Vec<u8>>>,
    asked: AtomicUsize,
}

impl Issuer {
    fn set(&self, kids: &[&str]) {
        let keys: Vec<_> = kids
            .iter()
            .map(|kid| {
                let mut key = Jwk::generate_ec_key(EcCurve::P256).unwrap().to_public_key().unwrap();
                key.set_key_id(*kid);
                serde_json::Value::Object(key.into())
            })
            .collect();
        *self.answer.lock().unwrap() = Some(json!({ "keys": keys }).to_string().into_bytes());
    }

    fn leave(&self) {
        *self.answer.lock().unwrap() = None;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Origin for Arc<Issuer> {
    fn name(&self) -> String {
        "issuer".into()
    }

    async fn fetch(&self) -> Result<Fetched, String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let json = self.answer.lock().unwrap().clone().ok_or("away")?;
        Ok(Fetched { json, fresh: USUALLY_FRESH })
    }
}

async fn has(published: &Published, kid: &str) -> Option<bool> {
    Some(published.with(Some(kid)).await?.find(Some(kid)).is_some())
}

#[tokio::test(start_paused = true)]
async fn keys_are_refreshed_in_the_background_and_a_removed_one_is_gone() {
    let issuer = Arc::new(Issuer::default());
    issuer.set(&["a"]);
    let published = Published::start(Arc::clone(&issuer), None);
    assert_eq!(has(&published, "a").await, Some(true));
    let before = issuer.asked();
    issuer.set(&["b"]);
    tokio::time::sleep(USUALLY_FRESH + Duration::from_secs(1)).await;
    assert_eq!(issuer.asked(), before + 1);
    assert_eq!(has(&published, "b").await, Some(true));
    assert_eq!(has(&published, "a").await, Some(false));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_is_asked_for_once_a_minute_whoever_sends_it() {
    let issuer = Arc::new(Issuer::default());
    issuer.set(&["a"]);
    let published = Published::start(Arc::clone(&issuer), None);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = issuer.asked();
    for number in 0..100 {
        assert_eq!(has(&published, &format!("forged-{number}")).await, Some(false));
    }
    assert_eq!(issuer.asked(), before + 1);
    issuer.set(&["a", "b"]);
    assert_eq!(has(&published, "b").await, Some(false));
    tokio::time::sleep(BETWEEN_REQUESTS).await;
    assert_eq!(has(&published, "b").await, Some(true));
    assert_eq!(issuer.asked(), before + 2);
}

#[tokio::test(start_paused = true)]
async fn keys_are_good_for_a_day_while_the_issuer_is_away() {
    let issuer = Arc::new(Issuer::default());
    issuer.set(&["a"]);
    let published = Published::start(Arc::clone(&issuer), None);
    assert_eq!(has(&published, "a").await, Some(true));
    issuer.leave();
    tokio::time::sleep(STALE).await;
    assert_eq!(has(&published, "a").await, Some(true));
    tokio::time::sleep(USUALLY_FRESH + Duration::from_secs(1)).await;
    assert_eq!(has(&published, "a").await, None);
    issuer.set(&["a"]);
    tokio::time::sleep(BETWEEN_REQUESTS).await;
    assert_eq!(has(&published, "a").await, Some(true));
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_away_at_the_start_is_asked_until_it_is_there() {
    let issuer = Arc::new(Issuer::default());
    let published = Published::start(Arc::clone(&issuer), None);
    assert_eq!(has(&published, "a").await, None);
    issuer.set(&["a"]);
    tokio::time::sleep(BETWEEN_REQUESTS).await;
    assert_eq!(has(&published, "a").await, Some(true));
}

#[test]
fn freshness_is_what_the_issuer_says_within_a_minute_and_a_day() {
    for (control, age, expected) in [
        ("max-age=600", None, 600),
        ("public, MAX-AGE=600", Some("100"), 500),
        ("max-age=1", None, 60),
        ("max-age=99999999", None, 86_400),
        ("max-age=600, no-store", None, 60),
        ("max-age=x", None, 300),
        ("", None, 300),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(control));
        if let Some(age) = age {
            headers.insert(AGE, HeaderValue::from_static(age));
        }
        assert_eq!(freshness(&headers).as_secs(), expected, "{control}");
    }
}
