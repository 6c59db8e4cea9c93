//! JSON files in the configuration of a stage.

use serde_json::json;

use super::{LEAST, Pipeline};

/// A pipeline with this configuration of its stage, in a folder with a schema.
fn load(config: &str) -> Result<Pipeline, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("status.json"), "\u{feff}{\"enum\": [\"open\", null]}").unwrap();
    std::fs::write(folder.path().join("bad.json"), "{").unwrap();
    let path = folder.path().join("pipeline.toml");
    std::fs::write(&path, format!("{LEAST}config = {config}\n")).unwrap();
    Pipeline::load(&path).map_err(|error| error.to_string())
}

#[test]
fn a_table_that_names_a_json_file_stands_for_what_it_holds() {
    let pipeline =
        load(r#"{ schema = { json_file = "status.json" }, list = [{ json_file = "status.json" }] }"#).unwrap();
    let status = json!({"enum": ["open", null]});
    assert_eq!(pipeline.stages[0].config, json!({"schema": status, "list": [status]}));
}

#[test]
fn a_table_with_another_key_is_a_table() {
    let pipeline = load(r#"{ a = { json_file = "none.json", b = 1 }, c = { json_file = 1 } }"#).unwrap();
    let expected = json!({"a": {"json_file": "none.json", "b": 1}, "c": {"json_file": 1}});
    assert_eq!(pipeline.stages[0].config, expected);
}

#[test]
fn every_file_that_cannot_be_used_is_a_fault() {
    let shown = load(r#"{ a = { json_file = "none.json" }, b = { json_file = "bad.json" } }"#).unwrap_err();
    assert!(shown.contains("none.json") && shown.contains("\"bad.json\" cannot be used: it is not JSON"), "{shown}");
}
