//! Keys that come over HTTP, and what is told of tokens.

use std::sync::Arc;

use gristmill_auth::{KeysSettings, Tokens};
use gristmill_core::ports::{Admission, Denied};
use josekit::jws::{EdDSA, RS256};
use serde_json::json;

use super::tokens::{BOTH, Keys, ann, by_file, clock, good, settings, sign, with};

#[tokio::test]
async fn nothing_of_a_token_is_told() {
    let keys = Keys::generate();
    let (tokens, _folder) = by_file(&keys);
    let foreign = RS256.signer_from_jwk(&keys.foreign).expect("a signer");
    for header in [
        json!({"alg": "canary", "kid": "rsa"}),
        json!({"alg": "RS256", "kid": "canary"}),
        json!({"alg": "RS256", "kid": "rsa", "typ": "canary"}),
    ] {
        let token = sign(&header, &with(&json!({"sub": "canary", "iss": "canary"})), &foreign);
        let denied = tokens.admit(Some(&token)).await.expect_err("a denial");
        assert!(!format!("{denied} {denied:?}").contains("canary"), "{denied}");
    }
}

#[tokio::test]
async fn a_new_key_of_the_issuer_is_found_over_http_and_a_redirect_is_not_followed() {
    use axum::Router;
    use axum::http::{StatusCode, header};
    use axum::routing::get;

    let keys = Keys::generate();
    let old = Arc::new(std::sync::Mutex::new(json!({"keys": [keys.set()["keys"][0]]}).to_string()));
    let served = Arc::clone(&old);
    let document = move || {
        let body = served.lock().expect("no panic").clone();
        async move { ([(header::CACHE_CONTROL, "max-age=3600")], body) }
    };
    let elsewhere = || async { (StatusCode::FOUND, [(header::LOCATION, "/keys")]) };
    let router = Router::new()
        .route("/keys", get(document))
        .route("/elsewhere", get(elsewhere))
        .route("/large", get(|| async { " ".repeat(300 * 1024) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });

    let at = |path: &str| settings(KeysSettings::Jwks(format!("http://{address}{path}")));
    let tokens = Tokens::start(&at("/keys"), clock()).expect("an admission");
    let rsa = RS256.signer_from_jwk(&keys.rsa).expect("a signer");
    let ed = EdDSA.signer_from_jwk(&keys.ed).expect("a signer");
    let by_rsa = sign(&json!({"alg": "RS256", "kid": "rsa"}), &good(), &rsa);
    let by_ed = sign(&json!({"alg": "EdDSA", "kid": "ed"}), &good(), &ed);
    // The first key may have to be waited for: that asks once, so rotation is seen by the timer or by the next minute.
    assert_eq!(tokens.admit(Some(&by_rsa)).await, ann(&BOTH));
    let again = Tokens::start(&at("/keys"), clock()).expect("an admission");
    while again.admit(Some(&sign(&json!({"alg": "RS256"}), &good(), &rsa))).await != ann(&BOTH) {
        tokio::task::yield_now().await;
    }
    *old.lock().expect("no panic") = keys.set().to_string();
    assert_eq!(again.admit(Some(&by_rsa)).await, ann(&BOTH), "nothing has changed for a known key");
    let fresh = Tokens::start(&at("/keys"), clock()).expect("an admission");
    assert_eq!(fresh.admit(Some(&by_ed)).await, ann(&BOTH));

    for path in ["/elsewhere", "/large", "/missing"] {
        let tokens = Tokens::start(&at(path), clock()).expect("an admission");
        let denied = tokens.admit(Some(&by_rsa)).await;
        assert!(matches!(denied, Err(Denied::NotNow { .. })), "{path}: {denied:?}");
    }
}
