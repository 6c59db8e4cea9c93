//! What a machine lacks to build stages in Rust, and how to get it.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;

/// The target that stages are built for.
pub(crate) const TARGET: &str = "wasm32-wasip2";
/// The first minor version of Rust that the SDK builds with.
const OLDEST: u32 = 95;

/// Something that is missing; it displays as what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// There is no cargo.
    Cargo,
    /// There is no rustc that cargo could call, or it does not work; holds what it said.
    Rustc(String),
    /// The compiler is too old; holds its version.
    Newer(String),
    /// The compiler has no standard library for the target. Whether the compiler is rustup's.
    Target(Origin),
    /// There is no componentize-py, which builds stages in Python.
    ComponentizePy,
    /// There is no Node.js, or not what builds stages in JavaScript.
    NodeModules,
}

/// Where a compiler comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From rustup, which can add targets.
    Rustup,
    /// From somewhere else.
    Elsewhere,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cargo => f.write_str("cargo was not found: install Rust by https://rustup.rs"),
            Self::Rustc(said) => write!(f, "rustc does not work: {said}; install Rust by https://rustup.rs"),
            Self::Newer(version) => {
                write!(f, "Rust {version} is too old: stages need 1.{OLDEST} or later; run `rustup update stable`")
            }
            Self::Target(Origin::Rustup) => {
                write!(f, "Rust cannot build for {TARGET} yet: run `rustup target add {TARGET}`")
            }
            Self::ComponentizePy => f.write_str(
                "componentize-py was not found: run `python3 -m venv .venv && .venv/bin/pip install -r requirements.txt` in \
                 the folder of the stage",
            ),
            Self::NodeModules => f.write_str(
                "what builds the stage is not installed: run `npm install` in its folder, with Node.js 22 or later",
            ),
            Self::Target(Origin::Elsewhere) => write!(
                f,
                "this Rust has no standard library for {TARGET}, and is not rustup's, which could add it: install Rust by \
                 https://rustup.rs, then run `rustup target add {TARGET}`"
            ),
        }
    }
}

/// What is missing here, the first thing first: what comes after it cannot be known yet. Runs cargo and rustc, which takes
/// about 0.1 s; blocks.
#[must_use]
pub fn missing() -> Option<Missing> {
    if Command::new(cargo()).arg("--version").output().is_err() {
        return Some(Missing::Cargo);
    }
    let version = match said(&["--version"]) {
        Ok(version) => version,
        Err(why) => return Some(Missing::Rustc(why)),
    };
    if minor(&version).is_some_and(|minor| minor < OLDEST) {
        return Some(Missing::Newer(version.split(' ').nth(1).unwrap_or_default().to_owned()));
    }
    let sysroot = match said(&["--print", "sysroot"]) {
        Ok(sysroot) => PathBuf::from(sysroot),
        Err(why) => return Some(Missing::Rustc(why)),
    };
    let library = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    (!library.is_dir()).then(|| Missing::Target(origin(&sysroot)))
}

/// The cargo to call, as cargo's own tools find it.
pub(crate) fn cargo() -> OsString {
    variable("CARGO").unwrap_or_else(|| "cargo".into())
}

fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// What the compiler that cargo would call prints, or why it does not.
fn said(arguments: &[&str]) -> Result<String, String> {
    let rustc = variable("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&rustc).args(arguments).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(said.lines().next().unwrap_or("it says nothing").to_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The 95 of "rustc 1.95.0 (…)"; `None` for a version 2, or what cannot be read.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("rustc 1.")?.split('.').next()?.parse().ok()
}

/// rustup keeps its toolchains in a folder of that name.
fn origin(sysroot: &std::path::Path) -> Origin {
    match sysroot.parent().is_some_and(|parent| parent.ends_with("toolchains")) {
        true => Origin::Rustup,
        false => Origin::Elsewhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_or_left_alone() {
        assert_eq!(minor("rustc 1.95.0 (59807616e 2026-04-14)"), Some(95));
        assert_eq!(minor("rustc 1.101.0-nightly"), Some(101));
        assert_eq!(minor("rustc 2.0.0"), None);
        assert_eq!(minor("something else"), None);
    }

    #[test]
    fn what_is_missing_says_how_to_get_it() {
        assert_eq!(origin(std::path::Path::new("/home/a/.rustup/toolchains/stable-x86_64")), Origin::Rustup);
        assert_eq!(origin(std::path::Path::new("/usr")), Origin::Elsewhere);
        for (missing, how) in [
            (Missing::Cargo, "https://rustup.rs"),
            (Missing::Newer("1.80.1".into()), "rustup update stable"),
            (Missing::Target(Origin::Rustup), "rustup target add wasm32-wasip2"),
        ] {
            assert!(missing.to_string().contains(how), "{missing}");
        }
    }
}
