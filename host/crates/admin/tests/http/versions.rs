//! The paths of versions: a module arrives whole and as it was sent, or not at all.

use std::io::{Read, Write};

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use gristmill_admin::{
    Activate, AdminSettings, History, HistoryEntry, Push, Pushed, Refused, StageVersions, VersionChange, VersionDone,
    VersionList, VersionState, VersionView, Versions,
};
use reqwest::{Client, Method, Response};
use sha2::{Digest, Sha256};

use super::{Fake, PATIENCE, SocketAddr, anywhere, ask, problem, start, wait};

#[async_trait]
impl Versions for Fake {
    async fn versions(&self, pipeline: &str, stage: Option<&str>) -> Result<VersionList, Refused> {
        let version = VersionView { version: 1, state: VersionState::Serving, ..VersionView::default() };
        let stage = StageVersions {
            stage: stage.unwrap_or("all").into(),
            module: "builtin:chunk".into(),
            versions: vec![version],
        };
        Ok(VersionList { pipeline: pipeline.into(), stages: vec![stage] })
    }

    async fn history(&self, pipeline: &str, stage: &str) -> Result<History, Refused> {
        let entry = HistoryEntry { version: 1, change: "serving".into(), ..HistoryEntry::default() };
        Ok(History { pipeline: pipeline.into(), stage: stage.into(), entries: vec![entry] })
    }

    async fn push(&self, pipeline: &str, stage: &str, pushed: Pushed) -> Result<VersionDone, Refused> {
        if &*pushed.wasm == b"bad" {
            return Err(Refused::Faulty("it is not a WebAssembly component".into()));
        }
        let state = match pushed.activate {
            Activate::No => VersionState::Ready,
            Activate::Now => VersionState::Serving,
            Activate::Canary(trial) => {
                assert_eq!(trial.share.to_string(), "5%");
                assert_eq!(trial.promote_after.map(|after| after.as_secs()), Some(600));
                VersionState::Canary
            }
        };
        let digest = pushed.wasm.len().to_string();
        Ok(VersionDone {
            pipeline: pipeline.into(),
            stage: stage.into(),
            version: 2,
            digest,
            state,
            deployment: Some(7),
        })
    }

    async fn change(&self, pipeline: &str, stage: &str, change: VersionChange) -> Result<VersionDone, Refused> {
        let (version, state) = match change {
            VersionChange::Rollback => (1, VersionState::Serving),
            VersionChange::Activate { version, activate: Activate::Now } => {
                (version.parse().map_err(|_| Refused::NotFound(version))?, VersionState::Serving)
            }
            VersionChange::Activate { .. } => (3, VersionState::Canary),
        };
        let digest = String::new();
        Ok(VersionDone { pipeline: pipeline.into(), stage: stage.into(), version, digest, state, deployment: None })
    }
}

/// What a sender states of a module.
fn digest(wasm: &[u8]) -> String {
    format!("sha-256=:{}:", BASE64_STANDARD.encode(Sha256::digest(wasm)))
}

async fn push(address: SocketAddr, query: &str, digest: Option<&str>, wasm: &[u8]) -> Response {
    let url = format!("http://{address}/v1/pipelines/p/stages/s/versions{query}");
    let mut request = Client::new().post(url).body(wasm.to_vec()).timeout(PATIENCE);
    if let Some(digest) = digest {
        request = request.header("content-digest", digest);
    }
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_taken_with_its_digest_and_activated_as_asked() {
    let (address, _server) = start(anywhere());
    let wasm = vec![7; 300 << 10];
    for (query, state) in [
        ("", VersionState::Ready),
        ("?activate=no", VersionState::Ready),
        ("?activate=now", VersionState::Serving),
        ("?activate=canary&share=5&promote_after=10m", VersionState::Canary),
    ] {
        let done: VersionDone = push(address, query, Some(&digest(&wasm)), &wasm).await.json().await.unwrap();
        assert_eq!((done.state, &*done.digest, done.version), (state, "307200", 2), "{query}");
    }
    let beside = format!("sha-512=:AAAA:, {}", digest(&wasm));
    assert_eq!(push(address, "", Some(&beside), &wasm).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_is_not_what_it_is_said_to_be_is_refused() {
    let (address, _server) = start(anywhere());
    let refused = async |query: &str, digest: Option<&str>, wasm: &[u8], status| {
        problem(push(address, query, digest, wasm).await, status).await
    };
    let right = digest(b"wasm");
    assert!(refused("", None, b"wasm", 400).await.contains("Content-Digest: sha-256=:BASE64:"));
    for wrong in ["", "sha-256=:AAAA:", "sha-512=:AAAA:", &right.replace(':', ""), &right.replace("sha-256", "SHA-1")] {
        refused("", Some(wrong), b"wasm", 400).await;
    }
    assert!(refused("", Some(&right), b"wasn", 422).await.contains("changed or cut"));
    assert!(refused("", Some(&digest(b"bad")), b"bad", 422).await.contains("component"));
    for (query, word) in [
        ("?activate=later", "later"),
        ("?activate=canary", "share"),
        ("?activate=now&share=5", "share"),
        ("?activate=canary&share=0", "percent"),
        ("?activate=canary&share=5&promote_after=soon", "promote_after"),
        ("?promote_after=10m", "share"),
        ("?version=3", "version"),
        ("?colour=red", "colour"),
    ] {
        let detail = refused(query, Some(&right), b"wasm", 400).await;
        assert!(detail.contains(word), "{query}: {detail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_above_the_bound_is_cut_off_and_others_are_answered_meanwhile() {
    let (address, _server) = start(anywhere());
    let sending = tokio::task::spawn_blocking(move || {
        let head = "POST /v1/pipelines/p/stages/s/versions HTTP/1.1\r\nhost: localhost\r\n\
                    transfer-encoding: chunked\r\ncontent-digest: sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:\r\n\r\n";
        let mut stream = wait(address, head.as_bytes()).unwrap();
        let chunk = [b"100000\r\n".as_slice(), &vec![0; 1 << 20], b"\r\n"].concat();
        let mut sent = 0;
        // Until the server has had enough: it is never read to its end.
        while sent < 256 && stream.write_all(&chunk).is_ok() {
            sent += 1;
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        (sent, String::from_utf8_lossy(&answer).into_owned())
    });
    assert_eq!(ask(address, Method::GET, "/livez", &[]).await.status(), 200);
    let (sent, answer) = sending.await.unwrap();
    assert!(sent < 256, "all of it was read");
    // What was not read may have cut the answer off, too.
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_listed_chosen_and_taken_back() {
    let (address, _server) = start(anywhere());
    let at = |path: &str| format!("/v1/pipelines/p/{path}");
    let list: VersionList = ask(address, Method::GET, &at("versions"), &[]).await.json().await.unwrap();
    assert_eq!(list.stages[0].stage, "all");
    let list: VersionList = ask(address, Method::GET, &at("stages/s/versions"), &[]).await.json().await.unwrap();
    assert_eq!((&*list.stages[0].stage, list.stages[0].versions[0].version), ("s", 1));
    let history: History = ask(address, Method::GET, &at("stages/s/history"), &[]).await.json().await.unwrap();
    assert_eq!(history.entries[0].change, "serving");
    let post = async |path: &str| ask(address, Method::POST, &at(path), &[]).await;
    let done: VersionDone = post("stages/s/activate?version=4").await.json().await.unwrap();
    assert_eq!((done.version, done.state), (4, VersionState::Serving));
    let done: VersionDone = post("stages/s/activate?version=4&share=5").await.json().await.unwrap();
    assert_eq!(done.state, VersionState::Canary);
    let done: VersionDone = post("stages/s/rollback").await.json().await.unwrap();
    assert_eq!((done.version, done.state), (1, VersionState::Serving));
    assert!(problem(post("stages/s/activate").await, 400).await.contains("version=NUMBER"));
    problem(post("stages/s/activate?version=x").await, 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_can_be_switched_off_and_a_web_site_cannot_push() {
    let (address, _server) = start(AdminSettings { push: Push::Off, ..anywhere() });
    assert!(problem(push(address, "", Some(&digest(b"wasm")), b"wasm").await, 403).await.contains("[admin]"));
    let rollback = ask(address, Method::POST, "/v1/pipelines/p/stages/s/rollback", &[]).await;
    assert_eq!(rollback.status(), 200, "versions that are there can still be chosen");
    let (address, _server) = start(anywhere());
    let from = [("origin", "https://attacker.example"), ("content-digest", &*digest(b""))];
    problem(ask(address, Method::POST, "/v1/pipelines/p/stages/s/versions", &from).await, 403).await;
}
