//! The server: who gets a connection, for how long, and where it listens.
//!
//! Everybody who can open a connection can open many and send nothing. So heads must arrive in time, and there is a bound on
//! connections: one more closes the one that has waited longest without a request.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody;
use axum::http::Request;
use axum::response::Response;
use bytes::Bytes;
use gristmill_core::settings::Listen;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::{BoxError, Service};

use super::api::{Api, InUse, Parts, Peer, Shared};
use super::audit::{Audit, AuditError};
use super::routes;
use super::settings::ApiSettings;
use super::tls::{Acceptor, TlsError};

/// How long the head of a request may take to arrive, from the moment on at which the connection waits for one.
const HEAD: Duration = Duration::from_secs(10);
/// The most of a request's head, and of what is read ahead, in bytes for each connection.
const BUFFER: usize = 16 << 10;
/// How many connections there may be: those of 2,000 who follow jobs, and as many others.
const CONNECTIONS: usize = 4_096;
/// How long no connection is accepted after the system had no room for one.
const NO_ROOM: Duration = Duration::from_millis(100);
/// How long requests may take to end when the server stops: longer than the broker's acknowledgement is waited for.
const ENDING: Duration = Duration::from_secs(15);

/// A server that listens, and does not answer yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<Acceptor>>,
    api: Shared,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address cannot be had.
    #[error("the API cannot listen on {address}; choose another address with --api, or stop who has it")]
    Address {
        /// The address.
        address: Listen,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate is no good.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Changes could not be written down.
    #[error(transparent)]
    Audit(#[from] AuditError),
}

impl Server {
    /// Reads the certificate, opens the audit log and takes the address. Whether others may reach it is not judged here.
    ///
    /// # Errors
    /// An address that cannot be had, a certificate or an audit log that cannot be used.
    pub async fn bind(settings: &ApiSettings, parts: Parts) -> Result<Self, BindError> {
        let tls = settings.tls.as_ref().map(Acceptor::of).transpose()?.map(Arc::new);
        let audit = Audit::open(settings.audit.as_deref(), parts.clock)?;
        let wanted = settings.listen;
        let bound = TcpListener::bind(wanted.0).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) = bound.map_err(|source| BindError::Address { address: wanted, source })?;
        Ok(Self { listener, address, tls, api: Arc::new(Api::new(parts, settings, audit)) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Answers until it is stopped. Then requests may end, for at most 15 s, and what they have begun with the broker.
    pub async fn serve(self, stop: CancellationToken) {
        let router = routes::router(&self.api);
        let ending = self.api.stop.clone();
        let mut connections = Connections { tls: self.tls.clone(), ..Connections::default() };
        let renewals = async {
            match &self.tls {
                Some(tls) => tls.keep_up().await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(renewals);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = &mut renewals => {}
                () = connections.ended() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => connections.open(stream, peer, &router, &ending),
                    Err(error) => {
                        // Of a connection that is gone already, or because there is no room for any.
                        tracing::debug!(%error, "the API could not accept a connection");
                        tokio::time::sleep(NO_ROOM).await;
                    }
                },
            }
        }
        drop(self.listener);
        ending.cancel();
        self.api.work.close();
        let ended = timeout(ENDING, async {
            while connections.tasks.join_next().await.is_some() {}
            self.api.work.wait().await;
        });
        if ended.await.is_err() {
            tracing::warn!("requests of the API have not ended within 15 s; their connections are closed");
        }
    }
}

/// All connections, in the order in which they were opened.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    open: VecDeque<Open>,
    tls: Option<Arc<Acceptor>>,
}

struct Open {
    task: AbortHandle,
    /// How often it is in use: once by the connection itself, once more by each request.
    uses: Weak<()>,
}

impl Open {
    fn is_idle(&self) -> bool {
        self.uses.strong_count() <= 1
    }
}

impl Connections {
    /// Serves one more connection, and closes the oldest idle one if there are too many. It is closed itself if all others
    /// are busy.
    fn open(&mut self, stream: TcpStream, peer: SocketAddr, router: &Router, stop: &CancellationToken) {
        if self.open.len() >= CONNECTIONS {
            let Some(idle) = self.open.iter().position(Open::is_idle) else { return };
            if let Some(idle) = self.open.remove(idle) {
                idle.task.abort();
            }
        }
        let uses = Arc::new(());
        let weak = Arc::downgrade(&uses);
        let service = Used { router: router.clone(), uses, peer: Peer(peer) };
        let (tls, stop) = (self.tls.clone(), stop.clone());
        let task = self.tasks.spawn(async move {
            // Answers are written whole: waiting for more only delays them.
            let _ = stream.set_nodelay(true);
            match tls {
                None => serve(stream, service, stop).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => serve(stream, service, stop).await,
                    Err(error) => tracing::debug!(%error, "a connection to the API is not used"),
                },
            }
        });
        self.open.push_back(Open { task, uses: weak });
    }

    /// Waits until a connection ends, forever if there is none. Cancel-safe.
    async fn ended(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(ended) => {
                let id = match ended {
                    Ok((id, ())) => id,
                    Err(error) => error.id(),
                };
                self.open.retain(|open| open.task.id() != id);
            }
            None => std::future::pending().await,
        }
    }
}

/// Answers the requests of a connection until it ends, or is stopped.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, paths: Used, stop: CancellationToken) {
    let mut server = Builder::new(TokioExecutor::new()).http1_only();
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(BUFFER);
    let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(paths));
    tokio::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the API broke");
    }
}

/// The paths on one connection, which is in use as long as a request is answered.
#[derive(Clone)]
struct Used {
    router: Router,
    uses: Arc<()>,
    peer: Peer,
}

impl<B> Service<Request<B>> for Used
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let in_use = InUse(Arc::clone(&self.uses));
        request.extensions_mut().insert(in_use.clone());
        request.extensions_mut().insert(self.peer);
        let answer = self.router.call(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(in_use);
            answer
        })
    }
}
