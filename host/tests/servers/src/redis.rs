//! Redis with an append-only file that is synced before each answer.

use std::process::Command;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::given;
use crate::process::{Process, free_port};

const GIVEN: &str = "GRISTMILL_TEST_REDIS";
const INSTALL: &str = "apt-get install -y redis-server";

/// A Redis server.
pub struct Redis {
    url: String,
    /// `None` if the caller has named the server.
    process: Option<Process>,
    arguments: Vec<String>,
}

impl Redis {
    /// The server in `GRISTMILL_TEST_REDIS`, else one of its own. Returns when it answers.
    ///
    /// # Panics
    /// If `redis-server` is not installed or does not start.
    pub async fn start() -> Self {
        match given::server(GIVEN) {
            Some(url) => Self { url, process: None, arguments: Vec::new() },
            None => Self::started(&[]).await,
        }
    }

    /// A server of its own, which can be killed; `None` if `GRISTMILL_TEST_REDIS` names another one.
    ///
    /// # Panics
    /// If `redis-server` is not installed or does not start.
    pub async fn own() -> Option<Self> {
        Self::own_with(&[]).await
    }

    /// The same with more arguments for `redis-server`, which take precedence.
    ///
    /// # Panics
    /// If `redis-server` is not installed or does not start.
    pub async fn own_with(arguments: &[&str]) -> Option<Self> {
        if given::server(GIVEN).is_some() {
            given::skip(GIVEN);
            return None;
        }
        Some(Self::started(arguments).await)
    }

    async fn started(arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        let process = Process::start(command(port, &arguments), folder, port, INSTALL);
        let mut redis = Self { url: format!("redis://127.0.0.1:{port}"), process: Some(process), arguments };
        redis.until_it_answers().await;
        redis
    }

    /// The address, such as `redis://127.0.0.1:6379`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Kills the server with SIGKILL.
    ///
    /// # Panics
    /// If it is not the test's own.
    pub fn kill(&mut self) {
        self.process.as_mut().expect("only a server that was started with `own` is killed").kill();
    }

    /// Starts the server again after a kill, at the same address and with what it had acknowledged. Returns when it
    /// answers.
    ///
    /// # Panics
    /// If it is not the test's own, or does not start.
    pub async fn restart(&mut self) {
        self.restart_with(&[]).await;
    }

    /// The same with more arguments for `redis-server`, from now on.
    ///
    /// # Panics
    /// If it is not the test's own, or does not start.
    pub async fn restart_with(&mut self, arguments: &[&str]) {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let process = self.process.as_mut().expect("only a server that was started with `own` is started again");
        process.start_again(command(process.port(), &self.arguments), INSTALL);
        self.until_it_answers().await;
    }

    async fn until_it_answers(&mut self) {
        let Some(process) = &mut self.process else { return };
        let port = process.port();
        process.until(async || answers(port).await.unwrap_or(false)).await;
    }
}

fn command(port: u16, arguments: &[String]) -> Command {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
    command.args(["--appendonly", "yes", "--appendfsync", "always"]).args(arguments);
    command
}

/// Whether it answers and has read its file. A password that is asked for is an answer, too.
async fn answers(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 64];
    let length = stream.read(&mut answer).await?;
    Ok(answer[..length].starts_with(b"+PONG") || answer[..length].starts_with(b"-NOAUTH"))
}
