//! Servers, names that lead to them, and the calls of a stage.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use gristmill_core::model::{EventId, HttpFailure, HttpRequest, JobId, Partition, Position, TraceContext};
use gristmill_core::ports::{Answered, Caller, Edition, Outbound, OutboundError, Store};
use gristmill_outbound::{BadGrant, Calls, Lookup, Parts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Names, and where they lead the first time, the second time … and from the last time on.
#[derive(Default)]
pub(crate) struct Names(Mutex<HashMap<String, Vec<Vec<IpAddr>>>>);

impl Names {
    pub(crate) fn of(names: &[(&str, &[&[&str]])]) -> Arc<dyn Lookup> {
        let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let names = names.iter().map(|(name, times)| ((*name).to_owned(), times.iter().map(|t| parse(t)).collect()));
        Arc::new(Self(Mutex::new(names.collect())))
    }
}

#[async_trait]
impl Lookup for Names {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let mut names = self.0.lock().unwrap();
        let times = names.get_mut(name).ok_or_else(|| io::Error::other("unknown"))?;
        Ok(if times.len() > 1 { times.remove(0) } else { times[0].clone() })
    }
}

/// "here.example" leads to this machine.
pub(crate) fn here() -> Arc<dyn Lookup> {
    Names::of(&[("here.example", &[&["127.0.0.1"]]), ("other.example", &[&["127.0.0.1"]])])
}

/// The calls of a grant that may reach this machine.
pub(crate) fn calls(grant: &str) -> Calls {
    calls_with(&format!("{grant}\nallow_private = [\"127.0.0.0/8\"]"), here(), None).unwrap()
}

pub(crate) fn calls_with(
    grant: &str,
    lookup: Arc<dyn Lookup>,
    store: Option<Arc<dyn Store>>,
) -> Result<Calls, BadGrant> {
    Calls::new(&toml::from_str(grant).unwrap(), Parts { lookup, store })
}

pub(crate) fn caller() -> Caller {
    caller_of(1)
}

pub(crate) fn caller_of(position: u128) -> Caller {
    let partition = Partition { topic: "in".into(), index: 0 };
    let job = JobId::new("p", &EventId { partition, position: Position(position) });
    let trace = TraceContext::of_job(&job);
    Caller { job, stage: "s".into(), item: "i".into(), repeat: 0, edition: Edition::default(), trace }
}

pub(crate) fn request(method: &str, url: &str) -> HttpRequest {
    HttpRequest {
        method: method.into(),
        url: url.into(),
        headers: Vec::new(),
        body: Vec::new().into(),
        idempotency_key: None,
        timeout: None,
    }
}

/// What came back, without the judgement.
pub(crate) async fn call(calls: &Calls, request: &HttpRequest) -> Result<Answered, HttpFailure> {
    calls.call(&caller(), request).await.map_err(|error| match error {
        OutboundError::Http { failure, .. } => failure,
        OutboundError::Store(error) => panic!("{error}"),
    })
}

/// The words of a denial.
pub(crate) async fn denied(calls: &Calls, request: &HttpRequest) -> String {
    match call(calls, request).await {
        Err(HttpFailure::Denied(reason)) => reason,
        other => panic!("not denied: {other:?} for {request:?}"),
    }
}

pub(crate) async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Counts connections, and closes them. `None` if there is no such address here.
pub(crate) async fn canary(address: &str) -> Option<(SocketAddr, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind(address).await.ok()?;
    let address = listener.local_addr().ok()?;
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    Some((address, heard))
}

/// A server that answers in its own way, and what it was sent up to the end of the head.
pub(crate) async fn raw<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> (SocketAddr, Arc<Mutex<Vec<String>>>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&heads);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => break,
                }
            }
            heard.lock().unwrap().push(String::from_utf8_lossy(&head).into_owned());
            tokio::spawn(answer(stream));
        }
    });
    (address, heads)
}

/// Answers with these bytes, and closes.
pub(crate) async fn says(bytes: &'static [u8]) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    raw(move |mut stream| async move {
        let _ = stream.write_all(bytes).await;
    })
    .await
}
