//! PostgreSQL that syncs each commit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::OnceCell;
use tokio_postgres::NoTls;

use crate::given;
use crate::process::{Process, free_port, missing};

const GIVEN: &str = "GRISTMILL_TEST_POSTGRES";
const INSTALL: &str = "apt-get install -y postgresql";
/// Where Debian installs each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The user to run it as: it refuses to run as root.
const USER: &str = "postgres";

/// A PostgreSQL server.
pub struct Postgres {
    /// Up to the name of the database.
    server: String,
    /// What follows the name of the database.
    parameters: String,
    /// `None` if the caller has named the server.
    process: Option<Process>,
    arguments: Vec<String>,
}

impl Postgres {
    /// One server for all tests of this process: the one in `GRISTMILL_TEST_POSTGRES`, else one of its own.
    ///
    /// # Panics
    /// If PostgreSQL is not installed or does not start.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// The server in `GRISTMILL_TEST_POSTGRES`, else one of its own. Returns when it answers.
    ///
    /// # Panics
    /// If PostgreSQL is not installed or does not start.
    pub async fn start() -> Self {
        match given::server(GIVEN) {
            Some(url) => Self::given(&url),
            None => Self::started(&[]).await,
        }
    }

    /// A server of its own, which can be killed; `None` if `GRISTMILL_TEST_POSTGRES` names another one.
    ///
    /// # Panics
    /// If PostgreSQL is not installed or does not start.
    pub async fn own() -> Option<Self> {
        Self::own_with(&[]).await
    }

    /// The same with more arguments for `postgres`, which take precedence.
    ///
    /// # Panics
    /// If PostgreSQL is not installed or does not start.
    pub async fn own_with(arguments: &[&str]) -> Option<Self> {
        if given::server(GIVEN).is_some() {
            given::skip(GIVEN);
            return None;
        }
        Some(Self::started(arguments).await)
    }

    fn given(url: &str) -> Self {
        let (before, parameters) = match url.split_once('?') {
            Some((before, parameters)) => (before, format!("?{parameters}")),
            None => (url, String::new()),
        };
        let scheme = before.find("://").map_or(0, |at| at + 3);
        let host = before[scheme..].find('/').map_or(before, |at| &before[..scheme + at]);
        Self { server: host.to_owned(), parameters, process: None, arguments: Vec::new() }
    }

    async fn started(arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        give_to_its_user(folder.path());
        initialise(folder.path());
        let process = Process::start(command(port, &arguments), folder, port, INSTALL);
        let server = format!("postgres://{USER}@127.0.0.1:{port}");
        let mut postgres = Self { server, parameters: String::new(), process: Some(process), arguments };
        postgres.until_it_answers().await;
        postgres
    }

    /// The address of its first database, such as `postgres://postgres@127.0.0.1:5432/postgres`.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The address of a new, empty database. It stays on a server that the caller has named.
    ///
    /// # Panics
    /// If it cannot be created.
    pub async fn database(&self) -> String {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("gristmill_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let created = execute(&self.url(), &format!("CREATE DATABASE {name}")).await;
        created.unwrap_or_else(|error| panic!("cannot create a database: {error}"));
        self.url_of(&name)
    }

    fn url_of(&self, database: &str) -> String {
        format!("{}/{database}{}", self.server, self.parameters)
    }

    /// Kills the server and all its processes with SIGKILL.
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
        let process = self.process.as_mut().expect("only a server that was started with `own` is started again");
        process.start_again(command(process.port(), &self.arguments), INSTALL);
        self.until_it_answers().await;
    }

    async fn until_it_answers(&mut self) {
        let url = self.url();
        let Some(process) = &mut self.process else { return };
        process.until(async || execute(&url, "SELECT 1").await.is_ok()).await;
    }
}

/// Executes statements that return nothing, each in its own transaction.
async fn execute(url: &str, statement: &str) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let connection = tokio::spawn(connection);
    let executed = client.batch_execute(statement).await;
    drop(client);
    let _ = connection.await;
    executed
}

fn command(port: u16, arguments: &[String]) -> Command {
    let mut command = as_its_user("postgres");
    command.args(["-D", "data", "-p", &port.to_string()]);
    for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=on", "max_connections=200"] {
        command.args(["-c", setting]);
    }
    command.args(arguments);
    command
}

/// Creates the files of a server, which lets everyone in who comes over the loopback.
fn initialise(folder: &Path) {
    let mut initdb = as_its_user("initdb");
    initdb.current_dir(folder).args(["-D", "data", "-U", USER, "-A", "trust", "--no-sync"]);
    initdb.args(["-E", "UTF8", "--locale=C", "--no-instructions"]);
    let output = initdb.output().unwrap_or_else(|error| missing(Path::new("initdb"), &error, INSTALL));
    let said = || [output.stdout.as_slice(), &output.stderr].concat();
    let cannot = "initdb failed; is PostgreSQL installed? Install it with";
    assert!(output.status.success(), "{cannot}: {INSTALL}\n{}", String::from_utf8_lossy(&said()));
}

/// A program of the newest PostgreSQL here, run as its user if we are root.
fn as_its_user(program: &str) -> Command {
    let program = newest(program);
    match is_root() {
        false => Command::new(program),
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", USER, "--regid", USER, "--init-groups", "--"]).arg(program);
            command
        }
    }
}

fn newest(program: &str) -> PathBuf {
    let mut versions = Vec::new();
    for entry in fs::read_dir(VERSIONS).into_iter().flatten().flatten() {
        let file = entry.path().join("bin").join(program);
        if let (true, Ok(version)) = (file.is_file(), entry.file_name().to_string_lossy().parse::<u32>()) {
            versions.push((version, file));
        }
    }
    // Else from PATH.
    versions.into_iter().max().map_or_else(|| program.into(), |(_, file)| file)
}

fn is_root() -> bool {
    id("-u", None) == Some(0)
}

fn give_to_its_user(folder: &Path) {
    if is_root() {
        let user = id("-u", Some(USER)).unwrap_or_else(|| panic!("no user {USER}; {INSTALL} creates it"));
        std::os::unix::fs::chown(folder, Some(user), None).unwrap();
    }
}

fn id(what: &str, user: Option<&str>) -> Option<u32> {
    let output = Command::new("id").arg(what).args(user).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
