//! What `schemathesis` finds, which reads the API's documentation and asks for all of it: as it says, and otherwise. No request
//! may break the host, and every answer is one of those that are documented: its status, media type, headers and body.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::process::Command;

use crate::abuse_owners::{SECRET, token};
use crate::client::Client;
use crate::harness::{Harness, OBEY, PASS, Setup};

/// Which requests are made up: always the same.
const SEED: &str = "36";
/// How many of them at most for each operation, besides those with boundary values.
const EXAMPLES: &str = "20";
/// How long one run may take. It is 15 s on an idle machine.
const LIMIT: Duration = Duration::from_secs(300);
/// Checks that are left out:
/// - that all is accepted that the documentation allows: a schema cannot say which stages there are, which cursors the host
///   has given, or that a filter must not be empty;
/// - that nobody sees the jobs of others: it needs two tokens, with which `abuse_owners` tries every path.
const LEFT_OUT: &str = "positive_data_acceptance,object_level_authorization";
/// Jobs with every kind of end, where a stage obeys.
const COMMANDS: [&str; 5] = ["echo one", "split two outputs", "drop", "reject it", "permanent it"];
/// Lets jobs have webhooks, to this machine only.
const WEBHOOKS: &str = "allow = [\"127.0.0.1/32\"]\nsecrets = [{ file = \"FILE\" }]\n";

/// The program.
async fn schemathesis() -> String {
    let named = std::env::var("GRISTMILL_TEST_SCHEMATHESIS").unwrap_or_else(|_| "schemathesis".to_owned());
    let version = Command::new(&named).arg("--version").output().await;
    let help = "run `cargo verify`, or `cargo xtask clients` and set GRISTMILL_TEST_SCHEMATHESIS to \
                target/schemathesis/bin/schemathesis";
    assert!(version.is_ok_and(|output| output.status.success()), "{named:?} does not run: {help}");
    named
}

/// A table of the host file that names a file with a secret, which is written into this folder.
fn table(name: &str, keys: &str, folder: &Path, secret: &[u8]) -> String {
    let file = folder.join(name);
    std::fs::write(&file, secret).unwrap();
    format!("[{name}]\n{}", keys.replace("FILE", &file.display().to_string()))
}

fn webhooks(folder: &Path) -> String {
    table("webhooks", WEBHOOKS, folder, b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
}

fn auth(folder: &Path) -> String {
    let keys = "issuer = \"test\"\naudience = \"gristmill\"\nkeys = { secret = { file = \"FILE\" } }\n";
    table("auth", keys, folder, SECRET)
}

/// The jobs, and the batch, that most requests are about.
struct Known {
    pipeline: String,
    jobs: Vec<String>,
    batch: String,
    /// Where webhooks go: nobody takes them there.
    webhook: String,
}

impl Known {
    /// Submits them, and waits for the ends of the jobs.
    async fn submit(client: &Client, pipeline: &str) -> Self {
        let webhook = format!("{}/livez", client.base());
        let mut jobs = Vec::new();
        for command in COMMANDS {
            let path = format!("/v1/pipelines/{pipeline}/jobs?webhook={webhook}");
            let accepted = client.post(&path, "text/plain", command).await.is(202).json();
            jobs.push(accepted["job_id"].as_str().unwrap().to_owned());
        }
        for job in &jobs {
            client.until_over(job).await;
        }
        let batch = json!({"jobs": [{"text": "echo three"}, {"text": "echo four"}]}).to_string();
        let path = format!("/v1/pipelines/{pipeline}/batches");
        let batch = client.post(&path, "application/json", batch).await.is(202).json();
        let batch = batch["batch_id"].as_str().unwrap().to_owned();
        Self { pipeline: pipeline.to_owned(), jobs, batch, webhook }
    }

    /// The settings of the program. A parameter is always what stands here, or mostly one of a dictionary.
    fn settings(&self, tokens: Tokens) -> String {
        let Self { pipeline, jobs, batch, webhook } = self;
        let dictionaries = [
            ("path.job_id", json!(jobs)),
            ("path.batch_id", json!([batch])),
            ("path.number", json!([1, 2])),
            ("query.from_stage", json!(["pass", "obey"])),
            ("query.status", json!(["completed", "failed,cancelled"])),
            ("query.wait", json!(["0s", "100ms", "1s", "61s"])),
        ];
        let sends = matches!(tokens, Tokens::Sent(_));
        let mut text = format!(
            "cache.enabled = false\nrequest-timeout = 60\ngeneration.with-security-parameters = {sends}\n[dictionaries]\n"
        );
        for (index, (_, values)) in dictionaries.iter().enumerate() {
            text += &format!("d{index} = {{ values = {values} }}\n");
        }
        text += &format!("[parameters]\n\"path.pipeline\" = {pipeline:?}\n\"query.webhook\" = {webhook:?}\n");
        for (index, (parameter, _)) in dictionaries.iter().enumerate() {
            text += &format!("{parameter:?} = {{ dictionary = \"d{index}\", probability = 0.9 }}\n");
        }
        text
    }
}

/// Whether the host wants tokens.
#[derive(Clone, Copy)]
enum Tokens<'a> {
    /// It does. It is asked with this one, with others and without.
    Sent(&'a str),
    /// It has no `[auth]`, so that a token which is missing is no mistake.
    Unknown,
}

/// Runs the program against a host.
async fn examine(client: &Client, pipeline: &str, tokens: Tokens<'_>) {
    let program = schemathesis().await;
    let known = Known::submit(client, pipeline).await;
    let folder = tempfile::tempdir().unwrap();
    let (file, report) = (folder.path().join("schemathesis.toml"), folder.path().join("report"));
    std::fs::write(&file, known.settings(tokens)).unwrap();
    let output = std::fs::File::create(&report).unwrap();
    let mut command = Command::new(program);
    command.current_dir(folder.path()).arg("--no-color").arg("--config-file").arg(&file);
    command.arg("run").arg(format!("{}/v1/openapi.json", client.base()));
    command.args(["--seed", SEED, "--max-examples", EXAMPLES, "--generation-database", "none", "--checks", "all"]);
    // A busy machine is no fault, and a proxy is not for this one.
    command.args(["--suppress-health-check", "all"]).env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    match tokens {
        Tokens::Sent(token) => {
            command.args(["--exclude-checks", LEFT_OUT, "--header"]).arg(format!("Authorization: Bearer {token}"))
        }
        Tokens::Unknown => command.arg("--exclude-checks").arg(format!("{LEFT_OUT},ignored_auth")),
    };
    command.stdin(Stdio::null()).stderr(output.try_clone().unwrap()).stdout(output).kill_on_drop(true);
    let ended = tokio::time::timeout(LIMIT, command.status()).await;
    let report = String::from_utf8_lossy(&std::fs::read(&report).unwrap()).into_owned();
    let status = ended.unwrap_or_else(|_| panic!("it takes longer than {LIMIT:?}:\n{report}")).unwrap();
    assert!(status.success(), "{report}");
    println!("{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_holds_whatever_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let harness = Harness::new(Setup::embedded(PASS).host(&webhooks(folder.path()))).await;
    let host = harness.start().await;
    examine(&host.client, &harness.name, Tokens::Unknown).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_holds_with_tokens_and_where_jobs_fail() {
    let folder = tempfile::tempdir().unwrap();
    let tables = webhooks(folder.path()) + &auth(folder.path());
    let harness = Harness::new(Setup::embedded(OBEY).host(&tables)).await;
    let host = harness.start().await;
    let token = token("ann", "jobs:read jobs:write dlq:write");
    examine(&host.client.with_token(&token), &harness.name, Tokens::Sent(&token)).await;
}
