//! Pipelines on Redis Streams as their users meet them: the binary, its commands and its admin server, on a real server.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use gristmill_model_server::{Behaviour, ModelServer, Script};
use gristmill_test_servers::Redis;
use redis::FromRedisValue;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// The timeout of every wait; enough for a busy machine that compiles the stages first.
const PATIENCE: Duration = Duration::from_secs(300);
/// The same for the binary.
const WAIT: &str = "5m";

/// Waits until `reached` returns a value.
async fn until<T>(what: &str, mut reached: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = reached().await {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A pipeline on a server, its file, and the folder of everything that is written.
struct Place {
    folder: TempDir,
    redis: Redis,
    /// The pipeline; its streams begin with it.
    name: String,
    file: String,
}

impl Place {
    /// A pipeline with these stages, and whatever else its file has.
    async fn new(stages: &str) -> Self {
        Self::on(Redis::start().await, stages)
    }

    fn on(redis: Redis, stages: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("test-{:08x}", fastrand::u32(..));
        let url = redis.url();
        let text = format!(
            "name = {name:?}\nredis = {{ url = {url:?}, claim_after = \"5s\" }}\nsource = {{ topic = \"{name}.in\" }}\n\
             sink = {{ topic = \"{name}.out\" }}\ndead_letter = {{ topic = \"{name}.dead\" }}\n{stages}"
        );
        let file = folder.path().join("pipeline.toml");
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap().to_owned();
        Self { folder, redis, name, file }
    }

    /// The same, whose one stage asks this server for what the event says.
    async fn asking(server: &ModelServer, more: &str) -> Self {
        let base = server.base_url();
        let models =
            format!("[models.m]\ntargets = [{{ provider = \"openai\", model = \"x\", base_url = {base:?} }}]\n");
        Self::new(&format!("{more}{}{models}", misbehaving())).await
    }

    fn gristmill(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gristmill"));
        command.env("GRISTMILL_CACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"));
        command.env("GRISTMILL_STATE", self.folder.path().join("state"));
        command.env_remove("GRISTMILL_BROKERS").env_remove("GRISTMILL_ADMIN").env_remove("RUST_LOG");
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    async fn output(&self, arguments: &[&str]) -> Output {
        let output = self.gristmill().args(arguments).output();
        tokio::time::timeout(PATIENCE, output).await.expect("it takes too long").unwrap()
    }

    /// What a command prints that succeeds.
    async fn prints(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.output(arguments).await;
        assert!(status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    /// The exit code of a command that fails, and what it says.
    async fn fails(&self, arguments: &[&str]) -> (i32, String) {
        let Output { status, stderr, .. } = self.output(arguments).await;
        let said = String::from_utf8(stderr).unwrap();
        assert!(!status.success(), "{arguments:?}: {said}");
        (status.code().unwrap(), said)
    }

    /// The objects that a command prints, one on each line.
    async fn objects(&self, arguments: &[&str]) -> Vec<Value> {
        self.prints(arguments).await.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    async fn verified(&self, least: &str) -> Value {
        let arguments = ["verify-output", &self.file, "--min-rate", least, "--wait", WAIT, "--json"];
        self.objects(&arguments).await.remove(0)
    }

    async fn dead_letters(&self) -> Vec<Value> {
        self.objects(&["dlq", "list", "--pipeline", &self.file, "--all", "--json"]).await
    }

    /// Sends a file with this content.
    async fn send(&self, file: &str, content: &str, more: &[&str]) {
        let path = self.folder.path().join(file);
        std::fs::write(&path, content).unwrap();
        let source = format!("{}.in", self.name);
        let send = ["send", &source, path.to_str().unwrap(), "--pipeline", &self.file];
        self.prints(&[&send, more].concat()).await;
    }

    /// What Redis answers to a command, written with spaces; `IN` is the stream of events.
    async fn asks<T: FromRedisValue>(&self, command: &str) -> T {
        let client = redis::Client::open(self.redis.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut words = command.split(' ');
        let mut sent = redis::cmd(words.next().unwrap());
        for word in words {
            match word {
                "IN" => sent.arg(format!("{}.in", self.name)),
                "GROUP" => sent.arg(&self.name),
                word => sent.arg(word),
            };
        }
        sent.query_async(&mut connection).await.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// How many entries are delivered and not acknowledged.
    async fn pending(&self) -> usize {
        self.asks::<Vec<redis::Value>>("XPENDING IN GROUP - + 1000").await.len()
    }

    fn run(&self, log: &str) -> Run {
        let log = self.folder.path().join(log);
        let mut run = self.gristmill();
        run.args(["run", &self.file, "--admin", "127.0.0.1:0"]).stderr(File::create(&log).unwrap());
        Run { child: run.spawn().unwrap(), log }
    }
}

/// A stage that does what the event says.
fn misbehaving() -> String {
    let guest = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("guests").join("misbehave.wasm");
    format!("[[stage]]\nname = \"asks\"\nmodule = {:?}\ngrants = [\"llm\"]\n", guest.to_str().unwrap())
}

/// `gristmill run` with its log in a file.
struct Run {
    child: Child,
    log: PathBuf,
}

impl Run {
    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// What the admin server answers; `None` while there is none.
    async fn get(&self, path: &str) -> Option<(u16, String)> {
        let log = self.log();
        let address =
            log.split_once("the admin server listens")?.1.split_once("address=")?.1.split_whitespace().next()?;
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let answer = client.get(format!("http://{address}{path}")).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    async fn until_ready(&mut self) {
        until("it is ready", async || {
            assert!(self.child.try_wait().unwrap().is_none(), "it ended:\n{}", self.log());
            self.get("/readyz").await.filter(|(status, _)| *status == 200)
        })
        .await;
    }

    /// What `/healthz` says of the pipeline.
    async fn pipeline(&self) -> Value {
        let (status, health) = self.get("/healthz").await.unwrap();
        assert_eq!(status, 200);
        serde_json::from_str::<Value>(&health).unwrap()["pipelines"][0].take()
    }

    async fn signal(&self, name: &str) {
        let process = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-s", name, &process]).status().await.unwrap().success());
    }

    async fn end(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it does not end").unwrap()
    }

    async fn ends_when_asked(&mut self) {
        self.signal("TERM").await;
        assert_eq!(self.end().await.code(), Some(0), "{}", self.log());
        assert!(self.log().trim_end().ends_with("stopped"), "{}", self.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_gets_from_the_first_check_to_a_replay() {
    let place = Place::new("stage = [{ name = \"extract\", module = \"builtin:extract\" }]\n").await;
    let (name, file) = (&place.name, &*place.file);
    assert!(place.prints(&["check", file]).await.starts_with(&format!("{name}: {name}.in → {name}.out\n")));
    let mut run = place.run("log");
    run.until_ready().await;
    place.send("good.html", "<p>Article one</p>", &[]).await;
    place.send("bad.pdf", "this is no PDF", &[]).await;
    let _: String = place.asks("XADD IN * user 7 action buy").await;

    let verified = place.verified("0.6").await;
    assert_eq!((&verified["enriched_count"], &verified["repeats"]), (&2.into(), &0.into()), "{verified}");
    let out = format!("{name}.out");
    let shown = place.objects(&["tail", &out, "--count", "2", "--json", "--brokers", place.redis.url()]).await;
    let mut values: Vec<&str> = shown.iter().map(|record| record["value"].as_str().unwrap()).collect();
    values.sort_unstable();
    assert_eq!(
        values,
        ["Article one", "{\"user\":\"7\",\"action\":\"buy\"}"],
        "an entry that is no record is read too"
    );

    let letter = until("a dead letter", async || place.dead_letters().await.pop()).await;
    assert_eq!((&letter["reason"], &letter["replays"]), (&"pdf-broken".into(), &0.into()), "{letter}");
    let at = format!("0/{}", letter["offset"].as_str().unwrap());
    assert!(place.prints(&["dlq", "show", &at, "--pipeline", file]).await.contains("this is no PDF"));
    let dry = place.prints(&["dlq", "replay", &at, "--dry-run", "--pipeline", file]).await;
    assert!(dry.ends_with(&format!("1 dead letter would be replayed to {name}.in\n")), "{dry}");
    let replayed = place.prints(&["dlq", "replay", &at, "--pipeline", file]).await;
    assert_eq!(replayed, format!("1 dead letter replayed to {name}.in\n"));
    let again = until("it fails again", async || place.dead_letters().await.into_iter().nth(1)).await;
    assert_eq!((&again["job"], &again["replays"]), (&letter["job"], &1.into()), "the job goes on under its own id");
    let (code, said) = place.fails(&["verify-output", file]).await;
    assert!(code == 1 && said.contains("only 0.6667 of the events have an output"), "{said}");

    let pipeline = until("all is settled", async || {
        let pipeline = run.pipeline().await;
        (pipeline["totals"]["events"] == 4 && pipeline["partitions"][0]["backlog"] == 0).then_some(pipeline)
    })
    .await;
    assert_eq!(pipeline["dead_letters_by_reason"]["pdf-broken"], 2, "{pipeline}");
    let (_, metrics) = run.get("/metrics").await.unwrap();
    assert!(metrics.contains(&format!("gristmill_events_total{{pipeline=\"{name}\"}} 4\n")), "{metrics}");
    run.ends_when_asked().await;
    assert_eq!(place.pending().await, 0);
    assert!(place.asks::<Vec<redis::Value>>("XINFO CONSUMERS IN GROUP").await.is_empty(), "it has left the group");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_host_had_in_work_is_done_first_by_the_next() {
    let server = ModelServer::start(Script::new().when("", [Behaviour::Held("ok".into())])).await;
    let place = Place::asking(&server, "").await;
    place.send("old", "ask 0\nask 1\nask 2\nask 3\n", &["--lines"]).await;
    let mut killed = place.run("killed");
    until("all are asked for", async || (server.calls() == 4).then_some(())).await;
    killed.signal("KILL").await;
    killed.end().await;
    assert_eq!(place.pending().await, 4, "nothing was acknowledged");

    place.send("new", "ask new", &[]).await;
    let newest: Vec<(String, Vec<String>)> = place.asks("XREVRANGE IN + - COUNT 1").await;
    let mut next = place.run("next");
    until("what is pending is asked for again", async || (server.calls() == 8).then_some(())).await;
    server.release(100);
    let verified = place.verified("1").await;
    assert_eq!((&verified["events"], &verified["repeats"]), (&5.into(), &0.into()), "{verified}");
    let out = format!("{}.out", place.name);
    let shown = place.objects(&["tail", &out, "--until-end", "--json", "--pipeline", &place.file]).await;
    let last = shown.last().unwrap().to_string();
    assert!(last.contains(&format!("{}.in/0/{}", place.name, newest[0].0)), "the new one came last: {shown:?}");
    until("nothing is pending", async || (place.pending().await == 0).then_some(())).await;
    next.ends_when_asked().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_share_the_work_and_one_that_stops_finishes_what_it_has() {
    let server = ModelServer::start(Script::new().when("", [Behaviour::Held("ok".into())])).await;
    let place = Place::asking(&server, "limits = { max_in_flight = 3 }\n").await;
    let lines: String = (0..12).map(|number| format!("ask {number}\n")).collect();
    place.send("events", &lines, &["--lines"]).await;
    let mut first = place.run("first");
    until("the first host has its jobs", async || (server.in_flight() == 3).then_some(())).await;
    let mut second = place.run("second");
    until("the second host has others", async || (server.in_flight() == 6).then_some(())).await;
    let of_first = first.pipeline().await;
    assert_eq!(of_first["in_flight"]["jobs"], 3, "{of_first}");

    first.signal("TERM").await;
    until("it drains", async || first.log().contains("draining").then_some(())).await;
    server.release(100);
    assert_eq!(first.end().await.code(), Some(0), "{}", first.log());
    let verified = place.verified("1").await;
    assert_eq!((&verified["events"], &verified["repeats"]), (&12.into(), &0.into()), "{verified}");
    assert_eq!(server.calls(), 12, "each event was in work once");
    until("nothing is pending", async || (place.pending().await == 0).then_some(())).await;
    second.ends_when_asked().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_away_for_a_while_turns_readiness_red_and_costs_nothing() {
    let Some(redis) = Redis::own().await else { return };
    let mut place = Place::on(redis, "stage = [{ name = \"extract\", module = \"builtin:extract\" }]\n");
    let mut run = place.run("log");
    run.until_ready().await;
    place.send("before", "<p>before</p>", &["--content-type", "text/html"]).await;
    place.redis.kill();
    let (status, body) =
        until("it is not ready", async || run.get("/readyz").await.filter(|(_, body)| body.contains("broker_lost")))
            .await;
    assert_eq!(status, 503, "{body}");
    place.redis.restart().await;
    run.until_ready().await;
    place.send("after", "<p>after</p>", &["--content-type", "text/html"]).await;
    let verified = place.verified("1").await;
    assert_eq!(verified["events"], 2, "{verified}");
    run.ends_when_asked().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stages_drop_on_purpose_is_told_from_what_is_missing() {
    let server = ModelServer::start(Script::new()).await;
    let place = Place::asking(&server, "").await;
    place.send("kept", "echo a", &[]).await;
    place.send("dropped", "drop", &["--header", "kind=heartbeat"]).await;
    let mut run = place.run("log");
    run.until_ready().await;
    until("both are done", async || (run.pipeline().await["partitions"][0]["backlog"] == 0).then_some(())).await;
    let verify = ["verify-output", &place.file, "--min-rate", "1", "--json"];
    let (code, said) = place.fails(&verify).await;
    assert!(code == 1 && said.contains("only 0.5000"), "{said}");
    let verified = place.objects(&[&verify[..], &["--expect-dropped", "kind=heartbeat"]].concat()).await.remove(0);
    assert_eq!((&verified["events"], &verified["dropped"]), (&1.into(), &1.into()), "{verified}");
    run.ends_when_asked().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_name_the_thing_the_reason_and_the_way_out() {
    let place = Place::new("order = \"key\"\nstage = [{ name = \"a\", module = \"builtin:language\" }]\n").await;
    let (code, said) = place.fails(&["check", &place.file]).await;
    assert!(code == 78 && said.contains("Redis keeps no order") && said.contains(":6:9"), "{said}");

    let (url, text) = (place.redis.url(), place.folder.path().join("text"));
    let (nowhere, text) = ("redis://127.0.0.1:1", text.to_str().unwrap());
    std::fs::write(text, "x").unwrap();
    let key = format!("{}.key", place.name);
    let _: String = place.asks(&format!("SET {key} x")).await;
    let never = format!("{}.never", place.name);
    for (arguments, expected) in [
        (["tail", &never, "--until-end", "--brokers", url], "check its name"),
        (["tail", &key, "--until-end", "--brokers", url], "is no stream: it is a string"),
        (["send", &key, text, "--brokers", url], "is no stream: it is a string"),
        (["tail", &never, "--until-end", "--brokers", nowhere], "no Redis answers at redis://127.0.0.1:1 ("),
        (["send", &never, text, "--brokers", nowhere], "no Redis answers at redis://127.0.0.1:1 ("),
    ] {
        let (code, said) = place.fails(&arguments).await;
        assert!(code == 1 && said.contains(expected), "{arguments:?}: {said}");
        assert_eq!(said.matches("refused").count(), usize::from(arguments[4] == nowhere), "said once: {said}");
    }
    let (code, said) = place.fails(&["tail", &key, "--brokers", "redis://user:secret@a"]).await;
    assert!(code == 78 && said.contains("username and password under [redis]") && !said.contains("secret"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_store_that_evicts_is_refused_and_the_file_that_names_it_is_told() {
    let Some(redis) = Redis::own_with(&["--maxmemory-policy", "volatile-lru"]).await else { return };
    let stage = "stage = [{ name = \"a\", module = \"builtin:language\", checkpoint = \"always\" }]\n";
    let place = Place::on(redis, stage);
    let host = place.folder.path().join("host.toml");
    std::fs::write(&host, format!("[store]\nurl = {:?}\n", place.redis.url())).unwrap();
    let arguments = ["run", &place.file, "--admin", "off", "--host", host.to_str().unwrap()];
    let (code, said) = place.fails(&arguments).await;
    assert!(code == 78 && said.contains("[store] of the host file") && said.contains("set maxmemory-policy"), "{said}");
}
