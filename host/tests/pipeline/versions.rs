//! Versions of stages in a host that runs: files that change, modules that are sent, canaries, and the way back.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Output;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use gristmill_core::model::Event;
use reqwest::{Client, Response};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::harness::{Harness, Host, by_job, gristmill, header};
use crate::metrics::admin;

/// The guest `pass` with some bytes behind it that change nothing but its digest.
fn version(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("guests").join("pass.wasm");
    let mut wasm = std::fs::read(path).unwrap();
    // A custom section: its kind, its size, the size of its name, its name, its contents.
    let size = u8::try_from(3 + name.len()).unwrap();
    wasm.extend([0, size, 2, b't', b'v']);
    wasm.extend(name.as_bytes());
    wasm
}

/// How outputs and people call a module.
fn short(wasm: &[u8]) -> String {
    Sha256::digest(wasm).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A pipeline with one stage, whose module lies beside its file.
struct Here {
    harness: Harness,
    host: Host,
    url: String,
}

impl Here {
    async fn start(more: &str) -> Self {
        let harness = Harness::new(&format!("[[stage]]\nname = \"s\"\nmodule = \"s.wasm\"\n{more}"), 2).await;
        std::fs::write(harness.folder().join("s.wasm"), version("file 1")).unwrap();
        let mut host = harness.start();
        let url = admin(&harness, &mut host).await;
        let mut here = Self { harness, host, url };
        here.until_serving(&version("file 1")).await;
        here
    }

    async fn restart(self) -> Self {
        let Self { harness, host, .. } = self;
        assert_eq!(host.terminate().await, Some(0));
        let mut host = harness.start();
        let url = admin(&harness, &mut host).await;
        Self { harness, host, url }
    }

    fn module(&self) -> PathBuf {
        self.harness.folder().join("s.wasm")
    }

    /// Saves a module as a build does: by a rename.
    fn save(&self, wasm: &[u8]) {
        let new = self.harness.folder().join("s.new");
        std::fs::write(&new, wasm).unwrap();
        std::fs::rename(new, self.module()).unwrap();
    }

    async fn push(&self, wasm: &[u8], query: &str) -> Response {
        let url = format!("{}/v1/pipelines/{}/stages/s/versions?{query}", self.url, self.harness.name);
        let digest = format!("sha-256=:{}:", BASE64_STANDARD.encode(Sha256::digest(wasm)));
        Client::new().post(url).header("content-digest", digest).body(wasm.to_vec()).send().await.unwrap()
    }

    async fn pushed(&self, wasm: &[u8], query: &str) -> Value {
        let answer = self.push(wasm, query).await;
        let (status, body) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        let url = format!("{}/{path}", self.url);
        Client::new().get(url).send().await.unwrap().json().await.unwrap()
    }

    /// The versions as state and first digits.
    async fn versions(&self) -> Vec<(String, String)> {
        let list = self.get(&format!("v1/pipelines/{}/stages/s/versions", self.harness.name)).await;
        let versions = list["stages"][0]["versions"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        versions.iter().map(|version| (text(&version["state"]), text(&version["digest"])[..16].to_owned())).collect()
    }

    async fn is_serving(&self, wasm: &[u8]) -> bool {
        self.versions().await.contains(&("serving".to_owned(), short(wasm)))
    }

    async fn until_serving(&mut self, wasm: &[u8]) {
        let Self { harness, host, url } = self;
        let (url, name) = (url.clone(), harness.name.clone());
        let digits = short(wasm);
        harness
            .until("a version serves", host, async || {
                let url = format!("{url}/v1/pipelines/{name}");
                let view: Value = Client::new().get(url).send().await.unwrap().json().await.unwrap();
                view["stages"][0]["digest"].as_str().is_some_and(|digest| digest.starts_with(&digits))
            })
            .await;
    }

    /// What a command says, without its last line feed.
    async fn command(&self, args: &[&str]) -> Output {
        let mut command = gristmill();
        command.arg("stage").arg(args[0]).arg(&self.harness.name).arg("s").args(&args[1..]).args(["--url", &self.url]);
        command.output().await.unwrap()
    }

    async fn told(&self, args: &[&str]) -> String {
        let output = self.command(args).await;
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{args:?}: {told}{}", String::from_utf8(output.stderr).unwrap());
        told
    }
}

fn event(number: usize) -> (&'static str, Option<String>) {
    ("text/plain", Some(format!("event {number}")))
}

/// Each of so many jobs has one output, and says which module made it.
fn made_by(records: &[Event], jobs: usize) -> BTreeSet<String> {
    let counts: BTreeSet<usize> = by_job(records).into_values().collect();
    assert_eq!((by_job(records).len(), counts), (jobs, BTreeSet::from([1])), "each event is written once");
    records.iter().map(|record| header(record, "gristmill-stage-versions")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_is_saved_serves_and_one_that_is_broken_changes_nothing() {
    let mut here = Here::start("").await;
    here.harness.send((0..500).map(event)).await;
    here.harness.until_settled(500, &mut here.host).await;
    here.save(&version("file 2"));
    here.until_serving(&version("file 2")).await;
    here.harness.send((500..1_000).map(event)).await;
    here.harness.until_settled(1_000, &mut here.host).await;

    // Half of a module, in place: it is told of, and nothing else happens.
    let half = &version("file 3")[..10_000];
    std::fs::write(here.module(), half).unwrap();
    let refused = ("refused".to_owned(), short(half));
    let (url, name) = (here.url.clone(), here.harness.name.clone());
    let Here { harness, host, .. } = &mut here;
    harness
        .until("the half is refused", host, async || {
            let ready: Value = Client::new().get(format!("{url}/readyz")).send().await.unwrap().json().await.unwrap();
            let warning = &ready["warnings"][0];
            warning["stage"] == "s" && warning["pipeline"] == *name && ready["ready"] == true
        })
        .await;
    assert!(here.versions().await.contains(&refused), "{:?}", here.versions().await);
    assert!(here.is_serving(&version("file 2")).await);
    let metrics = Client::new().get(format!("{}/metrics", here.url)).send().await.unwrap().text().await.unwrap();
    let counted = format!("gristmill_stage_versions_total{{pipeline={name:?},stage=\"s\",change=\"refused\"}} 1");
    assert!(metrics.contains(&counted), "{metrics}");
    here.harness.send((1_000..1_500).map(event)).await;
    here.harness.until_settled(1_500, &mut here.host).await;

    // The rest of it.
    std::fs::write(here.module(), version("file 3")).unwrap();
    here.until_serving(&version("file 3")).await;
    let ready = here.get("readyz").await;
    assert!(ready.get("warnings").is_none(), "{ready}");
    let records = here.harness.records("out").await;
    let expected = ["file 1", "file 2"].map(|name| format!("s={}", short(&version(name))));
    assert_eq!(made_by(&records, 1_500), expected.into());
    assert_eq!(here.host.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_pushed_holds_over_restarts_until_the_files_module_changes() {
    let here = Here::start("").await;
    let done = here.pushed(&version("pushed"), "activate=now").await;
    assert_eq!((&done["version"], &done["state"]), (&2.into(), &"serving".into()));
    assert!(here.is_serving(&version("pushed")).await, "it serves when the answer is there");

    let mut here = here.restart().await;
    here.until_serving(&version("pushed")).await;
    // The same bytes are no change, however they come.
    here.save(&version("file 1"));
    here.harness.send((0..200).map(event)).await;
    here.harness.until_settled(200, &mut here.host).await;
    assert!(here.is_serving(&version("pushed")).await);

    here.save(&version("file 2"));
    here.until_serving(&version("file 2")).await;
    let mut here = here.restart().await;
    here.until_serving(&version("file 2")).await;

    // Back in one verb, over a file that stays, and over a restart.
    assert!(here.told(&["rollback"]).await.starts_with("version 2 of s in "), "to what was pushed");
    let mut here = here.restart().await;
    here.until_serving(&version("pushed")).await;
    let history = here.told(&["history"]).await;
    let whos: Vec<&str> = history
        .lines()
        .filter(|line| line.contains("serving"))
        .map(|line| line.split_whitespace().nth(3).unwrap())
        .collect();
    assert_eq!(whos, ["file", "push", "file", "rollback"], "{history}");
    let made = made_by(&here.harness.records("out").await, 200);
    assert_eq!(made, BTreeSet::from([format!("s={}", short(&version("pushed")))]));
    assert_eq!(here.host.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_send_choose_and_take_back_versions_under_load() {
    let here = Here::start("").await;
    let file = here.harness.folder().join("sent.wasm");
    std::fs::write(&file, version("sent")).unwrap();
    let file = file.display().to_string();
    let changes = async {
        for _ in 0..5 {
            assert!(here.told(&["activate", &file]).await.starts_with("version 2 of s "));
            assert!(here.told(&["activate", "1"]).await.starts_with("version 1 of s "));
            assert!(here.told(&["activate", &short(&version("sent"))]).await.starts_with("version 2 of s "));
            assert!(here.told(&["rollback"]).await.starts_with("version 1 of s "));
        }
    };
    tokio::join!(changes, here.harness.send((0..3_000).map(event)));
    let list = here.told(&["list"]).await;
    assert!(list.contains("serving") && list.contains("retired") && list.contains("what the file names"), "{list}");

    for (args, word) in [
        (&["activate", "7"][..], "no version"),
        (&["activate", "no/such.wasm"], "no/such.wasm"),
        (&["activate", &here.harness.file().display().to_string()], "not a WebAssembly component"),
        (&["activate", "1", "--canary", "5"], "serves already"),
    ] {
        let refused = here.command(args).await;
        let why = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && why.contains(word), "{args:?}: {why}");
    }
    let Here { harness, mut host, .. } = here;
    harness.until_settled(3_000, &mut host).await;
    let made = made_by(&harness.records("out").await, 3_000);
    let known = ["file 1", "sent"].map(|name| format!("s={}", short(&version(name))));
    assert!(made.is_subset(&known.into()), "{made:?}");
    assert_eq!(host.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_gets_its_share_and_ends_in_one_verb_or_serves() {
    let mut here = Here::start("").await;
    let done = here.pushed(&version("canary"), "activate=canary&share=50").await;
    assert_eq!(done["state"], "canary");
    here.harness.send((0..1_000).map(event)).await;
    here.harness.until_settled(1_000, &mut here.host).await;
    let view = here.get(&format!("v1/pipelines/{}", here.harness.name)).await;
    assert_eq!(view["canary"]["share"], "50%", "{view}");
    let made = made_by(&here.harness.records("out").await, 1_000);
    assert_eq!(made.len(), 2, "both have worked: {made:?}");

    assert!(here.told(&["rollback"]).await.starts_with("version 1 of s "));
    assert!(here.versions().await.contains(&("retired".to_owned(), short(&version("canary")))));
    assert!(here.told(&["activate", "2", "--canary", "50"]).await.contains("on trial"));
    // A canary ends with its process.
    let mut here = here.restart().await;
    here.until_serving(&version("file 1")).await;
    assert!(here.versions().await.contains(&("retired".to_owned(), short(&version("canary")))));
    assert!(here.told(&["activate", "2", "--canary", "50"]).await.contains("on trial"));
    assert!(here.told(&["activate", "2"]).await.contains("serves"));
    here.until_serving(&version("canary")).await;
    assert_eq!(here.host.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_activated_version_that_does_not_fit_any_more_gives_way_at_a_start() {
    let here = Here::start("").await;
    // `chunk` takes a configuration that `pass` does not.
    let chunk =
        std::fs::read(Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("stages").join("chunk.wasm")).unwrap();
    here.pushed(&chunk, "activate=now").await;
    let Here { harness, host, .. } = here;
    assert_eq!(host.terminate().await, Some(0));
    let text = std::fs::read_to_string(harness.file()).unwrap();
    let stricter = text.replace("module = \"s.wasm\"\n", "module = \"s.wasm\"\nconfig = { no_such_key = 1 }\n");
    // And neither does `pass`, so nothing can run: both reasons are told.
    std::fs::write(harness.file(), &stricter).unwrap();
    let output = harness.run_to_end().await;
    assert_eq!(output.status.code(), Some(78), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(harness.file(), &text).unwrap();
    let modules = harness.folder().join("state/versions/modules");
    for module in std::fs::read_dir(modules).unwrap() {
        std::fs::write(module.unwrap().path(), "broken").unwrap();
    }
    let mut host = harness.start();
    let url = admin(&harness, &mut host).await;
    let mut here = Here { harness, host, url };
    here.until_serving(&version("file 1")).await;
    assert!(here.harness.log().contains("the file's own serves"), "{}", here.harness.log());
    assert_eq!(here.host.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_pipeline_file_is_swapped_or_restarted_and_a_faulty_one_is_told() {
    let mut here = Here::start("").await;
    let text = std::fs::read_to_string(here.harness.file()).unwrap();
    let more = "[[stage]]\nname = \"clean\"\nmodule = \"builtin:sanitize\"\n";
    let name = here.harness.name.clone();
    let write = |harness: &Harness, text: String| std::fs::write(harness.file(), text).unwrap();
    let told = async |here: &mut Here, word: &str| {
        let Here { harness, host, .. } = here;
        harness.until(word, host, async || harness.log().contains(word)).await;
    };
    write(&here.harness, format!("{text}{more}"));
    let swapped =
        async |here: &Here| here.get(&format!("v1/pipelines/{name}")).await["stages"].as_array().map(Vec::len);
    let (url, path) = (here.url.clone(), format!("v1/pipelines/{name}"));
    let Here { harness, host, .. } = &mut here;
    harness
        .until("the second stage runs", host, async || {
            let view: Value = Client::new().get(format!("{url}/{path}")).send().await.unwrap().json().await.unwrap();
            view["stages"].as_array().is_some_and(|stages| stages.len() == 2)
        })
        .await;
    write(&here.harness, format!("{text}{more}nonsense = 1\n"));
    told(&mut here, "unknown key").await;
    assert_eq!(swapped(&here).await, Some(2));
    let ready = here.get("readyz").await;
    assert!(ready["warnings"][0]["message"].as_str().is_some_and(|why| why.contains("nonsense")), "{ready}");
    write(&here.harness, format!("{text}{more}[limits]\nmax_in_flight = 17\n"));
    told(&mut here, "cannot change in place").await;
    here.harness.send((0..100).map(event)).await;
    here.harness.until_settled(100, &mut here.host).await;
    assert!(here.get("readyz").await.get("warnings").is_none());
    assert_eq!(here.host.terminate().await, Some(0));
}
