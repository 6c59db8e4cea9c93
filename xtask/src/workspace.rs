//! The folders of the workspace, and how to run other programs in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};

/// The repository and its build folder.
pub(crate) struct Workspace {
    /// The folder with the workspace's Cargo.toml.
    pub(crate) root: PathBuf,
    /// Cargo's target folder, as an absolute path.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// The workspace that this program belongs to.
    pub(crate) fn find() -> Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().context("xtask is not in a folder of the workspace")?.to_path_buf();
        // Cargo resolves a relative CARGO_TARGET_DIR against the current folder, which is still that of the caller.
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => env::current_dir()?.join(folder),
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// The cargo that runs this program, called in the root and with the same target folder.
    pub(crate) fn cargo<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
        command.current_dir(&self.root).args(args);
        if env::var_os("CARGO_TARGET_DIR").is_some() {
            command.env("CARGO_TARGET_DIR", &self.target);
        }
        command
    }

    /// The packages of the host, as arguments of cargo. They are built together and without all others: cargo unifies the
    /// features of everything it builds together, and with other features wasmtime is compiled again.
    pub(crate) fn host_packages(&self, flag: &'static str) -> Result<Vec<String>> {
        let crates = self.root.join("host/crates");
        let mut names = Vec::new();
        for name in ["gristmill", "gristmill-conformance", "gristmill-model-server", "gristmill-test-servers"] {
            names.push(name.to_owned());
        }
        for entry in fs::read_dir(&crates).with_context(|| format!("cannot read {}", crates.display()))? {
            names.push(format!("gristmill-{}", entry?.file_name().to_string_lossy()));
        }
        names.sort();
        Ok(names.into_iter().flat_map(|name| [flag.to_owned(), name]).collect())
    }

    /// The binary of the host. Demo, benchmarks and tests use one profile, so that nothing big is compiled twice.
    pub(crate) fn host(&self) -> PathBuf {
        self.target.join("debug").join("gristmill")
    }
}

/// Runs a program to completion, with the input and output of this process.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start `{}`", line(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", line(command));
    }
    Ok(())
}

/// Runs a program to completion and returns its standard output; shows nothing.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start `{}`", line(command)))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", line(command), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a program to completion; shows what it printed only if it fails.
pub(crate) fn quietly(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot start `{}`", line(command)))?;
    if !output.status.success() {
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("`{}` failed:\n{out}{err}", line(command));
    }
    Ok(())
}

/// A command as it would be typed.
pub(crate) fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut line = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}

/// What the caller says in a variable, if anything.
pub(crate) fn given(variable: &str) -> Option<OsString> {
    env::var_os(variable).filter(|value| !value.is_empty())
}

/// Finds a program in PATH.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_is_shown_as_it_would_be_typed() {
        let error = run(Command::new("/bin/sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "`sh -c exit 3` failed (exit status: 3)");
    }

    #[test]
    fn a_missing_program_is_not_found() {
        assert!(which("sh").is_some());
        assert!(which("no-program-of-this-name").is_none());
    }
}
