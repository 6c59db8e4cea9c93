//! `gristmill check` as a type checker: nothing to say of the examples, and with the standard stages it finds what does not fit.

use std::fs;
use std::path::{Path, PathBuf};

use crate::gristmill;

/// All pipeline files of the examples.
fn pipelines() -> Vec<PathBuf> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("examples");
    let mut found = Vec::new();
    let mut folders = vec![examples];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_pipeline = |path: &Path| {
                path.extension().is_some_and(|extension| extension == "toml")
                    && fs::read_to_string(path).unwrap().contains("[[stage]]")
                    && is_built(path)
            };
            if path.is_dir() {
                folders.push(path);
            } else if is_pipeline(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Stages in Python and JavaScript are only where the tools of these languages are.
fn is_built(pipeline: &Path) -> bool {
    let text = fs::read_to_string(pipeline).unwrap();
    let modules = text.lines().filter_map(|line| line.strip_prefix("module = \"../../target/languages/"));
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target").join("languages");
    modules.map(|rest| rest.trim_end_matches('"')).all(|name| target.join(name).is_file())
}

/// The exit code, and what was said of the files.
fn check(files: &[PathBuf]) -> (Option<i32>, String) {
    let output = gristmill().arg("check").args(files).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn nothing_is_said_of_the_examples() {
    let pipelines = pipelines();
    assert!(pipelines.len() >= 10, "{pipelines:#?}");
    for pipeline in pipelines {
        // Alone: some could not run side by side.
        assert_eq!(check(std::slice::from_ref(&pipeline)), (Some(0), String::new()), "{}", pipeline.display());
    }
}

#[test]
fn what_does_not_fit_between_standard_stages_is_found_at_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.toml");
    let head = "name = \"p\"\nkafka = { brokers = \"embedded\" }\nsource = { topic = \"in\" }\nsink = { topic = \"out\" }\n\
                dead_letter = { topic = \"dead\" }\nmodels.smart.targets = [{ provider = \"openai\", model = \"x\" }]\n\
                models.vectors.targets = [{ provider = \"openai\", model = \"y\" }]\n";
    let stage = |name: &str, more: &str| format!("[[stage]]\nname = \"{name}\"\nmodule = \"builtin:{name}\"\n{more}\n");
    let ask = |model: &str| {
        stage("enrich", &format!("grants = [\"llm\"]\nconfig = {{ tasks = [\"summary\"], model = \"{model}\" }}"))
    };
    for (stages, code, expected) in [
        (
            stage("extract", "") + &ask("smrt"),
            78,
            &["stage \"enrich\" asks the model \"smrt\", which is not there", "p.toml:16:42"][..],
        ),
        (stage("extract", "") + &stage("embed", "grants = [\"embeddings\"]"), 78, &["stage \"embed\" names no model"]),
        (ask("smart") + &stage("chunk", ""), 0, &[]),
        (
            stage("extract", "") + &ask("smart") + &stage("chunk", ""),
            0,
            &["warning: stage \"chunk\" rejects a part of what stage \"enrich\" emits: application/json"],
        ),
        (
            stage("validate", "config = { schema = { type = \"object\" } }\ngather = true") + &stage("language", ""),
            0,
            &[],
        ),
        // It asks which of its branches have a route.
        (stage("language", "branches = { de = \"drop\" }"), 0, &[]),
        (stage("extract", "next = \"drop\""), 0, &["warning: no route leads to the sink \"out\""]),
    ] {
        fs::write(&file, head.to_owned() + &stages).unwrap();
        let (found, said) = check(std::slice::from_ref(&file));
        assert_eq!(found, Some(code), "{stages}\n{said}");
        assert_eq!(said.is_empty(), expected.is_empty(), "{stages}\n{said}");
        for part in expected {
            assert!(said.contains(part), "{part:?} is not in:\n{said}");
        }
    }
}
