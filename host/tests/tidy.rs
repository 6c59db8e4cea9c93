//! The house rules as tests: small files that say what they are for, imports that only go down, no loose ends.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module of the host may import besides itself. `None`: it composes, so it may import anything.
const FLOORS: &[(&str, Option<&[&str]>)] = &[
    ("model", Some(&[])),
    ("ports", Some(&["model"])),
    ("flow", Some(&["ports", "model"])),
    ("config", Some(&["ports", "model"])),
    ("kafka", Some(BELOW_ADAPTERS)),
    ("redis", Some(BELOW_ADAPTERS)),
    ("wasm", Some(BELOW_ADAPTERS)),
    ("llm", Some(BELOW_ADAPTERS)),
    ("store", Some(BELOW_ADAPTERS)),
    ("http", Some(BELOW_ADAPTERS)),
    ("telemetry", Some(BELOW_ADAPTERS)),
    ("app", None),
    ("cli", None),
    ("demo", None),
    ("bench", None),
    ("lib", None),
    ("main", None),
];

const BELOW_ADAPTERS: &[&str] = &["config", "ports", "model"];

/// The files that may say `unsafe`, each with its reason.
const UNSAFE: &[(&str, &str)] = &[
    ("host/src/kafka/message.rs", "the safe headers of rdkafka panic on a name that is not UTF-8"),
    ("host/src/kafka/commit.rs", "the safe asynchronous commit of rdkafka never tells how it ended"),
    ("host/src/kafka/fence.rs", "the safe group metadata of rdkafka does not show its generation"),
    (
        "host/src/kafka/embedded.rs",
        "rdkafka has no safe call that spares the embedded broker's first member a wait of 3 s",
    ),
    ("host/tests/broker/source.rs", "rdkafka sends no header name that is not UTF-8 in any other way"),
    ("host/tests/reliability/poison.rs", "rdkafka sends no header name that is not UTF-8 in any other way"),
    ("host/src/wasm/cache.rs", "wasmtime cannot check compiled code; only the host writes the folder it is read from"),
];

const LONGEST_FILE: usize = 400;

#[test]
fn files_are_small_and_say_what_they_are_for() {
    check(shape);
}

#[test]
fn imports_of_the_host_only_go_down() {
    check(upward_imports);
}

#[test]
fn nothing_is_left_for_later() {
    check(loose_ends);
}

#[test]
fn unsafe_code_has_a_reason() {
    check(unexcused_unsafe);
}

/// Fails with all faults that a rule finds in our sources. A rule is given a path from the root of the repository and
/// the text there.
fn check(rule: fn(&str, &str) -> Vec<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the host is in a folder of the workspace");
    let mut paths = Vec::new();
    for folder in ["host", "stages", "xtask"] {
        collect(&root.join(folder), &mut paths);
    }
    assert!(paths.len() > 10, "the sources are not where these tests look for them");

    let mut faults = Vec::new();
    for path in paths {
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name} cannot be read: {error}"));
        faults.extend(rule(&name, &text));
    }
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{} cannot be read: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("a folder can be listed").path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
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
    vec![format!("{name} says `unsafe`; do without, or give its reason in host/tests/tidy.rs")]
}

/// The imports in a file of the host that the floor of its module forbids.
fn upward_imports(name: &str, text: &str) -> Vec<String> {
    let Some(module) = name.strip_prefix("host/src/").and_then(|path| path.strip_suffix(".rs")) else {
        return Vec::new();
    };
    // `kafka/mod` is the module [kafka], `kafka/source` is [kafka, source].
    let module: Vec<&str> = module.strip_suffix("/mod").unwrap_or(module).split('/').collect();
    let top = module[0];
    let Some((_, allowed)) = FLOORS.iter().find(|(module, _)| *module == top) else {
        return vec![format!("{name}: `{top}` has no floor; give it one in host/tests/tidy.rs")];
    };
    let Some(allowed) = allowed else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    for import in imports(module.len(), text) {
        if import != top && !allowed.contains(&import) {
            faults.push(format!("{name}: `{top}` must not import `{import}`"));
        }
    }
    faults
}

/// What stands directly below the crate's root in the paths of a module that is itself so deep below it: the names after
/// `crate::`, and after as many `super::` as lead up to the root.
fn imports(depth: usize, text: &str) -> BTreeSet<&str> {
    let tokens = tokens(text);
    let mut found = BTreeSet::new();
    let mut braces = 0;
    // The inline modules we are in, each by the number of braces around it.
    let mut inline = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at..] {
            ["mod", _, "{", ..] => {
                inline.push(braces);
                at += 1;
            }
            ["{", ..] => braces += 1,
            ["}", ..] => {
                braces -= 1;
                if inline.last() == Some(&braces) {
                    inline.pop();
                }
            }
            ["crate", "::", path @ ..] => found.extend(heads(path)),
            ["super", "::", ..] => {
                let mut above = 0;
                while let ["super", "::", ..] = &tokens[at..] {
                    above += 1;
                    at += 2;
                }
                // A file that `#[path]` puts deeper than it lies needs one more to get there; below it means its own.
                if above == depth + inline.len() {
                    found.extend(heads(&tokens[at..]).into_iter().filter(|head| is_floor(head)));
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn is_floor(name: &str) -> bool {
    FLOORS.iter().any(|(module, _)| *module == name)
}

/// The first names of what follows a `::`, be it one path or a group in braces.
fn heads<'a>(tokens: &[&'a str]) -> Vec<&'a str> {
    let ["{", group @ ..] = tokens else {
        return tokens.iter().take(1).copied().collect();
    };
    let mut heads = Vec::new();
    let mut depth = 0;
    let mut begins = true;
    for &token in group {
        match token {
            "}" if depth == 0 => break,
            "}" => depth -= 1,
            "{" => depth += 1,
            "," if depth == 0 => begins = true,
            _ if begins => {
                heads.push(token);
                begins = false;
            }
            _ => {}
        }
    }
    heads
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

#[test]
fn an_upward_import_is_told_by_file_and_import() {
    let faults = upward_imports("host/src/flow/mod.rs", "use crate::model::Job;\nuse crate::wasm::Runtime;");
    assert_eq!(faults, ["host/src/flow/mod.rs: `flow` must not import `wasm`"]);
}

#[test]
fn a_sibling_import_is_found_however_it_is_written() {
    for text in [
        "use crate::llm;",
        "use crate::{model::Job, llm::{openai, Price}, ports};",
        "fn f() -> crate::llm::Price { 1 }",
        "use super::super::llm::Price;",
        "mod tests { use super::super::super::llm; }",
        "mod tests { fn f() {} } use super::super::llm;",
        "let text = \"use\"; // a \" in a comment\nuse crate::llm;",
        "let quote = '\"'; let c = '\\''; fn f<'a>() {} use crate::llm; let end = '\"';",
        "let raw = r#\" \" \"#; use crate::llm; let end = \"\";",
    ] {
        let faults = upward_imports("host/src/store/sqlite.rs", text);
        assert_eq!(faults, ["host/src/store/sqlite.rs: `store` must not import `llm`"], "{text}");
    }
}

#[test]
fn what_stands_below_or_in_the_same_module_may_be_imported() {
    for text in [
        "use crate::{config::Wasm, model::Job, ports::{Stage, StageError}};",
        "use crate::wasm::limits;",
        "use super::{limits, llm};",
        "mod tests { use super::*; use super::super::llm; mod inner {} }",
        "// use crate::llm;\n/* use crate::kafka; */ const TEXT: &str = \"use crate::flow\";",
        "pub(crate) fn f() {} pub(super) fn g() {}",
    ] {
        let faults = upward_imports("host/src/wasm/imports/chat.rs", text);
        assert!(faults.is_empty(), "{text}: {faults:?}");
    }
}

#[test]
fn a_module_without_a_floor_is_refused() {
    let faults = upward_imports("host/src/helpers.rs", "");
    assert_eq!(faults, ["host/src/helpers.rs: `helpers` has no floor; give it one in host/tests/tidy.rs"]);
}

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
