//! A connection that is opened when it is needed, and again after it was lost.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, Pipeline, RedisError, TlsCertificates, Value};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;

use super::failure::{failure, failure_to_connect};
use super::scripts::Scripts;
use super::server;
use crate::health::Failure;
use crate::settings::ServerSettings;
use crate::url::RedisUrl;
use gristmill_core::settings::{ByteSize, read_file};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(20);
/// More certificates than that mean a wrong path.
const LARGEST_CA: ByteSize = ByteSize::mib(1);

/// What a client reaches the server with.
///
/// # Errors
/// The address or the certificates cannot be used.
pub(super) fn client(url: &RedisUrl, settings: &ServerSettings) -> Result<Client, String> {
    let unusable = |error: RedisError| format!("store.url cannot be used ({error})");
    let mut info = url.connection().map_err(unusable)?;
    if let Some(password) = &settings.password {
        let with = info.redis_settings().clone().set_password(password.expose_secret());
        info = info.set_redis_settings(with);
    }
    let Some(ca) = &settings.ca else { return Client::open(info).map_err(unusable) };
    let unusable = |reason: String| format!("the certificates in {} cannot be used: {reason}", ca.display());
    let pem = read_file(ca, LARGEST_CA).map_err(|error| unusable(error.to_string()))?;
    let certificates = TlsCertificates { client_tls: None, root_cert: Some(pem) };
    Client::build_with_tls(info, certificates).map_err(|error| unusable(error.to_string()))
}

/// A connection, shared by many calls at once.
pub(super) struct Link {
    client: Client,
    scripts: Scripts,
    /// Locked while it is opened, so that one call does that for all.
    current: Mutex<Option<MultiplexedConnection>>,
}

impl Link {
    pub(super) fn new(client: Client) -> Self {
        Self { client, scripts: Scripts::new(), current: Mutex::new(None) }
    }

    pub(super) fn scripts(&self) -> &Scripts {
        &self.scripts
    }

    /// Opens the connection if there is none. Returns what the operator should know about the server.
    ///
    /// # Errors
    /// It cannot be opened, or the server will not do.
    pub(super) async fn open(&self) -> Result<Vec<&'static str>, Failure> {
        let mut connection = self.connection().await?;
        server::check(&mut connection).await
    }

    /// What a command returns. Cancel-safe.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Failure> {
        let mut connection = self.connection().await?;
        match command.query_async(&mut connection).await {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.failed(failure(&error)).await),
        }
    }

    /// What each command returns. Some may have been done although another failed.
    pub(super) async fn ask_all(&self, commands: &mut Pipeline) -> Result<Vec<Value>, Failure> {
        let mut connection = self.connection().await?;
        let answered: Result<Vec<Result<Value, RedisError>>, RedisError> =
            commands.ignore_errors().query_async(&mut connection).await;
        let answered = answered.and_then(|answers| answers.into_iter().collect());
        match answered {
            Ok(answers) => Ok(answers),
            Err(error) => Err(self.failed(failure(&error)).await),
        }
    }

    /// Another server may be at the address by now, so what fails is opened again.
    async fn failed(&self, failure: Failure) -> Failure {
        *self.current.lock().await = None;
        failure
    }

    async fn connection(&self) -> Result<MultiplexedConnection, Failure> {
        let mut current = self.current.lock().await;
        if let Some(connection) = &*current {
            return Ok(connection.clone());
        }
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(ANSWER));
        let opened = self.client.get_multiplexed_async_connection_with_config(&config).await;
        let mut connection = opened.map_err(|error| failure_to_connect(&error))?;
        // Each time: it may be another server, or it may have been changed.
        server::check(&mut connection).await?;
        for script in self.scripts.all() {
            script.load_async(&mut connection).await.map_err(|error| failure(&error))?;
        }
        Ok(current.insert(connection).clone())
    }
}
