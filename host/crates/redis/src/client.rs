//! Connections to a server or a cluster, which are made again when they are lost.

use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{
    AsyncConnectionConfig, ClientTlsConfig, Cmd, ConnectionInfo, ErrorKind, IntoConnectionInfo, Pipeline,
    RedisConnectionInfo, RedisError, RedisFuture, RedisResult, TlsCertificates, Value,
};
use secrecy::ExposeSecret;

use super::fault::is_unreachable;
use super::settings::{Settings, SettingsError};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a node of a cluster may take to say why it does not serve us.
const REASON: Duration = Duration::from_secs(2);
/// How long an answer may take, beside what the command itself waits.
const ANSWER: Duration = Duration::from_secs(30);
/// When a connection is silent for this long, it is looked whether the other side is still there.
const SILENCE: Duration = Duration::from_secs(15);

/// How to connect.
#[derive(Clone)]
pub(super) enum Client {
    Server(Box<redis::Client>),
    Cluster(Box<ClusterConfig>),
}

/// What the builder of a cluster's client is made of: it differs by how long a command may wait.
#[derive(Clone)]
pub(super) struct ClusterConfig {
    nodes: Vec<ConnectionInfo>,
    username: Option<String>,
    password: Option<secrecy::SecretString>,
}

/// A connection. Clones share it. Commands that wait hold up those behind them, so they have one of their own.
#[derive(Clone)]
pub(super) enum Link {
    Server(ConnectionManager),
    Cluster(ClusterConnection),
}

impl Client {
    /// Contacts nothing yet.
    pub(super) fn of(settings: &Settings) -> Result<Self, SettingsError> {
        let refused = |error: RedisError| SettingsError::Client(error.to_string());
        let mut nodes = Vec::new();
        for url in settings.addresses.urls() {
            nodes.push(server(&url, settings).map_err(refused)?);
        }
        if settings.addresses.are_cluster() {
            let (username, password) = (settings.username.clone(), settings.password.clone());
            return Ok(Self::Cluster(Box::new(ClusterConfig { nodes, username, password })));
        }
        let Some(node) = nodes.pop() else {
            return Err(SettingsError::Client("there is no address".to_owned()));
        };
        let client = match &settings.certificates {
            None => redis::Client::open(node),
            Some(certificates) => {
                let client_tls = certificates.client.clone();
                let client_tls =
                    client_tls.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
                let root_cert = certificates.ca.clone();
                redis::Client::build_with_tls(node, TlsCertificates { client_tls, root_cert })
            }
        };
        Ok(Self::Server(Box::new(client.map_err(refused)?)))
    }

    /// A connection for commands that wait at most this long by themselves. It is made with the first command, in the
    /// background of the current runtime.
    pub(super) fn connect(&self, waits: Duration) -> RedisResult<Link> {
        match self {
            Self::Server(client) => {
                let config = ConnectionManagerConfig::new()
                    .set_connection_timeout(Some(CONNECT))
                    .set_response_timeout(Some(ANSWER + waits))
                    // Who uses it tries again, and says so.
                    .set_number_of_retries(0);
                ConnectionManager::new_lazy_with_config((**client).clone(), config).map(Link::Server)
            }
            Self::Cluster(config) => {
                let client = config.build(ANSWER + waits)?;
                Ok(Link::Cluster(client.get_pending_async_connection_with_config(Default::default())))
            }
        }
    }

    /// The reason of an error. If no node of a cluster serves it, the client says only that, so the nodes are asked.
    pub(super) async fn reason(&self, error: RedisError) -> RedisError {
        match self {
            Self::Cluster(config) if error.kind() == ErrorKind::ClusterConnectionNotFound => {
                config.refusal().await.unwrap_or(error)
            }
            Self::Server(_) | Self::Cluster(_) => error,
        }
    }
}

impl ClusterConfig {
    fn build(&self, answer: Duration) -> RedisResult<ClusterClient> {
        let mut builder = ClusterClientBuilder::new(self.nodes.clone())
            .tcp_settings(tcp())
            .connection_timeout(CONNECT)
            .response_timeout(answer)
            .retries(3);
        if let Some(username) = &self.username {
            builder = builder.username(username);
        }
        if let Some(password) = &self.password {
            builder = builder.password(password.expose_secret());
        }
        builder.build()
    }

    /// What a node says to who asks for the other nodes; that one cannot be reached only if none says anything else.
    async fn refusal(&self) -> Option<RedisError> {
        let mut last = None;
        for node in &self.nodes {
            match slots(node.clone()).await {
                Ok(()) => {}
                Err(error) if is_unreachable(&error) => last = Some(error),
                Err(error) => return Some(error),
            }
        }
        last
    }
}

/// Asks one node for the slots of all.
async fn slots(node: ConnectionInfo) -> RedisResult<()> {
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(REASON)).set_response_timeout(Some(REASON));
    let mut connection = redis::Client::open(node)?.get_multiplexed_async_connection_with_config(&config).await?;
    redis::cmd("CLUSTER").arg("SLOTS").exec_async(&mut connection).await
}

fn server(url: &str, settings: &Settings) -> RedisResult<ConnectionInfo> {
    let info = url.into_connection_info()?.set_tcp_settings(tcp());
    let mut redis = RedisConnectionInfo::default().set_db(info.redis_settings().db()).set_skip_set_lib_name();
    if let Some(username) = &settings.username {
        redis = redis.set_username(username);
    }
    if let Some(password) = &settings.password {
        redis = redis.set_password(password.expose_secret());
    }
    Ok(info.set_redis_settings(redis))
}

/// A machine that lost its power closes no connection: it is noticed by its silence.
fn tcp() -> TcpSettings {
    let keepalive = TcpKeepalive::new().with_time(SILENCE).with_interval(SILENCE / 3);
    TcpSettings::default().set_nodelay(true).set_keepalive(keepalive).set_user_timeout(SILENCE * 2)
}

impl ConnectionLike for Link {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}
