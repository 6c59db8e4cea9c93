//! Inputs and what must become of them, from a folder that `GRISTMILL_PAIRS` names: NAME.in and NAME.expect.

// Clippy allows unwrap only inside test functions, not in their helpers.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::{env, fs};

use gristmill_sdk::{Item, Outcome, Stage, configure};
use gristmill_stage_sanitize::Sanitize;
use serde_json::Value;

/// What is wrong with the output for this input; `None` if nothing is.
fn fault(input: &[u8], expect: &Value) -> Option<String> {
    let config = expect.get("config").map_or_else(|| "{}".to_owned(), Value::to_string);
    let stage: Sanitize = configure(&config).unwrap();
    let outcome = stage.process(Item::sample(input, expect["content_type"].as_str())).unwrap();
    let Outcome::Emit(outputs) = outcome else { return Some(format!("{outcome:?}")) };
    let output = String::from_utf8(outputs[0].payload.clone()).unwrap();
    let texts = |name: &str| -> Vec<String> {
        let list = expect[name].as_array().cloned().unwrap_or_default();
        list.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let there = texts("gone").into_iter().find(|text| output.contains(text)).map(|text| format!("still there: {text}"));
    let lost = texts("kept").into_iter().find(|text| !output.contains(text)).map(|text| format!("lost: {text}"));
    let changed = (expect["equal_input"] == true && output.as_bytes() != input).then(|| "changed".to_owned());
    there.or(lost).or(changed).map(|fault| format!("{fault} in {output:?}"))
}

#[test]
fn every_pair_of_the_folder_comes_out_as_expected() {
    let Some(folder) = env::var_os("GRISTMILL_PAIRS") else { return };
    let mut names: Vec<_> = fs::read_dir(Path::new(&folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "expect"));
    names.sort();
    let (mut run, mut faults) = (0, Vec::new());
    for path in names {
        let expect: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        if expect["stage"] != "sanitize" {
            continue;
        }
        run += 1;
        let input = fs::read(path.with_extension("in")).unwrap();
        if let Some(fault) = fault(&input, &expect) {
            faults.push(format!("{}: {fault}", path.file_stem().unwrap().display()));
        }
    }
    assert!(faults.is_empty(), "{} of {run} pairs:\n{}", faults.len(), faults.join("\n"));
}
