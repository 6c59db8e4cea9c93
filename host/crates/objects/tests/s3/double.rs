//! A server that speaks like S3 as far as we ask.
#![allow(dead_code, reason = "not every test asks for all")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::signature;

pub(crate) const KEY: &str = "AKTEST";
pub(crate) const SECRET: &str = "a secret of the bucket";
/// No request has more.
const MOST: usize = 64 << 20;

/// How a request goes wrong.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    Status(u16),
    Redirect(String),
    /// The answer ends in the middle.
    BreakOff,
}

/// Content as it is kept. Zeros take no room, so that a test of large objects sees its own memory.
#[derive(Debug, Clone)]
enum Content {
    Zeros(u64),
    Bytes(Bytes),
}

#[derive(Debug, Clone)]
struct Kept {
    content: Vec<Content>,
    /// In milliseconds.
    modified: i64,
}

#[derive(Debug)]
struct Upload {
    key: String,
    begun: i64,
    parts: BTreeMap<u32, Content>,
}

#[derive(Debug, Default)]
struct Shelf {
    objects: BTreeMap<String, Kept>,
    uploads: BTreeMap<String, Upload>,
    requests: Vec<String>,
    refused: usize,
    faults: BTreeMap<&'static str, (Fault, bool)>,
    last: u32,
}

/// The server. It stops when it is dropped.
pub(crate) struct Double {
    shelf: Arc<Mutex<Shelf>>,
    url: String,
    served: JoinHandle<()>,
}

impl Drop for Double {
    fn drop(&mut self) {
        self.served.abort();
    }
}

impl Double {
    pub(crate) async fn start() -> Self {
        let shelf = Arc::<Mutex<Shelf>>::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shelf));
        let served = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { shelf, url, served }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.shelf().objects.keys().cloned().collect()
    }

    /// The keys of uploads that have not ended.
    pub(crate) fn uploads(&self) -> Vec<String> {
        self.shelf().uploads.values().map(|upload| upload.key.clone()).collect()
    }

    /// How many requests with this method were signed well.
    pub(crate) fn requests(&self, method: &str) -> usize {
        self.shelf().requests.iter().filter(|seen| *seen == method).count()
    }

    /// How many were not.
    pub(crate) fn refused(&self) -> usize {
        self.shelf().refused
    }

    /// All requests with this method go wrong from now on.
    pub(crate) fn fail(&self, method: &'static str, fault: Fault) {
        self.shelf().faults.insert(method, (fault, false));
    }

    /// The next one does.
    pub(crate) fn fail_once(&self, method: &'static str, fault: Fault) {
        self.shelf().faults.insert(method, (fault, true));
    }

    pub(crate) fn mend(&self) {
        self.shelf().faults.clear();
    }

    pub(crate) fn replace(&self, key: &str, bytes: &'static [u8]) {
        self.shelf().objects.get_mut(key).unwrap().content = vec![Content::Bytes(Bytes::from_static(bytes))];
    }

    pub(crate) fn remove(&self, key: &str) {
        self.shelf().objects.remove(key).unwrap();
    }

    pub(crate) fn put_foreign(&self, key: &str) {
        self.shelf().objects.insert(key.to_owned(), Kept { content: Vec::new(), modified: 0 });
    }

    /// These objects were written at this time.
    pub(crate) fn age(&self, keys: &[&str], modified: i64) {
        for key in keys {
            self.shelf().objects.get_mut(*key).unwrap().modified = modified;
        }
    }

    /// All uploads were begun at this time.
    pub(crate) fn age_uploads(&self, begun: i64) {
        self.shelf().uploads.values_mut().for_each(|upload| upload.begun = begun);
    }
}

fn now() -> i64 {
    i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

fn content(body: Bytes) -> Content {
    match body.iter().all(|byte| *byte == 0) {
        true => Content::Zeros(body.len() as u64),
        false => Content::Bytes(body),
    }
}

fn size(content: &[Content]) -> u64 {
    let size = |part: &Content| match part {
        Content::Zeros(size) => *size,
        Content::Bytes(bytes) => bytes.len() as u64,
    };
    content.iter().map(size).sum()
}

fn chunks(content: Vec<Content>) -> impl Iterator<Item = Bytes> + Send {
    const CHUNK: u64 = 64 << 10;
    static ZEROS: [u8; CHUNK as usize] = [0; CHUNK as usize];
    content.into_iter().flat_map(|part| -> Box<dyn Iterator<Item = Bytes> + Send> {
        match part {
            Content::Bytes(bytes) => Box::new(std::iter::once(bytes)),
            Content::Zeros(size) => Box::new((0..size.div_ceil(CHUNK)).map(move |number| {
                let length = CHUNK.min(size - number * CHUNK);
                Bytes::from_static(&ZEROS[..usize::try_from(length).unwrap()])
            })),
        }
    })
}

fn plain(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    Response::builder().status(status).body(body.into()).unwrap()
}

fn error(status: StatusCode, code: &str) -> Response<Body> {
    plain(status, format!("<Error><Code>{code}</Code></Error>"))
}

async fn answer(State(shelf): State<Arc<Mutex<Shelf>>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST).await else { return error(StatusCode::BAD_REQUEST, "IncompleteBody") };
    let mut shelf = shelf.lock().unwrap();
    if !signature::is_good(&head, &body, KEY, SECRET) {
        shelf.refused += 1;
        return error(StatusCode::FORBIDDEN, "SignatureDoesNotMatch");
    }
    let method = head.method.as_str().to_owned();
    shelf.requests.push(method.clone());
    let fault = shelf.faults.get(method.as_str()).cloned();
    if let Some((fault, once)) = fault {
        if once {
            shelf.faults.remove(method.as_str());
        }
        match fault {
            Fault::Status(status) => return error(StatusCode::from_u16(status).unwrap(), "SlowDown"),
            Fault::Redirect(to) => {
                return Response::builder()
                    .status(307)
                    .header("location", format!("{to}{}", head.uri))
                    .body(Body::empty())
                    .unwrap();
            }
            Fault::BreakOff => {
                let key = head.uri.path().trim_start_matches("/bucket/");
                let begin = Bytes::from_static(b"only the beginning");
                let broken = stream::iter([Ok(begin), Err(std::io::Error::other("told to break off"))]);
                let object = Response::builder().header("content-length", size(&shelf.objects[key].content));
                return dated(object, shelf.objects[key].modified).body(Body::from_stream(broken)).unwrap();
            }
        }
    }
    let query: BTreeMap<String, String> = head.uri.query().unwrap_or("").split('&').map(pair).collect();
    let path = decoded(head.uri.path());
    let Some(key) = path.strip_prefix("/bucket").map(|key| key.trim_start_matches('/').to_owned()) else {
        return error(StatusCode::NOT_FOUND, "NoSuchBucket");
    };
    handle(&mut shelf, &method, key, &query, body)
}

fn handle(
    shelf: &mut Shelf,
    method: &str,
    key: String,
    query: &BTreeMap<String, String>,
    body: Bytes,
) -> Response<Body> {
    let upload = query.get("uploadId");
    match (method, upload) {
        ("PUT", None) => {
            shelf.objects.insert(key, Kept { content: vec![content(body)], modified: now() });
            tagged("whole")
        }
        ("PUT", Some(id)) => {
            let Some(upload) = shelf.uploads.get_mut(id) else { return error(StatusCode::NOT_FOUND, "NoSuchUpload") };
            upload.parts.insert(query["partNumber"].parse().unwrap(), content(body));
            tagged(&format!("part-{}", query["partNumber"]))
        }
        ("POST", None) if query.contains_key("uploads") => {
            shelf.last += 1;
            let id = format!("upload-{}", shelf.last);
            shelf.uploads.insert(id.clone(), Upload { key: key.clone(), begun: now(), parts: BTreeMap::new() });
            let xml = format!(
                "<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>{key}</Key><UploadId>{id}</UploadId>\
                 </InitiateMultipartUploadResult>"
            );
            plain(StatusCode::OK, xml)
        }
        ("POST", Some(id)) => {
            let Some(upload) = shelf.uploads.remove(id) else { return error(StatusCode::NOT_FOUND, "NoSuchUpload") };
            let small = |part: &Content| size(std::slice::from_ref(part)) < 5 << 20;
            let parts: Vec<Content> = upload.parts.into_values().collect();
            if parts.iter().rev().skip(1).any(small) {
                return error(StatusCode::BAD_REQUEST, "EntityTooSmall");
            }
            shelf.objects.insert(key.clone(), Kept { content: parts, modified: now() });
            let xml = format!(
                "<CompleteMultipartUploadResult><Bucket>bucket</Bucket><Key>{key}</Key><ETag>\"all\"</ETag>\
                 </CompleteMultipartUploadResult>"
            );
            plain(StatusCode::OK, xml)
        }
        ("DELETE", Some(id)) => match shelf.uploads.remove(id) {
            Some(_) => plain(StatusCode::NO_CONTENT, Body::empty()),
            None => error(StatusCode::NOT_FOUND, "NoSuchUpload"),
        },
        ("DELETE", None) => {
            shelf.objects.remove(&key);
            plain(StatusCode::NO_CONTENT, Body::empty())
        }
        ("GET", _) if query.contains_key("uploads") => {
            let mut xml = "<ListMultipartUploadsResult>".to_owned();
            for (id, upload) in shelf.uploads.iter().filter(|(_, upload)| upload.key.starts_with(&query["prefix"])) {
                let begun = rfc3339(upload.begun);
                xml += &format!(
                    "<Upload><Key>{}</Key><UploadId>{id}</UploadId><Initiated>{begun}</Initiated></Upload>",
                    upload.key
                );
            }
            plain(StatusCode::OK, xml + "</ListMultipartUploadsResult>")
        }
        ("GET", _) if key.is_empty() => {
            let prefix = query.get("prefix").cloned().unwrap_or_default();
            let mut xml = "<ListBucketResult>".to_owned();
            for (key, kept) in shelf.objects.iter().filter(|(key, _)| key.starts_with(&prefix)) {
                xml += &format!(
                    "<Contents><Key>{key}</Key><Size>{}</Size><LastModified>{}</LastModified><ETag>\"x\"</ETag></Contents>",
                    size(&kept.content),
                    rfc3339(kept.modified)
                );
            }
            plain(StatusCode::OK, xml + "</ListBucketResult>")
        }
        ("GET", _) => match shelf.objects.get(&key).cloned() {
            Some(kept) => {
                let response =
                    Response::builder().header("content-length", size(&kept.content)).header("etag", "\"x\"");
                let body = stream::iter(chunks(kept.content)).map(Ok::<_, std::io::Error>);
                dated(response, kept.modified).body(Body::from_stream(body)).unwrap()
            }
            None => error(StatusCode::NOT_FOUND, "NoSuchKey"),
        },
        _ => error(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
    }
}

fn tagged(tag: &str) -> Response<Body> {
    Response::builder().header("etag", format!("\"{tag}\"")).body(Body::empty()).unwrap()
}

fn dated(response: axum::http::response::Builder, modified: i64) -> axum::http::response::Builder {
    let time = chrono::DateTime::from_timestamp_millis(modified).unwrap();
    response.header("last-modified", time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()).header("etag", "\"x\"")
}

fn rfc3339(milliseconds: i64) -> String {
    chrono::DateTime::from_timestamp_millis(milliseconds).unwrap().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (decoded(name), decoded(value))
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or("").as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).unwrap()
}
