//! `gristmill dev`: what is saved is taken on, sent through and compared, without a terminal; what is faulty is shown and changes
//! nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::{gristmill, succeeded, until};

const PIPELINE: &str = r#"name = "words"
[kafka]
brokers = "broker-of-production:9093"
properties = { "security.protocol" = "ssl", "sasl.password" = { env = "NOT_ON_THIS_MACHINE" } }
[source]
topic = "in"
[sink]
topic = "out"
[dead_letter]
topic = "dead"
[[stage]]
name = "first"
module = "first.wasm"
"#;

/// A component from the folder of stages or of guests.
fn component(folder: &str, name: &str) -> Vec<u8> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name(folder);
    let path = target.join(name).with_extension("wasm");
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; `cargo stages` builds it", path.display()))
}

/// The same code under another digest.
fn with_note(mut wasm: Vec<u8>, note: u8) -> Vec<u8> {
    // A custom section of three bytes: the length of its name, its name, one byte.
    wasm.extend([0, 3, 1, b'n', note]);
    wasm
}

/// Replaces a file as editors do.
fn save(path: &Path, content: impl AsRef<[u8]>) {
    let beside = path.with_extension("saving");
    fs::write(&beside, content).unwrap();
    fs::rename(beside, path).unwrap();
}

/// A session in a folder of its own.
struct Session {
    child: Option<Child>,
    folder: tempfile::TempDir,
    /// How much of what it has shown was looked at.
    read: usize,
}

impl Session {
    fn start(pipeline: &str, module: &[u8], samples: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("first.wasm"), module).unwrap();
        fs::create_dir(folder.path().join("samples")).unwrap();
        for (name, content) in samples {
            fs::write(folder.path().join("samples").join(name), content).unwrap();
        }
        fs::write(folder.path().join("pipeline.toml"), pipeline).unwrap();
        let mut session = Self::in_folder(folder);
        session.begin(&session.path("pipeline.toml"));
        session
    }

    /// One that has not begun.
    fn in_folder(folder: tempfile::TempDir) -> Self {
        Self { child: None, folder, read: 0 }
    }

    fn begin(&mut self, pipeline: &Path) {
        let out = fs::File::create(self.path("shown")).unwrap();
        let mut dev = gristmill();
        dev.arg("dev").arg(pipeline).stdout(out);
        self.child = Some(dev.spawn().unwrap());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it shows until it waits for the next change, from where the last call ended.
    #[track_caller]
    fn answer(&mut self) -> String {
        const WAITS: &str = "waiting for changes; Ctrl-C ends\n";
        let path = self.path("shown");
        let (child, read) = (self.child.as_mut().unwrap(), self.read);
        let answer = until("it waits for changes", || {
            let all = fs::read_to_string(&path).unwrap();
            assert!(child.try_wait().unwrap().is_none(), "it ended:\n{all}");
            let end = all[read..].find(WAITS)?;
            Some(all[read..read + end + WAITS.len()].to_owned())
        });
        self.read += answer.len();
        answer
    }

    /// Ends it as Ctrl-C does.
    fn stop(mut self) {
        let child = self.child.as_mut().unwrap();
        let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert!(until("it ends", || child.try_wait().unwrap()).success());
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

#[track_caller]
fn assert_shown(shown: &str, parts: &[&str]) {
    for part in parts {
        assert!(shown.contains(part), "{part:?} is not in:\n{shown}");
    }
}

#[test]
fn what_is_saved_is_taken_on_and_compared_with_what_was_before() {
    let samples = [("a.txt", "One. Two."), ("lines.jsonl", "{\"id\":1}\n{\"id\":2}\n")];
    let mut session = Session::start(PIPELINE, &component("guests", "pass"), &samples);
    let first = session.answer();
    let expected = [
        "words runs on an embedded broker",
        "a.txt\n",
        "first        → 1 item",
        "text/plain",
        "One. Two.",
        "1 record",
        "lines.jsonl:2\n",
    ];
    assert_shown(&first, &expected);

    // Another module: its text is cut.
    save(&session.path("first.wasm"), component("stages", "chunk"));
    let swapped = session.answer();
    let expected = ["first.wasm changed", "swapped in", "a.txt  ", "changed", "+     chunk.count = 1"];
    assert_shown(&swapped, &expected);
    assert_shown(&swapped, &["- ", "dead letter: unsupported-media-type"]);

    // A configuration and a sample.
    save(&session.path("pipeline.toml"), format!("{PIPELINE}config = {{ size = 5, min_size = 0 }}\n"));
    assert_shown(
        &session.answer(),
        &["pipeline.toml changed", "- first        → 1 item", "+ first        → 2 items", "+ 2 records"],
    );
    save(&session.path("samples/a.txt"), "One.");
    let sent = session.answer();
    assert_shown(&sent, &["a.txt changed", "lines.jsonl:1  dead letter: unsupported-media-type", "as before"]);
    assert!(!sent.contains("swapped"), "nothing but a sample changed:\n{sent}");
    fs::write(session.path("samples/b.txt"), "More.").unwrap();
    assert_shown(&session.answer(), &["b.txt changed", "b.txt\n", "More."]);
    session.stop();
}

#[test]
fn what_is_faulty_is_shown_and_the_version_before_goes_on() {
    let mut session = Session::start(PIPELINE, b"no component", &[("a.txt", "One.")]);
    assert_shown(&session.answer(), &["error: stage \"first\"", "pipeline.toml:12:10"]);
    let module = component("guests", "pass");
    save(&session.path("first.wasm"), &module);
    assert_shown(&session.answer(), &["words runs on an embedded broker", "One."]);

    save(&session.path("first.wasm"), &module[..module.len() / 2]);
    assert_shown(&session.answer(), &["error: stage \"first\"", "the version before goes on"]);
    save(&session.path("pipeline.toml"), PIPELINE.replace("topic = \"in\"", "topik = \"in\""));
    assert_shown(&session.answer(), &["unknown key \"topik\"", "pipeline.toml:6:1", "the version before goes on"]);
    save(&session.path("first.wasm"), with_note(module, 1));
    // The file is still faulty.
    assert_shown(&session.answer(), &["unknown key \"topik\""]);
    save(&session.path("pipeline.toml"), PIPELINE);
    assert_shown(&session.answer(), &["pipeline.toml changed", "a.txt  1 record", "as before"]);
    session.stop();
}

#[test]
fn what_cannot_change_while_it_runs_restarts_it() {
    let mut session = Session::start(PIPELINE, &component("guests", "pass"), &[("a.txt", "One.")]);
    session.answer();
    save(&session.path("pipeline.toml"), PIPELINE.replace("topic = \"in\"", "topic = \"inbox\""));
    assert_shown(
        &session.answer(),
        &["restarted: what changed cannot change while it runs; in", "a.txt  1 record", "as before"],
    );
    save(&session.path("pipeline.toml"), PIPELINE.replace("name = \"words\"", "name = \"other\""));
    assert_shown(&session.answer(), &["other runs on an embedded broker", "a.txt  1 record", "as before"]);
    session.stop();
}

#[test]
fn once_ends_by_itself_with_what_became_of_the_samples() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("first.wasm"), component("stages", "chunk")).unwrap();
    fs::write(path("pipeline.toml"), PIPELINE).unwrap();
    for (name, content) in [("good.txt", "One."), ("bad.png", "no text")] {
        fs::write(path(name), content).unwrap();
    }
    let once = |more: &[&str], samples: &[&str]| {
        let mut dev = gristmill();
        dev.arg("dev").arg(path("pipeline.toml")).arg("--once").args(more);
        if !samples.is_empty() {
            dev.arg("--send").args(samples.iter().map(|sample| path(sample)));
        }
        let output = dev.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, shown, _) = once(&[], &["good.txt"]);
    assert_eq!(code, Some(0), "{shown}");
    assert_shown(&shown, &["good.txt\n", "1 record"]);
    let with_type = PIPELINE.replace("topic = \"in\"", "topic = \"in\"\ncontent_type = \"image/png\"");
    fs::write(path("pipeline.toml"), with_type).unwrap();
    let (code, shown, told) = once(&[], &["bad.png"]);
    assert_eq!(code, Some(1), "{shown}{told}");
    assert_shown(&told, &["1 of 1 samples became dead letters"]);
    let (code, _, told) = once(&[], &[]);
    assert_eq!(code, Some(78), "{told}");
    assert_shown(&told, &["no samples: put events into", "samples"]);
}

/// A stage of about 300 KB. `GRISTMILL_SOAK` makes more rounds.
#[test]
fn a_saved_stage_answers_within_a_second() {
    let pipeline = PIPELINE.to_owned()
        + "grants = [\"embeddings\"]\n[models.words]\ntargets = [{ provider = \"openai\", model = \"x\" }]\n";
    let module = component("stages", "embed");
    let mut session = Session::start(&pipeline, &module, &[("a.txt", "One."), ("b.txt", "Two.")]);
    assert_shown(&session.answer(), &["words: answers made of the item's own words"]);
    let rounds = if std::env::var_os("GRISTMILL_SOAK").is_some() { 50 } else { 5 };
    let mut times: Vec<Duration> = (0..rounds)
        .map(|round| {
            let module = with_note(module.clone(), round);
            let begun = Instant::now();
            save(&session.path("first.wasm"), module);
            assert_shown(&session.answer(), &["swapped in", "b.txt  1 record", "as before"]);
            begun.elapsed()
        })
        .collect();
    times.sort();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    println!(
        "{} bytes saved to answered: median {median:.0?}, worst {worst:.0?} of {rounds}; load {load}",
        module.len()
    );
    // On an idle machine; a busy one may take its time, but not without end.
    assert!(median < Duration::from_secs(30), "{times:?}");
    session.stop();
}

/// The whole way, from the source in an editor to the answer. Only with `GRISTMILL_SOAK`: the first build takes its time.
#[test]
fn a_saved_source_is_built_and_answers_within_a_second_beyond_that() {
    if std::env::var_os("GRISTMILL_SOAK").is_none() {
        eprintln!("skipped: GRISTMILL_SOAK is not set");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    succeeded(gristmill().args(["new", "hello"]).current_dir(folder.path()).output().unwrap());
    let project = folder.path().join("hello");
    let mut session = Session::in_folder(folder);
    session.begin(&project.join("pipeline.toml"));
    assert_shown(&session.answer(), &["hello built in", "hello runs on an embedded broker"]);
    let source = project.join("stages/hello/src/lib.rs");
    let written = fs::read_to_string(&source).unwrap();
    save(&source, written.replace("fn process(", "fn process"));
    assert_shown(&session.answer(), &["lib.rs changed", "error", "src/lib.rs:", "the version before goes on"]);
    for join in ["_", "-", "+", "=", "*"] {
        let begun = Instant::now();
        save(&source, written.replace("words.join(\" \")", &format!("words.join(\"{join}\")")));
        let answer = session.answer();
        let took = begun.elapsed();
        assert_shown(&answer, &["hello built in", "swapped in", "changed"]);
        let (_, built) = answer.split_once("built in ").unwrap();
        let built: f64 = built.split_once(" s").unwrap().0.parse().unwrap();
        let size = fs::metadata(project.join("target/stages/hello.wasm")).unwrap().len();
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        println!("{size} bytes: saved to answered {took:.2?}, of that {built:.2} s the build; load {load}");
    }
    session.stop();
}
