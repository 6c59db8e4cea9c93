//! The image.

use gristmill::cli::Command;
use serde_json::Value;

use super::{ADMIN_PORT, command_line, path, strings, text};

const DOCKERFILE: &str = "deploy/Dockerfile";

/// The arguments of the last instruction of this name, in its JSON form.
fn arguments(instruction: &str) -> Vec<String> {
    let file = text(DOCKERFILE).replace("\\\n", " ");
    let line = file.lines().rfind(|line| line.starts_with(instruction)).unwrap_or_else(|| panic!("no {instruction}"));
    let list: Value = serde_json::from_str(&line[line.find('[').unwrap()..]).unwrap();
    strings(&list).into_iter().map(str::to_owned).collect()
}

#[test]
fn the_image_is_built_with_the_toolchain_of_the_repository() {
    let toolchain: toml::Table = text("rust-toolchain.toml").parse().unwrap();
    let channel = toolchain["toolchain"]["channel"].as_str().unwrap();
    let from = format!("FROM docker.io/library/rust:{channel}-bookworm AS build");
    assert!(text(DOCKERFILE).contains(&from), "{DOCKERFILE} does not have {from:?}");
}

#[test]
fn the_image_starts_the_binary_and_asks_it_whether_it_lives() {
    let start = [arguments("ENTRYPOINT"), arguments("CMD")].concat();
    let line = command_line(&start.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(matches!(line.command, Command::Run(_)), "{line:?}");
    let health = arguments("HEALTHCHECK");
    let line = command_line(&health.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(matches!(line.command, Command::Health(_)), "{line:?}");
}

#[test]
fn the_image_runs_as_a_user_without_rights() {
    let file = text(DOCKERFILE);
    let last = &file[file.rfind("\nFROM ").unwrap()..];
    for line in ["USER 65532:65532", "STOPSIGNAL SIGTERM", &format!("EXPOSE {ADMIN_PORT}")] {
        assert!(last.lines().any(|found| found == line), "no {line:?} in the last stage of {DOCKERFILE}");
    }
    assert!(!last.contains("RUN "), "there is no shell in the image");
}

#[test]
fn nothing_that_the_image_is_built_from_is_left_out() {
    let ignored = text(".dockerignore");
    for needed in
        [".cargo", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "examples", "host", "stages", "wit", "xtask"]
    {
        assert!(path(needed).exists(), "{needed}");
        assert!(!ignored.lines().any(|line| line.trim_start_matches('/') == needed), "{needed} is ignored");
    }
}
