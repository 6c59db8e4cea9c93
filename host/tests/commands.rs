//! Commands as a shell uses them: closed pipes and signals.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The timeout of every wait; enough for a busy machine that compiles the stages first.
const PATIENCE: Duration = Duration::from_secs(300);

fn gristmill(cache: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gristmill"));
    command
        .env("GRISTMILL_CACHE", cache)
        .env("GRISTMILL_STATE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("state"))
        .env_remove("GRISTMILL_BROKERS")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    command
}

fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// A pipeline with one built-in stage on the embedded broker.
fn pipeline(folder: &Path, builtin: &str) -> PathBuf {
    pipeline_of(folder, &format!("module = \"builtin:{builtin}\""))
}

/// A pipeline with one stage, given its keys, on the embedded broker.
fn pipeline_of(folder: &Path, stage: &str) -> PathBuf {
    let path = folder.join("pipeline.toml");
    let text = format!(
        "name = \"p\"\nkafka = {{ brokers = \"embedded\" }}\nsource = {{ topic = \"in\" }}\nsink = {{ topic = \"out\" }}\n\
         dead_letter = {{ topic = \"dead\" }}\nstage = [{{ name = \"a\", {stage} }}]\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// Waits until `reached` returns a value.
fn until<T>(what: &str, mut reached: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = reached() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// `gristmill run` with its log in a file.
struct Run {
    child: Child,
    log: PathBuf,
}

impl Run {
    fn start(folder: &Path, pipeline: &Path, cache: &Path) -> Self {
        let log = folder.join("log");
        let stderr = std::fs::File::create(&log).unwrap();
        let child = gristmill(cache).arg("run").arg(pipeline).stderr(stderr).spawn().unwrap();
        Self { child, log }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    fn until_logged(&mut self, what: &str) {
        until(what, || {
            assert!(self.child.try_wait().unwrap().is_none(), "it ended before {what:?}:\n{}", self.log());
            self.log().contains(what).then_some(())
        });
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn end(&mut self) -> ExitStatus {
        until("it ends", || self.child.try_wait().unwrap())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn check_says_where_init_runs_in_every_instance_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let guest = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("guests").join("misbehave.wasm");
    let check = |init: &str| {
        let stage =
            format!("module = {:?}, grants = [\"llm\"], config = {{ init = \"{init}\" }}", guest.display().to_string());
        let pipeline = pipeline_of(folder.path(), &stage);
        std::fs::write(folder.path().join("script.toml"), "[[rule]]\nanswer = \"yes\"\n").unwrap();
        let script = "[models.m]\ntargets = [{ provider = \"scripted\", script = \"script.toml\" }]\n";
        std::fs::write(&pipeline, std::fs::read_to_string(&pipeline).unwrap() + script).unwrap();
        let output = gristmill(&cache()).arg("check").arg(pipeline).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(!check("nothing").contains("init"));
    let told = check("dice");
    assert!(told.contains("calls init in every instance: it asks for random numbers in init\n"), "{told}");
}

#[test]
fn check_compiles_for_later_only_if_it_is_told_to_and_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = folder.path().join("pipeline.toml");
    // Not in the order of their names: modules are looked at side by side.
    let stages =
        ["sanitize", "language", "chunk"].map(|name| format!("{{ name = \"a-{name}\", module = \"builtin:{name}\" }}"));
    let text = format!(
        "name = \"p\"\nkafka = {{ brokers = \"embedded\" }}\nsource = {{ topic = \"in\" }}\nsink = {{ topic = \"out\" }}\n\
         dead_letter = {{ topic = \"dead\" }}\nstage = [{}]\n",
        stages.join(", ")
    );
    std::fs::write(&pipeline, text).unwrap();
    let cache = folder.path().join("cache");
    let check = |arguments: &[&str]| {
        let output = gristmill(&cache).arg("check").args(arguments).arg(&pipeline).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let compiled = || std::fs::read_dir(&cache).unwrap().count();
    let told = check(&[]);
    for name in ["sanitize", "language", "chunk"] {
        assert!(told.contains(&format!("builtin:{name} = {name} ")), "{told}");
    }
    assert_eq!(compiled(), 0);
    assert_eq!(check(&["--compile"]), told);
    assert_eq!(compiled(), 6, "the code and the notes of each");
}

#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let good = pipeline(folder.path(), "sanitize");
    let good = good.to_str().unwrap();
    for arguments in [&["schema"][..], &["check", good]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = gristmill(&cache()).args(arguments).stdout(writer).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{arguments:?}: {:?}: {said}", output.status);
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = gristmill(&cache()).args(["check", "nowhere.toml"]).stderr(writer).status().unwrap();
    assert_eq!(status.code(), Some(78), "an error that nobody reads keeps its exit code");
}

#[test]
fn a_stop_while_stages_are_compiled_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = pipeline(folder.path(), "validate");
    let mut run = Run::start(folder.path(), &pipeline, &folder.path().join("cache"));
    run.until_logged("new stages are compiled first");
    run.signal("TERM");
    let asked = Instant::now();
    assert_eq!(run.end().code(), Some(0), "{}", run.log());
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}: {}", asked.elapsed(), run.log());
    assert!(run.log().contains("stopped before any pipeline ran"), "{}", run.log());
}

#[test]
fn a_hangup_reloads_the_files_and_never_ends_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let file = pipeline(folder.path(), "sanitize");
    let mut run = Run::start(folder.path(), &file, &cache());
    run.until_logged("the embedded broker keeps everything in memory");
    run.signal("HUP");
    run.until_logged("reloaded");

    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, good.replace("builtin:sanitize", "builtin:sanitise")).unwrap();
    run.signal("HUP");
    run.until_logged("not reloaded");
    std::fs::write(&file, "name = ").unwrap();
    run.signal("HUP");
    run.until_logged("nothing was reloaded");
    std::fs::write(&file, good.replace("builtin:sanitize", "builtin:language")).unwrap();
    run.signal("HUP");
    run.until_logged("the module changed");

    let log = run.log();
    let address = log.lines().find_map(|line| line.split_once("brokers=")?.1.split('"').nth(1)).unwrap().to_owned();
    let tail = gristmill(&cache()).args(["tail", "out", "--until-end", "--brokers", &address]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&tail.stderr), "the topic out has no records\n");
    assert!(tail.status.success() && tail.stdout.is_empty());
    // Nothing arrives, so only the end of its reader can end it.
    let mut tail = gristmill(&cache());
    let mut tail = tail.args(["tail", "out", "--brokers", &address]).stdout(Stdio::piped()).spawn().unwrap();
    drop(tail.stdout.take());
    assert!(until("the tail ends with its reader", || tail.try_wait().unwrap()).success());

    run.signal("TERM");
    assert_eq!(run.end().code(), Some(0), "{}", run.log());
    assert!(run.log().trim_end().ends_with("stopped"), "{}", run.log());
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = gristmill(&cache()).args(["completions", shell]).output().unwrap();
        assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8(output.stdout).unwrap().contains("verify-output"), "{shell}");
    }
    let man = folder.path().join("man");
    assert!(gristmill(&cache()).arg("man").arg(&man).status().unwrap().success());
    for page in ["gristmill.1", "gristmill-run.1", "gristmill-dlq-replay.1"] {
        assert!(man.join(page).exists(), "{page}");
    }
    assert!(!man.join("gristmill-man.1").exists(), "what nobody needs is not described");
}

#[test]
fn a_host_that_is_not_there_is_named_with_a_way_to_find_it() {
    for arguments in [&["top", "--once"][..], &["tap", "p"]] {
        let output = gristmill(&cache()).args(arguments).args(["--url", "http://127.0.0.1:1"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("no host answers at http://127.0.0.1:1/") && said.contains("--url"), "{said}");
    }
    let output = gristmill(&cache()).arg("top").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(78) && said.contains("--once"), "without a terminal: {said}");
}

#[test]
fn verify_output_succeeds_only_at_the_rate_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let file = pipeline(folder.path(), "extract");
    let mut run = Run::start(folder.path(), &file, &cache());
    run.until_logged("the embedded broker keeps everything in memory");
    let log = run.log();
    let address = log.lines().find_map(|line| line.split_once("brokers=")?.1.split('"').nth(1)).unwrap().to_owned();
    let send = |name: &str, kind: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let mut send = gristmill(&cache());
        let send = send.args(["send", "in"]).arg(path).args(["--content-type", kind, "--brokers", &address]);
        assert!(send.status().unwrap().success());
    };
    let verify = |more: &[&str]| {
        let mut verify = gristmill(&cache());
        let verify = verify.arg("verify-output").arg(&file).args(["--brokers", &address, "--json"]).args(more);
        let output = verify.output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), said)
    };
    let (code, said) = verify(&[]);
    assert!(code == Some(1) && said.contains("the topic in has no events"), "{said}");
    send("good", "text/html", "<p>good</p>");
    let (code, said) = verify(&["--min-rate", "1", "--wait", "5m"]);
    assert!(code == Some(0) && said.contains("\"enriched_count\":1") && said.contains("\"missing\":0"), "{said}");
    send("bad", "application/pdf", "this is no PDF");
    until("the bad one is in the dead letters", || verify(&[]).1.contains("\"dead_lettered\":1").then_some(()));
    let (code, said) = verify(&["--min-rate", "0.5"]);
    assert!(code == Some(0) && said.contains("\"enrichment_rate\":0.5"), "{said}");
    let (code, said) = verify(&["--min-rate", "0.51"]);
    assert!(code == Some(1) && said.contains("only 0.5000 of the events have an output"), "{said}");
    run.signal("TERM");
    run.end();
}
