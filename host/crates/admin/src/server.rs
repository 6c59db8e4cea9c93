//! The server: who gets a connection, for how long, and where it listens.
//!
//! Everybody who can open a connection can open many and send nothing. So headers and bodies must arrive in time, and there
//! is a bound on connections: one more closes the one that has waited longest without a request. Whoever really asks is
//! answered, however many others only wait.

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
use gristmill_core::settings::{Listen, SecretError};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tower::{BoxError, Service};

use super::access::Access;
use super::control::Control;
use super::pushes;
use super::routes::{self, InUse};
use super::settings::{AdminSettings, DEFAULT, Push};
use super::versions::Versions;

/// How long the headers of a request may take to arrive, from the moment on at which the connection waits for one.
const HEADERS: Duration = Duration::from_secs(10);
/// The most of a request's head, and of what is read ahead, in bytes for each connection.
const BUFFER: usize = 16 << 10;
/// How many connections there may be. Well below the usual limit of 1,024 files for each process.
const CONNECTIONS: usize = 512;
/// How long no connection is accepted after the system had no room for one.
const NO_ROOM: Duration = Duration::from_millis(100);

/// A server that listens, and does not answer yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    access: Access,
    push: Push,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Other machines could ask, and nothing keeps them out.
    #[error(
        "the admin server would listen on {0}, which other machines can reach, without a token: set `token` under [admin] \
         of the host file, or listen on 127.0.0.1"
    )]
    Open(Listen),
    /// The token cannot be read.
    #[error("the token of the admin server cannot be read")]
    Token(#[source] SecretError),
    /// The address cannot be had.
    #[error("the admin server cannot listen on {address}; choose another address, or switch it off with --admin off")]
    Address {
        /// The address.
        address: Listen,
        /// Why.
        source: std::io::Error,
    },
}

impl Server {
    /// Takes the address. If nobody has configured one and the default is taken, takes a free port.
    ///
    /// # Errors
    /// An address that is open to others without a token, or that cannot be had; a token that cannot be read.
    pub async fn bind(settings: &AdminSettings) -> Result<Self, BindError> {
        let wanted = settings.listen.unwrap_or(DEFAULT);
        let access = match &settings.token {
            Some(token) => Access::Token(token.read().map_err(BindError::Token)?),
            None if wanted.0.ip().is_loopback() => Access::Local,
            None => return Err(BindError::Open(wanted)),
        };
        let listener = match TcpListener::bind(wanted.0).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && settings.listen.is_none() => {
                tracing::warn!("the admin server cannot have {wanted}, which is taken; it takes a free port");
                TcpListener::bind(SocketAddr::new(wanted.0.ip(), 0)).await
            }
            bound => bound,
        };
        let bound = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) = bound.map_err(|source| BindError::Address { address: wanted, source })?;
        Ok(Self { listener, address, access, push: settings.push })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until it is stopped. Then all connections are closed.
    pub async fn serve<H: Control + Versions>(self, host: Arc<H>, stop: CancellationToken) {
        let versions = pushes::Shared::new(Arc::<H>::clone(&host), self.push);
        let router = routes::router(host, versions, self.access);
        let mut connections = Connections::default();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = connections.ended() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => connections.open(stream, &router),
                    Err(error) => {
                        // Of a connection that is gone already, or because there is no room for any.
                        tracing::debug!(%error, "the admin server could not accept a connection");
                        tokio::time::sleep(NO_ROOM).await;
                    }
                },
            }
        }
    }
}

/// All connections, in the order in which they were opened.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    open: VecDeque<Open>,
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
    fn open(&mut self, stream: TcpStream, router: &Router) {
        if self.open.len() >= CONNECTIONS {
            let Some(idle) = self.open.iter().position(Open::is_idle) else { return };
            if let Some(idle) = self.open.remove(idle) {
                idle.task.abort();
            }
        }
        let uses = Arc::new(());
        let weak = Arc::downgrade(&uses);
        let service = TowerToHyperService::new(Used { router: router.clone(), uses });
        let task = self.tasks.spawn(async move {
            let mut server = Builder::new(TokioExecutor::new()).http1_only();
            server.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(BUFFER);
            if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "a connection to the admin server broke");
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

/// The paths on one connection, which is in use as long as a request is answered.
#[derive(Clone)]
struct Used {
    router: Router,
    uses: Arc<()>,
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
        let answer = self.router.call(request);
        Box::pin(async move {
            let answer = answer.await;
            drop(in_use);
            answer
        })
    }
}
