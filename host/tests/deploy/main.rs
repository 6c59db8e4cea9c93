//! The files in `deploy/`: each is checked by the tool that reads it, where that is installed, and against what the binary
//! does: its command line, its ports, its longest waits, its metrics.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed unwrap fails the test; what is left out is said"
)]

mod alerts;
mod compose;
mod image;
mod kubernetes;
mod systemd;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use clap::Parser;
use gristmill::cli::CommandLine;
use gristmill::settings;
use gristmill_core::settings::Span;
use serde_json::Value;

/// How long closing takes at most beyond `limits.drain_timeout`: the last commit, and leaving the group.
const CLOSING: Duration = Duration::from_secs(15);
/// Where the admin server listens by default.
const ADMIN_PORT: u16 = 9464;

/// A path in the repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A YAML file with one document.
fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The value at a JSON Pointer; without one the test fails and names the place.
fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer} in {value:#}"))
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

/// Runs a tool. Without it the check is left out, with a line that says so.
fn tool(program: &str, args: &[&str]) -> Option<Output> {
    match Command::new(program).args(args).stdin(Stdio::null()).output() {
        Ok(output) => Some(output),
        Err(error) => {
            println!("left out, because {program} cannot be started: {error}");
            None
        }
    }
}

fn assert_quiet(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{}: {said}", output.status);
}

/// What the binary makes of these arguments. The first is the program.
fn command_line(args: &[&str]) -> CommandLine {
    CommandLine::try_parse_from(args).unwrap_or_else(|error| panic!("{args:?}: {error}"))
}

/// The longest that a pipeline file may ask for as `limits.drain_timeout`.
fn longest_drain() -> Duration {
    let schema = settings::schema();
    let definitions = at(&schema, "/$defs").as_object().unwrap();
    let bound = definitions.values().find_map(|definition| definition.pointer("/properties/drain_timeout/x-max"));
    bound.unwrap().as_str().unwrap().parse::<Span>().unwrap().0
}
