//! Jobs of somebody else: they are not there, whatever is asked for.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::client::{Answer, Client};
use crate::harness::{Harness, PASS, Setup};

pub(crate) const SECRET: &[u8; 40] = b"forty bytes that nobody else knows of us";

/// A token for a subject, with all scopes but `admin` unless they are given.
pub(crate) fn token(subject: &str, scope: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let header = URL_SAFE_NO_PAD.encode(json!({"alg": "HS256"}).to_string());
    let claims =
        json!({"iss": "test", "aud": "gristmill", "sub": subject, "iat": now, "exp": now + 3_600, "scope": scope});
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac(signed.as_bytes())))
}

/// HMAC-SHA-256 (RFC 2104) with the secret, by hand: not what is under test.
fn hmac(message: &[u8]) -> [u8; 32] {
    let mut key = [0; 64];
    key[..SECRET.len()].copy_from_slice(SECRET);
    let pad = |byte: u8| key.map(|one| one ^ byte);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

async fn ask(client: &Client, method: &str, path: &str) -> Answer {
    let method: Method = method.to_uppercase().parse().unwrap();
    let is_post = method == Method::POST;
    let request = client.request(method, path);
    // Retries may have a body; none of these routes needs one.
    let request = if is_post { request.header(CONTENT_TYPE, "application/json").body("{}") } else { request };
    client.send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_somebody_else_is_not_there_on_any_route() {
    let folder = tempfile::tempdir().unwrap();
    let harness = Harness::new(Setup::embedded(PASS).secret(folder.path(), SECRET)).await;
    let host = harness.start().await;
    let all = "jobs:read jobs:write dlq:write";
    let [ann, bob] = ["ann", "bob"].map(|subject| host.client.with_token(&token(subject, all)));
    let admin = host.client.with_token(&token("carol", "admin"));
    let reader = host.client.with_token(&token("ann", "jobs:read"));

    let jobs = format!("/v1/pipelines/{}/jobs", harness.name);
    let job = ann.submit(&harness.name, "text/plain", "of Ann").await;
    ann.until_over(&job).await;
    let batch = json!({"jobs": [{"text": "of Ann"}, {"text": "of Ann, too"}]}).to_string();
    let batch = ann.post(&format!("/v1/pipelines/{}/batches", harness.name), "application/json", batch).await;
    let batch = batch.status.is_success().then(|| batch.json()["batch_id"].as_str().map(str::to_owned)).flatten();

    let missing = "0197f000-0000-7000-8000-000000000000";
    let document = ann.get("/v1/openapi.json").await.is(200).json();
    let (mut asked, mut open) = (0, Vec::new());
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods
            .as_object()
            .unwrap()
            .keys()
            .filter(|name| ["get", "post", "put", "patch", "delete"].contains(&name.as_str()))
        {
            let with = |job: &str, batch: &str| {
                path.replace("{job_id}", job).replace("{batch_id}", batch).replace("{number}", "0")
            };
            if path.contains("{job_id}") || path.contains("{batch_id}") {
                let batch = batch.as_deref().expect("a batch was submitted");
                let others = ask(&bob, method, &with(&job, batch)).await.is(404);
                let nobodys = ask(&bob, method, &with(missing, missing)).await.is(404);
                let plain = |answer: &Answer| {
                    String::from_utf8_lossy(&answer.body)
                        .replace(&job, "ID")
                        .replace(batch, "ID")
                        .replace(missing, "ID")
                };
                assert_eq!(plain(&others), plain(&nobodys), "{method} {path} tells that it is there");
                asked += 1;
            } else {
                open.push(format!("{method} {path}"));
            }
            // And nobody without a token is told anything.
            if !["/livez", "/v1/openapi.json"].contains(&path.as_str()) {
                let path = with(&job, missing).replace("{pipeline}", &harness.name);
                ask(&host.client, method, &path).await.is(401);
            }
        }
    }
    assert!(asked >= 10, "{asked} routes name a job or a batch");
    open.sort();
    let known = [
        "get /livez",
        "get /v1/jobs",
        "get /v1/openapi.json",
        "post /v1/jobs/actions",
        "post /v1/pipelines/{pipeline}/batches",
        "post /v1/pipelines/{pipeline}/jobs",
    ];
    assert_eq!(open, known, "a new route: say here what it shows of the jobs of others");

    let listed = |answer: Answer| answer.is(200).json()["jobs"].as_array().unwrap().len();
    assert_eq!(listed(bob.get("/v1/jobs").await), 0);
    assert_eq!(listed(ann.get("/v1/jobs").await), 3);
    assert_eq!(listed(admin.get("/v1/jobs").await), 3);
    let action = json!({"action": "retry", "filter": {"pipeline": harness.name}, "dry_run": false}).to_string();
    let acted = bob.post("/v1/jobs/actions", "application/json", action).await.is(200).json();
    assert!(acted.as_object().unwrap().values().filter_map(Value::as_u64).all(|count| count == 0), "{acted:#}");
    assert_eq!(ann.job(&job).await["run"], 1);
    assert_eq!(admin.job(&job).await["status"], "completed");
    // What a token does not allow is 403, and changes nothing.
    reader.post(&jobs, "text/plain", "x").await.is(403);
    ask(&reader, "post", &format!("/v1/jobs/{job}/cancel")).await.is(403);
    ask(&reader, "post", &format!("/v1/jobs/{job}/retry")).await.is(403);
}
