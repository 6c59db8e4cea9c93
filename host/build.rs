//! Embeds the standard stages: writes `builtin.rs` with the components that `cargo stages` left in `target/stages`.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The standard stages, in the order of a document's way.
const STAGES: [&str; 6] = ["extract", "chunk", "language", "sanitize", "enrich", "validate"];

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
        let path = component(&stages, stage);
        println!("cargo::rerun-if-changed={}", path.display());
        let _ = writeln!(table, "    ({stage:?}, include_bytes!({:?})),", path.display().to_string());
    }
    table.push_str("];\n");
    fs::write(out.join("builtin.rs"), table).map_err(|error| format!("builtin.rs cannot be written: {error}"))
}

/// The folder of the stages in the target folder. That one stands above `out`; how far depends on what is built for
/// which machine.
fn stages(out: &Path) -> Option<PathBuf> {
    let mut folders = out.ancestors().map(|folder| folder.join("stages"));
    folders.find(|stages| STAGES.iter().all(|stage| component(stages, stage).is_file()))
}

fn component(stages: &Path, stage: &str) -> PathBuf {
    stages.join(stage).with_extension("wasm")
}
