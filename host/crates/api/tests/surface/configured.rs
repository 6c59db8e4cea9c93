//! HTTPS, web sites and the audit log, as the host file asks for them.

use std::fs;
use std::path::Path;
use std::process::Command;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::served::{answer, problem, serve_with};

/// The lines of an audit log: act, outcome and job.
fn lines(path: &Path) -> Vec<(String, String, String)> {
    let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
    let read = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["from"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
        (text(&line, "act"), text(&line, "outcome"), text(&line, "job"))
    };
    fs::read_to_string(path).unwrap().lines().map(read).collect()
}

#[tokio::test]
async fn every_change_is_in_the_audit_log_before_it_is_done_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let served = serve_with(&format!("audit = {:?}", path.display().to_string())).await;
    let job = served.submit("x").await;
    let act = |what: &str| served.post(&format!("/v1/jobs/{job}/{what}")).send();
    answer(act("cancel").await.unwrap(), 202).await;
    problem(act("retry").await.unwrap(), 409, "wrong-state").await;
    problem(act("webhooks/redeliver").await.unwrap(), 409, "wrong-state").await;
    answer(served.get(&format!("/v1/jobs/{job}")).send().await.unwrap(), 200).await;
    let all = json!({"action": "cancel", "filter": {"pipeline": "p"}, "dry_run": false});
    let acted = served.post("/v1/jobs/actions").header("content-type", "application/json").body(all.to_string());
    assert_eq!(answer(acted.send().await.unwrap(), 200).await["done"], 1);
    let jobs = json!({"jobs": [{"text": "a"}, {"text": "b"}]}).to_string();
    let batch = served.post("/v1/pipelines/p/batches").header("content-type", "application/json").body(jobs);
    let batch = answer(batch.send().await.unwrap(), 202).await["batch_id"].as_str().unwrap().to_owned();
    let expected = [
        ("submit", "done", job.to_string()),
        ("cancel", "done", job.to_string()),
        // Refused before it is a change, for the state of its job.
        ("redeliver", "wrong-state", job.to_string()),
        ("cancel", "done", job.to_string()),
        ("submit", "done", batch),
    ];
    let expected: Vec<_> = expected
        .into_iter()
        .flat_map(|(act, outcome, job)| ["asked", outcome].map(|one| (act.to_owned(), one.to_owned(), job.clone())))
        .collect();
    assert_eq!(lines(&path), expected);
}

#[tokio::test]
async fn pages_of_known_web_sites_may_call_the_api_and_read_its_errors() {
    let served = serve_with("cors = [\"https://app.example\"]").await;
    let url = format!("http://{}/v1/pipelines/p/jobs", served.address);
    let ask = |method: Method, origin: &str| served.client.request(method, &url).header("origin", origin);
    let first = |origin| ask(Method::OPTIONS, origin).header("access-control-request-method", "POST").send();
    let allowed = first("https://app.example").await.unwrap();
    assert_eq!(
        (allowed.status().as_u16(), &allowed.headers()["access-control-allow-origin"]),
        (204, &"https://app.example".parse().unwrap())
    );
    assert!(!first("https://other.example").await.unwrap().headers().contains_key("access-control-allow-origin"));
    let accepted = ask(Method::POST, "https://app.example").body("x").send().await.unwrap();
    assert_eq!(accepted.headers()["access-control-allow-origin"], "https://app.example");
    answer(accepted, 202).await;
    let refused = ask(Method::PUT, "https://app.example").send().await.unwrap();
    assert_eq!(refused.headers()["access-control-allow-origin"], "https://app.example");
    problem(refused, 405, "method-not-allowed").await;
    problem(ask(Method::POST, "https://other.example").body("x").send().await.unwrap(), 403, "foreign-origin").await;
}

#[tokio::test]
async fn with_a_certificate_all_answers_are_in_https() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-keyout", "key.pem", "-out", "certificate.pem"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let file = |name: &str| folder.path().join(name).display().to_string();
    let tls =
        format!("tls = {{ certificate = {:?}, key = {{ file = {:?} }} }}", file("certificate.pem"), file("key.pem"));
    let served = serve_with(&tls).await;
    let client = Client::builder().danger_accept_invalid_certs(true).build().unwrap();
    let url = |scheme: &str, path: &str| format!("{scheme}://{}{path}", served.address);
    let accepted = client.post(url("https", "/v1/pipelines/p/jobs")).body("x".repeat(1 << 20)).send().await.unwrap();
    let job = answer(accepted, 202).await["job_id"].as_str().unwrap().to_owned();
    let view = client.get(url("https", &format!("/v1/jobs/{job}"))).send().await.unwrap();
    assert_eq!(answer(view, 200).await["status"], "queued");
    assert!(client.get(url("http", "/livez")).send().await.is_err());
}
