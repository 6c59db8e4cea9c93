//! The house rules that cargo and clippy cannot check, one file per rule.

mod graph;
mod imports;
mod shape;
mod tokens;
mod unsafe_code;
mod words;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Files that may contain any words: history, and the list of words itself.
const OTHERS_WORDS: &[&str] = &["CHANGELOG.md", "xtask/src/rules/words.rs"];

/// Checks every Rust, Markdown and TOML file of the repository.
///
/// # Errors
/// All faults, each with its file.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut files = Vec::new();
    collect(root, root, &mut files)?;
    ensure!(files.len() > 10, "no source files found in {}", root.display());
    let mut faults = Vec::new();
    for (name, text) in &files {
        faults.extend(words::file_name(name));
        if !is_others(name) {
            faults.extend(words::phrases(name, text));
        }
        if name.ends_with(".rs") {
            for rule in [shape::size_and_purpose, shape::loose_ends, unsafe_code::check] {
                faults.extend(rule(name, text));
            }
        }
    }
    for krate in crates(&files) {
        faults.extend(graph::check(&krate, &sources(&krate, &files)));
    }
    ensure!(faults.is_empty(), "\n{}", faults.join("\n"));
    Ok(())
}

fn is_others(name: &str) -> bool {
    let data = |folder: &str, parts: &[&str]| name.starts_with(folder) && parts.iter().any(|part| name.contains(part));
    OTHERS_WORDS.contains(&name) || data("examples/", &["/input/", "/expected/"]) || data("stages/", &["/tests/files/"])
}

/// Reads the files below a folder, named by their path below `root`.
fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        if path.is_dir() {
            if !path.ends_with("target") && !path.ends_with(".git") {
                collect(root, &path, files)?;
            }
        } else if path.extension().is_some_and(|extension| ["rs", "md", "toml"].iter().any(|known| extension == *known))
        {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
            files.push((name, text));
        }
    }
    Ok(())
}

/// The folders of the crates in `host` and `xtask`.
fn crates(files: &[(String, String)]) -> Vec<String> {
    let folder = |name: &str| {
        let folder = name.strip_suffix("/Cargo.toml")?;
        (folder == "xtask" || folder == "host" || folder.starts_with("host/")).then(|| folder.to_owned())
    };
    files.iter().filter_map(|(name, _)| folder(name)).collect()
}

/// The files below `src` of a crate. A `main.rs` next to a `lib.rs` is another crate, of one file.
fn sources(krate: &str, files: &[(String, String)]) -> Vec<(String, String)> {
    let prefix = format!("{krate}/src/");
    let source = |(name, text): &(String, String)| {
        let name = name.strip_prefix(&prefix).filter(|name| name.ends_with(".rs"))?;
        Some((name.to_owned(), text.clone()))
    };
    let mut sources: Vec<_> = files.iter().filter_map(source).collect();
    if sources.iter().any(|(name, _)| name == "lib.rs") {
        sources.retain(|(name, _)| name != "main.rs");
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_of_examples_and_stages_may_hold_any_words() {
        assert!(is_others("examples/events/input/a.md") && is_others("stages/extract/tests/files/a.md"));
        assert!(!is_others("examples/events/README.md") && !is_others("stages/extract/tests/extract.rs"));
    }
}
