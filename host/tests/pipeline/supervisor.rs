//! Several pipelines in one process, and the replay of dead letters.

use std::process::Output;

use crate::harness::{Harness, gristmill, header, text};
use gristmill_model_server::{Behaviour, ModelServer, Script};

const PASS: &str = "[[stage]]\nname = \"pass\"\nmodule = \"GUEST:pass\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn one_pipeline_stops_by_its_policy_and_the_other_continues() {
    let server = ModelServer::start(Script::new()).await;
    let strict = format!("[limits]\nmax_dead_letters_in_a_row = 3\n{}", crate::obedient(&server));
    let (bad, good) = (Harness::new(&strict, 1).await, Harness::new(PASS, 1).await);
    bad.send((0..10).map(|_| ("text/plain", Some("branch declared".into())))).await;
    let mut host = good.start_with(&bad);
    good.until("the other pipeline has stopped", &mut host, async || good.log().contains("stopped by itself")).await;
    assert!(good.log().contains(&bad.name), "the log names the pipeline: {}", good.log());
    assert!(good.log().contains("jobs in a row failed"), "the log names the reason: {}", good.log());
    good.send((0..100).map(|number| ("text/plain", Some(format!("{number}"))))).await;
    good.until_all_settled(&mut host).await;
    assert_eq!(good.records("out").await.len(), 100);
    assert_eq!(host.terminate().await, Some(3), "the exit code is that of the worst pipeline");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_file_gives_its_folder_of_pipelines_models_and_a_store() {
    let server = ModelServer::start(Script::new().when("", [Behaviour::answer("from the host's model")])).await;
    let obedient = crate::obedient(&server);
    let (stage, models) = obedient.split_at(obedient.find("[models").unwrap());
    let harness = Harness::new(stage, 1).await;
    let pipelines = harness.folder().display();
    let host_file = harness.folder().join("gristmill.toml");
    std::fs::write(&host_file, format!("pipelines = \"{pipelines}\"\n[limits]\ninstances = 2\n{models}")).unwrap();
    harness.send((0..20).map(|number| ("text/plain", Some(format!("ask {number}"))))).await;
    let mut host = harness.start_by("--host", &host_file);
    harness.until_all_settled(&mut host).await;
    let records = harness.records("out").await;
    assert_eq!(records.len(), 20, "{}", harness.log());
    assert!(records.iter().all(|record| text(record).contains("from the host's model")));
    assert_eq!(host.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_between_pipelines_are_reported_before_anything_runs() {
    let (one, two) =
        (Harness::without_topics(PASS), Harness::without_topics("[[stage]]\nname = \"x\"\nmodule = \"builtin:no\"\n"));
    let output = gristmill().arg("check").arg(one.file()).arg(one.file()).output().await.unwrap();
    assert!(stderr(&output).contains("two pipelines are named"), "{}", stderr(&output));
    let output = gristmill().arg("run").arg(one.file()).arg(two.file()).output().await.unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(stderr(&output).contains("no builtin stage"), "{}", stderr(&output));
    let output = gristmill().arg("check").arg(one.folder()).output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "a folder stands for all pipelines in it: {}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undeclared_branch_is_shown_with_its_line() {
    let server = ModelServer::start(Script::new()).await;
    let stage = "module = \"GUEST:misbehave\"\nbranches = { declared = \"drop\", decalred = \"sink\" }";
    let harness = Harness::without_topics(&crate::obedient(&server).replace("module = \"GUEST:misbehave\"", stage));
    let output = gristmill().arg("check").arg(harness.file()).output().await.unwrap();
    let stderr = stderr(&output);
    assert_eq!(output.status.code(), Some(78), "{stderr}");
    assert!(stderr.contains("declares no branch \"decalred\"") && stderr.contains("it declares: declared"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_listed_shown_replayed_and_then_hidden() {
    let broken = Behaviour::error(400, "invalid_request_error", "no such thing");
    let script = Script::new().when("fixed", [broken.clone(), Behaviour::answer("at last")]).when("hopeless", [broken]);
    let server = ModelServer::start(script).await;
    let harness = Harness::new(&crate::obedient(&server), 1).await;
    harness.send(["fixed", "hopeless"].map(|kind| ("text/plain", Some(format!("ask {kind}"))))).await;
    let mut host = harness.start();
    harness.until_all_settled(&mut host).await;

    let listed = stdout(&dlq(&harness, &["list"]).await);
    assert!(listed.ends_with("2 dead letters: 2 llm-invalid-request\n"), "{listed}");
    assert!(listed.contains(&format!("{}/{}/0/0", harness.name, harness.topic("in"))), "{listed}");
    let shown = stdout(&dlq(&harness, &["show", "0/0"]).await);
    assert!(shown.contains("replayed since no") && shown.contains("gristmill-stage: obey"), "{shown}");
    assert!(shown.contains("content-type: text/plain"), "{shown}");

    let none = stdout(&dlq(&harness, &["replay", "--reason", "trap"]).await);
    assert!(none.starts_with("0 dead letters replayed"), "{none}");
    let dry = stdout(&dlq(&harness, &["replay", "--all-letters", "--dry-run"]).await);
    assert!(dry.contains("2 dead letters would be replayed to"), "{dry}");
    let unknown = dlq(&harness, &["replay", "--all-letters", "--from-stage", "oby"]).await;
    assert!(stderr(&unknown).contains("its stages are obey"), "{}", stderr(&unknown));
    let missing = dlq(&harness, &["replay", "0/99"]).await;
    assert!(stderr(&missing).contains("no dead letter at 0/99"), "{}", stderr(&missing));
    assert_eq!(harness.records("in").await.len(), 2, "none of these wrote a record");

    let replayed = stdout(&dlq(&harness, &["replay", "--all-letters"]).await);
    assert!(replayed.starts_with("2 dead letters replayed to"), "{replayed}");
    // A transaction marker, which is not an event, follows the replayed events, so this does not wait for the end.
    harness.until_settled(4, &mut host).await;
    let out = harness.records("out").await;
    assert_eq!(out.iter().map(text).collect::<Vec<_>>(), ["at last"]);
    let job = header(&out[0], "gristmill-job-id");
    assert!(job.ends_with(".in/0/0") || job.ends_with(".in/0/1"), "the job resumes under its own id: {job}");
    let dead_letters: Vec<_> =
        harness.records("dead").await.into_iter().filter(|letter| letter.payload.is_some()).collect();
    assert_eq!(dead_letters.len(), 3, "one of them failed again");
    assert_eq!(
        (header(&dead_letters[2], "gristmill-replays"), text(&dead_letters[2])),
        ("1".into(), "ask hopeless".into())
    );
    assert_eq!(
        header(&dead_letters[2], "gristmill-first-attempt"),
        header(hopeless(&dead_letters), "gristmill-first-attempt")
    );

    let listed = stdout(&dlq(&harness, &["list"]).await);
    assert!(listed.ends_with("1 dead letter: 1 llm-invalid-request\n"), "replayed dead letters are hidden: {listed}");
    let all = stdout(&dlq(&harness, &["list", "--all", "--json"]).await);
    assert_eq!(all.lines().filter(|line| line.contains("\"replayed\":true")).count(), 2, "{all}");
    let guarded = stdout(&dlq(&harness, &["replay", "--all-letters", "--max-replays", "1"]).await);
    assert!(guarded.contains("0 dead letters replayed") && guarded.contains("1 replayed 1 times"), "{guarded}");
    assert_eq!(host.terminate().await, Some(0));
}

fn hopeless(dead_letters: &[gristmill_core::model::Event]) -> &gristmill_core::model::Event {
    dead_letters.iter().find(|letter| text(letter) == "ask hopeless").unwrap()
}

async fn dlq(harness: &Harness, args: &[&str]) -> Output {
    gristmill().arg("dlq").args(args).arg("--pipeline").arg(harness.file()).output().await.unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
