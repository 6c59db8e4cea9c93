//! Commands about components that are there: no compiler is needed.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{fails, succeeds};

#[test]
fn inspect_tells_what_a_standard_stage_is() {
    let folder = tempfile::tempdir().unwrap();
    let told: Value =
        serde_json::from_str(&succeeds(folder.path(), &["stage", "inspect", "builtin:chunk", "--json"])).unwrap();
    assert_eq!((&told["name"], &told["grants"]), (&"chunk".into(), &serde_json::json!([])), "{told}");
    assert!(told["contract"].as_str().unwrap().starts_with("0.2."), "{told}");
    assert_eq!(told["sha256"].as_str().map(str::len), Some(64), "{told}");
    assert!(told["config_schema"]["properties"]["size"].is_object(), "{told}");
    let (bytes, limit) = (told["instance"]["bytes"].as_u64().unwrap(), told["limits"]["memory"].as_u64().unwrap());
    assert!((1..limit).contains(&bytes), "{told}");
    assert_eq!(told["instance"]["snapshot"], true, "{told}");
    let asking: Value =
        serde_json::from_str(&succeeds(folder.path(), &["stage", "inspect", "builtin:enrich", "--json"])).unwrap();
    assert_eq!(asking["grants"], serde_json::json!(["llm"]), "{asking}");
    assert!(asking["imports"].to_string().contains("gristmill:stage/llm@"), "{asking}");
}

#[test]
fn a_stage_that_refuses_the_configuration_is_described_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let told = succeeds(folder.path(), &["stage", "inspect", "builtin:enrich"]);
    assert!(told.contains("not made:") && told.contains("does not take this configuration"), "{told}");
    assert!(told.contains("grants = [\"llm\"]") && told.contains("\"tasks\""), "the schema is shown: {told}");
}

#[test]
fn what_is_no_stage_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("text.wasm"), "hello").unwrap();
    fs::write(folder.path().join("core.wasm"), b"\0asm\x01\0\0\0").unwrap();
    for (stage, reason) in [
        ("text.wasm", "is not a WebAssembly component"),
        ("core.wasm", "is a core WebAssembly module"),
        ("gone.wasm", "cannot be read"),
        ("builtin:chonk", "the known ones are extract, chunk"),
        (".", "has no Cargo.toml"),
    ] {
        let said = fails(folder.path(), &["stage", "inspect", stage], 78);
        assert!(said.contains(reason), "{stage}: {said}");
    }
}

#[test]
fn one_item_runs_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(at.join("item.md"), "# One\n\nA text.\n\n# Two\n\nAnother text.\n").unwrap();
    let came =
        succeeds(at, &["stage", "run", "builtin:chunk", "item.md", "--config", "size = 20", "--config", "overlap = 0"]);
    let came: toml::Table = came.parse().unwrap();
    assert_eq!(came["outcome"].as_str(), Some("emit"));
    assert!(came["output"].as_array().unwrap().len() > 1, "{came}");

    // A model that nobody scripted is refused, and how to fix it is named.
    let config = ["--config", "tasks = [\"summary\"]"];
    let said = fails(at, &[&["stage", "run", "builtin:enrich", "item.md"], &config[..]].concat(), 1);
    assert!(said.contains("outcome = \"permanent\"") && said.contains("answers.toml"), "{said}");
    // What lies beside the item answers, whatever the alias is called.
    fs::write(at.join("answers.toml"), "[[rule]]\nanswer = { summary = \"Two texts.\" }\n").unwrap();
    let model = ["--config", "model = \"some-alias\""];
    let came = succeeds(at, &[&["stage", "run", "builtin:enrich", "item.md"], &config[..], &model[..]].concat());
    assert!(came.contains("Two texts."), "{came}");
    let said = fails(at, &["stage", "run", "builtin:chunk", "item.md", "--config", "size ="], 78);
    assert!(said.contains("--config is no TOML"), "{said}");
}

#[test]
fn a_standard_stage_is_exported_as_it_is_embedded() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(folder.path(), &["stage", "export", "builtin:chunk", "--to", "chunk.wasm"]);
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("stages").join("chunk.wasm");
    assert!(fs::read(folder.path().join("chunk.wasm")).unwrap() == fs::read(built).unwrap(), "another component");
    let told = succeeds(folder.path(), &["stage", "inspect", "chunk.wasm"]);
    assert!(told.starts_with("chunk "), "{told}");
}

#[test]
fn nothing_is_begun_where_something_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("taken")).unwrap();
    for arguments in [&["new", "taken"][..], &["stage", "new", "taken"]] {
        assert!(fails(folder.path(), arguments, 78).contains("exists already"));
    }
    let said = fails(folder.path(), &["new", "No Name"], 2);
    assert!(said.contains("1 to 40 of a-z"), "{said}");
    assert!(fails(folder.path(), &["stage", "sdk"], 78).contains("carries no SDK"));
}
