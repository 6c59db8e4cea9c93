//! A stage of one's own, when something is wrong with it.

use std::fs;
use std::path::Path;

use super::{command, fails, folder, succeeds};

#[test]
fn a_stage_that_does_not_compile_leaves_the_last_component_in_place() {
    let folder = folder("lone");
    succeeds(&folder, &["stage", "new", "lone"]);
    let stage = folder.join("lone");
    let built = succeeds(&stage, &["stage", "build", "--json"]);
    let built: serde_json::Value = serde_json::from_str(&built).unwrap();
    assert_eq!((&built["name"], &built["grants"]), (&"lone".into(), &serde_json::json!([])), "{built}");
    assert!(built["bytes"].as_u64().unwrap() < 1 << 20, "{built}");
    assert_eq!(built["instance"]["snapshot"], true, "{built}");
    assert_eq!(built["call"]["item"], "cases/tidy", "{built}");
    assert_eq!(built["config_schema"]["properties"]["least_words"]["maximum"], 1000, "{built}");

    let component = stage.join("target/stages/lone.wasm");
    let before = fs::read(&component).unwrap();
    let source = stage.join("src/lib.rs");
    let good = fs::read_to_string(&source).unwrap();
    fs::write(&source, good.replace("words.join(\" \")", "words.jion(\" \")")).unwrap();
    for arguments in [&["stage", "build"], &["stage", "test"]] {
        let said = fails(&stage, arguments, 1);
        assert!(said.contains("no method named `jion`") && said.contains("lone does not compile"), "{said}");
    }
    assert_eq!(fs::read(&component).unwrap(), before);

    // Its words are gone, and its cases say so.
    fs::write(&source, good.replace("least_words: config.least_words", "least_words: 0")).unwrap();
    let said = fails(&stage, &["stage", "test"], 1);
    assert!(said.contains("- outcome = \"drop\"") && said.contains("+ outcome = \"emit\""), "{said}");
    assert!(said.contains("1 of 2 cases failed") && said.contains("--update"), "{said}");

    // A panic is an outcome like another, with the place where it happened.
    fs::write(&source, good.replace("log::info(", "assert!(words.len() > 99);\n        log::info(")).unwrap();
    let said = fails(&stage, &["stage", "run", ".", "cases/tidy/item.txt"], 1);
    assert!(said.contains("code = \"trap\"") && said.contains("src/lib.rs"), "{said}");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_is_missing_to_build_a_stage_is_said_with_how_to_get_it() {
    let folder = folder("lacking");
    let output =
        command("gristmill", &folder).args(["stage", "new", "poor"]).env("CARGO", "/nowhere").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("https://rustup.rs"), "{said}");
    for (variable, value, how) in
        [("CARGO", "/nowhere", "https://rustup.rs"), ("RUSTC", "/nowhere", "install Rust by https://rustup.rs")]
    {
        let mut build = command("gristmill", &folder);
        build.args(["stage", "build", "poor", "--offline"]).env(variable, value);
        // A target folder of its own, or cargo would not call the compiler at all.
        build.env("CARGO_TARGET_DIR", folder.join("target"));
        let output = build.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(how), "{variable}: {said}");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_stage_in_another_language_says_what_builds_it() {
    let folder = folder("languages");
    for (language, how) in [("python", "pip install -r requirements.txt"), ("js", "npm install")] {
        succeeds(&folder, &["stage", "new", language, "--lang", language]);
        let mut build = command("gristmill", &folder);
        build
            .args(["stage", "build", language])
            .env("PATH", Path::new(env!("CARGO_BIN_EXE_gristmill")).parent().unwrap());
        let output = build.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(how), "{language}: {said}");
    }
    fs::remove_dir_all(&folder).unwrap();
}
