//! The project's tasks: `cargo demo`, `cargo verify`, `cargo stages` and the other commands of `cargo xtask`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool prints")]

mod apt;
mod bench;
mod broker;
mod clients;
mod deny;
mod host;
mod kafka;
mod languages;
mod package;
mod python;
mod real_model;
mod rules;
mod servers;
mod setup;
mod stages;
mod steps;
mod test;
mod tool;
mod verify;
mod workspace;

use std::env;
use std::process::ExitCode;

use anyhow::{Result, bail};

use verify::Extent;
use workspace::Workspace;

const USAGE: &str = "\
cargo demo [ARGS]          build everything and run `gristmill demo ARGS`
cargo verify               run every check that a change must pass; starts and stops an Apache Kafka
cargo verify quick         the same without a broker and without the tests that need one
cargo stages               build the stages into target/stages and the test guests into target/guests

cargo xtask host [ARGS]    build everything and run `gristmill ARGS`
cargo xtask test [ARGS]    run the host's tests with a broker; ARGS go to `cargo test`
cargo xtask soak [ARGS]    run the reliability tests in full size, about 50 minutes; ARGS go to the test program
cargo xtask real-model     run the tests with a genuine small model; compiles llama.cpp the first time, some minutes
cargo xtask bench [ARGS]   run the benchmarks with a separate broker; ARGS go to the benchmark
cargo xtask kafka          run an Apache Kafka in the foreground until ctrl-c
cargo xtask clients        install a browser and schemathesis for the tests, if they are missing
cargo xtask languages      build the example stages in Python and JavaScript; installs their tools into the target folder
cargo xtask deny           check licences, bans and sources, and advisories if their database is on this machine
cargo xtask servers        install Redis and PostgreSQL for the tests, if they are missing
cargo xtask package        build the release with completions, manual pages, licences and bill of materials
cargo xtask rules          check the house rules: small files, plain words, no loose ends, no import cycles
cargo xtask setup          check the build tools, and add the WebAssembly target if it is missing

GRISTMILL_ADVISORY_DB=PATH       a clone of the RustSec advisory database
GRISTMILL_TEST_BROWSER=PATH      open the pages of tests in this browser instead of chromium
GRISTMILL_TEST_KAFKA=HOST:PORT   use this broker instead of starting one
GRISTMILL_TEST_POSTGRES=URL      use this PostgreSQL in tests instead of starting one
GRISTMILL_TEST_REDIS=URL         use this Redis in tests instead of starting one
GRISTMILL_TEST_KAFKA_HOME=PATH   the Kafka jars for tests that start their own broker; nothing is downloaded
GRISTMILL_TEST_MODEL=URL          a server with OpenAI's API, up to /v1, instead of starting one for `real-model`
GRISTMILL_TEST_SCHEMATHESIS=PATH  test the API with this program of schemathesis; nothing is installed
GRISTMILL_TEST_SEED=NUMBER       repeat a run of the reliability tests with this seed
GRISTMILL_KILLS=NUMBER           how often the kill loop kills the host
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
    let Some(task) = args.next() else {
        bail!("name a task\n\n{USAGE}");
    };
    let mut args: Vec<String> = args.collect();
    // `cargo demo -- --flag` and `cargo demo --flag` mean the same.
    if args.first().is_some_and(|first| first == "--") {
        args.remove(0);
    }

    let workspace = Workspace::find()?;
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match (task.as_str(), words.as_slice()) {
        ("demo", args) => return host::run(&workspace, &[&["demo"], args].concat()),
        ("host", args) => return host::run(&workspace, args),
        ("bench", args) => bench::run(&workspace, args)?,
        ("test", args) => test::run(&workspace, args)?,
        ("real-model", args) => real_model::run(&workspace, args)?,
        ("soak", args) => test::soak(&workspace, args)?,
        ("verify", []) => verify::run(&workspace, Extent::Full)?,
        ("verify", ["quick"]) => verify::run(&workspace, Extent::Quick)?,
        ("stages", []) => {
            setup::wasm_target(&workspace)?;
            stages::standard(&workspace)?;
            stages::guests(&workspace)?;
        }
        ("setup", []) => setup::run(&workspace)?,
        ("deny", []) => verify::deny(&workspace)?,
        ("servers", []) => servers::install()?,
        ("clients", []) => drop(clients::install(&workspace)?),
        ("languages", []) => languages::build(&workspace)?,
        ("package", []) => package::run(&workspace)?,
        ("rules", []) => rules::check(&workspace.root)?,
        ("kafka", []) => kafka::command(&workspace.target)?,
        ("help" | "--help" | "-h", _) => println!("{USAGE}"),
        (task, args) => bail!("unknown task `{}`\n\n{USAGE}", [&[task], args].concat().join(" ")),
    }
    Ok(ExitCode::SUCCESS)
}
