//! The commands around stages: the tutorial as it is written, and what they do when something is wrong. They call cargo, which
//! compiles the SDK once into a folder that is kept between runs.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod commands;
mod projects;
mod tutorial;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The timeout of every wait; enough for a busy machine that compiles the SDK first.
const PATIENCE: Duration = Duration::from_secs(600);

/// A command that finds `gristmill`, in a folder.
fn command(program: &str, folder: &Path) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_gristmill")).parent().unwrap();
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([binary.to_owned()].into_iter().chain(env::split_paths(&path))).unwrap();
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env("PATH", path)
        .env("GRISTMILL_CACHE", tmp.join("cache"))
        .env("GRISTMILL_STATE", folder.join(".state"))
        .env("GRISTMILL_ADMIN", "off")
        .env("CARGO_TARGET_DIR", tmp.join("own-stages"))
        .env("CARGO_TERM_COLOR", "never")
        .env_remove("GRISTMILL_BROKERS")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    // The rustc of those whose own cannot build for the sandbox, as for the standard stages.
    if let Some(rustc) = env::var_os("GRISTMILL_WASM_RUSTC") {
        command.env("RUSTC", rustc);
    }
    command
}

/// `gristmill` with these arguments, in a folder.
fn gristmill(folder: &Path, arguments: &[&str]) -> Output {
    command("gristmill", folder).args(arguments).output().unwrap()
}

/// What it prints, if it succeeds.
fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = gristmill(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", both(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// What it prints and says, if it fails with this code.
fn fails(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = gristmill(folder, arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", both(&output));
    both(&output)
}

fn both(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// An empty folder of this name, on the disk where cargo builds.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Waits until `reached` returns a value.
fn until<T>(what: &str, mut reached: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = reached() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
