//! Names that try to be something else: paths, headers, other files.

use std::path::{Path, PathBuf};

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::path_of;
use crate::harness::{Harness, Host, PASS, Setup};

/// Names of files as an attacker writes them.
const NAMES: [&str; 14] = [
    "../../../../etc/passwd",
    "..\\..\\windows\\system32",
    "/etc/passwd",
    "C:\\boot.ini",
    "....//....//etc/passwd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..%c0%af..%c0%afetc",
    "archive.zip/../../evil",
    "archive.zip!/inner.zip!/../evil",
    "a.zip.zip.zip",
    ".",
    "..",
    "file:///etc/passwd",
    "~/.ssh/authorized_keys",
];

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Posts a form with one file of this name, whatever is in it.
async fn post_file(host: &Host, pipeline: &str, name: &str, content: &[u8]) -> crate::client::Answer {
    let mut body = Vec::new();
    body.extend(b"--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"");
    body.extend(name.as_bytes());
    body.extend(b"\"\r\ncontent-type: application/zip\r\n\r\n");
    body.extend(content);
    body.extend(b"\r\n--b--\r\n");
    let path = format!("/v1/pipelines/{pipeline}/jobs");
    host.client.post(&path, "multipart/form-data; boundary=b", body).await
}

/// A ZIP archive (stored, one entry) with this name in it, which nobody is to unpack on the way.
fn archive(name: &str) -> Vec<u8> {
    let length = u16::try_from(name.len()).unwrap().to_le_bytes();
    let mut zip = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    zip.extend(length);
    zip.extend([0, 0]);
    zip.extend(name.as_bytes());
    zip
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_a_file_is_never_a_path() {
    let harness = Harness::new(Setup::embedded(PASS)).await;
    let host = harness.start().await;
    for name in NAMES {
        // Large enough to be stored as an object.
        let mut content = archive(&format!("{name}/{name}"));
        content.resize(3 << 20, 0);
        let answer = post_file(&host, &harness.name, name, &content).await;
        if answer.status.as_u16() == 400 {
            continue;
        }
        let job = answer.is(202).json()["job_id"].as_str().unwrap().to_owned();
        let over = host.client.until_over(&job).await;
        assert_eq!(over["status"], "completed", "{name}: {over:#}");
        let result = host.client.get(&format!("{}/result/1", path_of(&job))).await.is(200);
        assert!(result.body == content, "{name}: the archive comes out as it went in");
    }
    let mut found = Vec::new();
    files(harness.folder(), &mut found);
    let objects = harness.folder().join("objects");
    assert!(found.iter().any(|file| file.starts_with(&objects)), "nothing was stored: {found:?}");
    for file in &found {
        let text = file.strip_prefix(harness.folder()).unwrap().to_string_lossy().into_owned();
        let stranger =
            ["passwd", "evil", "zip", "system32", "boot", "keys", "%2e", "~"].iter().find(|part| text.contains(**part));
        assert_eq!(stranger, None, "{text}");
        let is_ours = ["objects", "state", "start-", "gristmill.toml", "pipeline.toml"];
        assert!(is_ours.iter().any(|start| text.starts_with(start)), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_in_a_request_is_never_a_file() {
    let harness = Harness::new(Setup::embedded(PASS)).await;
    let host = harness.start().await;
    for name in NAMES {
        let name: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for path in [format!("/v1/jobs/{name}"), format!("/v1/jobs/{name}/result/1"), format!("/v1/batches/{name}")] {
            host.client.get(&path).await.is(404);
        }
        let answer = host.client.post(&format!("/v1/pipelines/{name}/jobs"), "text/plain", "x").await;
        // `..` leads one level up already in the client: to a path that takes no POST.
        assert!([404, 405].contains(&answer.status.as_u16()), "{answer:?}");
    }
}

/// Sends bytes and reads the answer to its end.
async fn raw(host: &Host, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(host.client.base().trim_start_matches("http://")).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_client_writes_becomes_a_header() {
    let harness = Harness::new(Setup::embedded(PASS)).await;
    let host = harness.start().await;
    let jobs = format!("/v1/pipelines/{}/jobs", harness.name);
    let injected = "%0d%0ax-injected:%20yes";
    let post = |path: &str, headers: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: text/plain\r\n{headers}content-length: 1\r\n\r\nx"
        )
    };
    let mut requests: Vec<Vec<u8>> = Vec::new();
    for parameter in ["key", "webhook", "ack", "wait", "unknown"] {
        requests.push(post(&format!("{jobs}?{parameter}=a{injected}"), "").into());
    }
    for value in ["a\rx-injected: yes", "a\nx-injected: yes", "a\0b", "a\r\n x-injected: yes"] {
        for name in ["gristmill-attribute-title", "idempotency-key", "traceparent"] {
            requests.push(post(&jobs, &format!("{name}: {value}\r\n")).into());
        }
    }
    for name in [
        "gristmill-attribute-a\rx-injected",
        "gristmill-attribute-",
        "gristmill-attribute-sys.tenant",
        "gristmill-attribute-a b",
    ] {
        requests.push(post(&jobs, &format!("{name}: yes\r\n")).into());
    }
    requests.push(format!("GET /v1/jobs/x{injected} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").into());
    requests.push(format!("GET /{injected} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").into());
    requests.push(b"GET /livez HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\n".to_vec());
    for request in &requests {
        let shown = String::from_utf8_lossy(request);
        let answer = raw(&host, request).await;
        let head = answer.split("\r\n\r\n").next().unwrap_or_default().to_ascii_lowercase();
        assert!(!head.contains("\r\nx-injected"), "{shown}\n{answer}");
        assert!(!answer.starts_with("HTTP/1.1 5"), "{shown}\n{answer}");
    }
    for name in ["a\r\nx-injected: yes", "a\" ; x=\"b", "a\nb", "a\u{0}b"] {
        let answer = post_file(&host, &harness.name, name, b"x").await;
        assert!(!answer.headers.contains_key("x-injected") && !answer.status.is_server_error(), "{answer:?}");
        let Some(job) = answer.status.is_success().then(|| answer.json()["job_id"].as_str().unwrap().to_owned()) else {
            continue;
        };
        host.client.until_over(&job).await;
        let result = host.client.get(&format!("{}/result/1", path_of(&job))).await.is(200);
        assert!(!result.headers.contains_key("x-injected"), "{result:?}");
    }
    // And the host is well.
    let request = host.client.request(Method::POST, &jobs).header(CONTENT_TYPE, "text/plain").body("x");
    host.client.send(request).await.is(202);
}
