//! The project's own chores: `cargo demo`, `cargo verify`, `cargo stages` and what stands behind `cargo xtask`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool speaks to whoever runs it")]

mod bench;
mod broker;
mod host;
mod kafka;
mod rules;
mod setup;
mod stages;
mod steps;
mod test;
mod verify;
mod workspace;

use std::env;
use std::process::ExitCode;

use anyhow::{Result, bail};

use verify::Extent;
use workspace::Workspace;

const USAGE: &str = "\
cargo demo [ARGS]          build everything and run `gristmill demo ARGS`
cargo verify               everything that a change must pass; starts and stops its own Apache Kafka
cargo verify quick         the same without a broker and the tests that need one
cargo stages               build the stages into target/stages, the test guests into target/guests

cargo xtask host [ARGS]    build everything and run `gristmill ARGS`
cargo xtask test [ARGS]    the host's tests with a broker; ARGS go to `cargo test`
cargo xtask soak [ARGS]    the tests of reliability in full size, half an hour; ARGS go to the test program
cargo xtask bench          the figures, on a broker of their own
cargo xtask kafka          one Apache Kafka in the foreground, until ctrl-c
cargo xtask rules          the house rules: small files, no unexcused unsafe code, nothing left for later
cargo xtask setup          check the build tools, add the WebAssembly target where it is missing

GRISTMILL_TEST_KAFKA=HOST:PORT   use this broker, start none
GRISTMILL_TEST_KAFKA_HOME=PATH   start brokers that a test kills from the jars in this folder, fetch none
GRISTMILL_TEST_SEED=NUMBER       repeat a run of the tests of reliability
GRISTMILL_KILLS=NUMBER           kill the host so often in the kill loop
GRISTMILL_WASM_RUSTC=PATH        compile the stages with this rustc";

fn main() -> ExitCode {
    match dispatch() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result<ExitCode> {
    let mut args = env::args().skip(1);
    let Some(chore) = args.next() else {
        bail!("say which chore\n\n{USAGE}");
    };
    let mut args: Vec<String> = args.collect();
    // `cargo demo -- --flag` and `cargo demo --flag` mean the same.
    if args.first().is_some_and(|first| first == "--") {
        args.remove(0);
    }

    let workspace = Workspace::find()?;
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match (chore.as_str(), words.as_slice()) {
        ("demo", args) => return host::run(&workspace, &[&["demo"], args].concat()),
        ("host", args) => return host::run(&workspace, args),
        ("bench", args) => bench::run(&workspace, args)?,
        ("test", args) => test::run(&workspace, args)?,
        ("soak", args) => test::soak(&workspace, args)?,
        ("verify", []) => verify::run(&workspace, Extent::Full)?,
        ("verify", ["quick"]) => verify::run(&workspace, Extent::Quick)?,
        ("stages", []) => {
            setup::wasm_target(&workspace)?;
            stages::standard(&workspace)?;
            stages::guests(&workspace)?;
        }
        ("setup", []) => setup::run(&workspace)?,
        ("rules", []) => rules::check(&workspace.root)?,
        ("kafka", []) => kafka::command(&workspace.target)?,
        ("help" | "--help" | "-h", _) => println!("{USAGE}"),
        (chore, args) => bail!("there is no chore `{}`\n\n{USAGE}", [&[chore], args].concat().join(" ")),
    }
    Ok(ExitCode::SUCCESS)
}
