//! The house rules that cargo and clippy cannot hold: small files that say what they are for, no unexcused `unsafe`, no
//! loose ends.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The files that may say `unsafe`, each with its reason.
const UNSAFE: &[(&str, &str)] = &[
    ("host/crates/kafka/src/message.rs", "the safe headers of rdkafka panic on a name that is not UTF-8"),
    ("host/crates/kafka/src/commit.rs", "the safe asynchronous commit of rdkafka never tells how it ended"),
    ("host/crates/kafka/src/fence.rs", "the safe group metadata of rdkafka does not show its generation"),
    (
        "host/crates/kafka/src/embedded.rs",
        "rdkafka has no safe call that spares the embedded broker's first member a wait of 3 s",
    ),
    ("host/crates/kafka/tests/broker/source.rs", "rdkafka sends no header name that is not UTF-8 in any other way"),
    ("host/tests/reliability/poison.rs", "rdkafka sends no header name that is not UTF-8 in any other way"),
    (
        "host/crates/wasm/src/cache.rs",
        "wasmtime cannot check compiled code; only the host writes the folder it is read from",
    ),
];

const LONGEST_FILE: usize = 400;

/// Checks every source file of the repository.
///
/// # Errors
/// All faults, each with its file.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut paths = Vec::new();
    for folder in ["host", "stages", "xtask"] {
        collect(&root.join(folder), &mut paths)?;
    }
    ensure!(paths.len() > 10, "the sources are not where the house rules look for them");
    let mut faults = Vec::new();
    for path in paths {
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let text = fs::read_to_string(&path).with_context(|| format!("{name} cannot be read"))?;
        for rule in [shape, loose_ends, unexcused_unsafe] {
            faults.extend(rule(&name, &text));
        }
    }
    ensure!(faults.is_empty(), "\n{}", faults.join("\n"));
    Ok(())
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}

fn shape(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = text.lines().count();
    if lines > LONGEST_FILE {
        faults.push(format!("{name} has {lines} lines, {LONGEST_FILE} are allowed; split it"));
    }
    if !text.starts_with("//!") {
        faults.push(format!("{name} does not open with a `//!` line that says what it is for"));
    }
    faults
}

fn loose_ends(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for mark in [concat!("TO", "DO"), concat!("FIX", "ME")] {
        if text.contains(mark) {
            faults.push(format!("{name} has a {mark}; do it now or open an issue"));
        }
    }
    for pair in tokens(text).windows(2) {
        if let [called @ ("todo" | "unimplemented" | "dbg"), "!"] = pair {
            faults.push(format!("{name} calls `{called}!`"));
        }
    }
    faults
}

fn unexcused_unsafe(name: &str, text: &str) -> Vec<String> {
    if UNSAFE.iter().any(|(excused, _)| *excused == name) || !tokens(text).contains(&"unsafe") {
        return Vec::new();
    }
    vec![format!("{name} says `unsafe`; do without, or give its reason in xtask/src/rules.rs")]
}

/// The words, the `::` and the other signs of a source text, without its comments, strings and characters.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '/' if rest.starts_with("//") => Some(rest.find('\n').unwrap_or(rest.len())),
            '/' if rest.starts_with("/*") => rest.find("*/").map(|end| end + 2),
            '"' => string(rest),
            '\'' => character(rest),
            'r' | 'b' => raw_string(rest),
            _ if first.is_whitespace() => Some(first.len_utf8()),
            _ => None,
        };
        let length = skipped.unwrap_or_else(|| {
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = match word {
                0 if rest.starts_with("::") => 2,
                0 => first.len_utf8(),
                word => word,
            };
            tokens.push(&rest[..length]);
            length
        });
        rest = &rest[length..];
    }
    tokens
}

/// The length of the string literal that `text` begins with.
fn string(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The length of the raw string literal that `text` begins with, if it does.
fn raw_string(text: &str) -> Option<usize> {
    let hashes = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let quote = hashes.trim_start_matches('#');
    let body = quote.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes.len() - quote.len()));
    Some(text.len() - body.len() + body.find(&end)? + end.len())
}

/// The length of the character literal that `text` begins with, if it does: the quote may also begin a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    match (chars.next()?, chars.next()?) {
        ((_, '\\'), (escaped, _)) => text[escaped + 1..].find('\'').map(|end| escaped + end + 2),
        (_, (end, '\'')) => Some(end + 1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_and_one_that_does_not_say_what_it_is_for_are_refused() {
        assert_eq!(shape("a.rs", &format!("//! A.\n{}", "\n".repeat(399))), [""; 0]);
        assert_eq!(
            shape("a.rs", &format!("//! A.\n{}", "\n".repeat(400))),
            ["a.rs has 401 lines, 400 are allowed; split it"]
        );
        assert_eq!(shape("a.rs", "use b;"), ["a.rs does not open with a `//!` line that says what it is for"]);
    }

    #[test]
    fn what_is_left_for_later_and_unsafe_code_are_refused() {
        let text = concat!("// TO", "DO: later\nfn f() { todo", "!() }");
        assert_eq!(
            loose_ends("a.rs", text),
            [concat!("a.rs has a TO", "DO; do it now or open an issue"), "a.rs calls `todo!`"]
        );
        assert_eq!(unexcused_unsafe("a.rs", "unsafe { f() }").len(), 1);
        assert!(unexcused_unsafe("a.rs", "#![expect(unsafe_code)] // unsafe").is_empty());
    }
}
