//! The section of the README about the API, done as it says.

use std::path::Path;

use tokio::process::Command;

use crate::harness::Host;

/// The commands of the section: each block of a shell, with lines that go on joined.
fn commands() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let section = readme.split("## Submit a document over HTTP").nth(1).unwrap().split("\n## ").next().unwrap();
    let blocks = section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.flat_map(|block| block.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

async fn run(command: &str) -> String {
    let output = Command::new("sh").arg("-c").arg(command).current_dir(root()).output().await.unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_submitted_and_followed_with_curl_as_the_readme_says() {
    let commands = commands();
    let (start, asked) = commands.split_first().unwrap();
    let [submit, job, events, timeline, result] = <[String; 5]>::try_from(asked.to_vec()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let arguments = start.strip_prefix("gristmill ").unwrap().replace("127.0.0.1:8080", "127.0.0.1:0");
    let mut host = Host::launch(folder.path(), |command| {
        command.args(arguments.split(' ')).args(["--admin", "off"]).env("GRISTMILL_STATE", folder.path());
        command.current_dir(root());
    })
    .await;
    host.until_logged("dead_letters=").await;
    let here = |command: &str| command.replace("http://127.0.0.1:8080", host.client.base());

    let accepted: serde_json::Value = serde_json::from_str(&run(&here(&submit)).await).unwrap();
    let id = accepted["job_id"].as_str().unwrap();
    let again: serde_json::Value = serde_json::from_str(&run(&here(&submit)).await).unwrap();
    assert_eq!(again["job_id"], id);
    let of_job = |command: &str| here(command).replace("/ID", &format!("/{id}"));
    assert!(run(&of_job(&job)).await.contains("\"progress\""));
    let told = run(&of_job(&events)).await;
    assert!(told.contains("\"status\":\"completed\""), "the events end with the job: {told}");
    assert!(run(&of_job(&timeline)).await.contains("enrich"));
    assert!(run(&of_job(&result)).await.contains("outputs"));
}
