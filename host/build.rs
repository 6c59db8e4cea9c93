//! Embeds the standard stages: writes `builtin.rs` with the components that `cargo stages` left in `target/stages`.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The standard stages, in the order of a document's way; the last is for those that are lost on it.
const STAGES: [&str; 8] = ["extract", "chunk", "language", "sanitize", "enrich", "embed", "validate", "rescue"];
/// Those that are there a second time, with an import of `llm`.
const ASKING: [&str; 1] = ["sanitize"];

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    // Cargo fails the build for this line, and shows it as it is only where the exit code is 0.
    if let Err(reason) = embed(&out) {
        println!("cargo::error={reason}");
    }
}

fn embed(out: &Path) -> Result<(), String> {
    let Some(stages) = stages(out) else {
        return Err("the standard stages are not built yet: run `cargo stages` first".to_owned());
    };
    let mut table = String::from("/// The standard stages.\npub const BUILTIN: &[Builtin] = &[\n");
    for stage in STAGES {
        let asking = match ASKING.contains(&stage) {
            true => format!("Some({})", included(&stages, &format!("{stage}.llm"))),
            false => "None".to_owned(),
        };
        let component = included(&stages, stage);
        let _ = writeln!(table, "    Builtin {{ name: {stage:?}, component: {component}, asking: {asking} }},");
    }
    table.push_str("];\n");
    fs::write(out.join("builtin.rs"), table).map_err(|error| format!("builtin.rs cannot be written: {error}"))
}

/// The folder of the stages in the target folder. That one stands above `out`; how far depends on what is built for
/// which machine.
fn stages(out: &Path) -> Option<PathBuf> {
    let mut folders = out.ancestors().map(|folder| folder.join("stages"));
    let is_there = |stages: &Path, name: &str| component(stages, name).is_file();
    folders.find(|stages| {
        let asking = ASKING.iter().all(|stage| is_there(stages, &format!("{stage}.llm")));
        asking && STAGES.iter().all(|stage| is_there(stages, stage))
    })
}

/// The expression that stands for a component's bytes.
fn included(stages: &Path, name: &str) -> String {
    let path = component(stages, name);
    println!("cargo::rerun-if-changed={}", path.display());
    format!("include_bytes!({:?})", path.display().to_string())
}

fn component(stages: &Path, name: &str) -> PathBuf {
    stages.join(format!("{name}.wasm"))
}
