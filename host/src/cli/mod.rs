//! The command line: arguments in, exit code out.

mod admin_server;
mod args;
mod check;
mod cluster;
mod compile_stage;
mod completions;
mod dev;
mod dlq;
mod files;
mod health;
mod man;
mod models;
mod new;
mod payload;
mod reloads;
mod run;
mod schema;
mod send;
mod show;
mod stage;
mod tail;
mod tap;
mod top;
mod verify_output;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::CommandFactory;
use tracing::Level;

use args::LogFormat;
pub use args::{Command, CommandLine};

use crate::app::Failure;
use crate::console::note;
use gristmill_config::Style;
use gristmill_telemetry::{self as telemetry, LogForm};

/// A pipeline stopped by its own policy.
const STOPPED_BY_POLICY: u8 = 3;
/// Bad configuration, by the convention of sysexits.h.
const EX_CONFIG: u8 = 78;

/// Runs the command and returns its exit code, as listed in the help. Prints errors to standard error.
pub fn run(line: CommandLine) -> ExitCode {
    let done = match tokio::runtime::Runtime::new() {
        Err(error) => Err(Failure::Running(anyhow::Error::new(error).context("cannot start threads"))),
        Ok(runtime) => {
            let done = runtime.block_on(command(line));
            // Without waiting for blocking threads: a stop while stages are compiled ends at once.
            runtime.shutdown_background();
            done
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

async fn command(line: CommandLine) -> Result<(), Failure> {
    let form = match line.log_format {
        LogFormat::Text => LogForm::Text,
        LogFormat::Json => LogForm::Json,
    };
    let level = match &line.command {
        // What the stage logs is a part of what is asked for.
        Command::Run(_) | Command::CompileStage | Command::Stage(stage::Stage::Run(_)) => Level::INFO,
        Command::Check(_)
        | Command::Demo(_)
        | Command::Dev(_)
        | Command::Send(_)
        | Command::Tail(_)
        | Command::Dlq(_)
        | Command::Models(_)
        | Command::Health(_)
        | Command::VerifyOutput(_)
        | Command::Top(_)
        | Command::Tap(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::New(_)
        | Command::Stage(_)
        | Command::Schema(_) => Level::ERROR,
    };
    telemetry::start(form, level).map_err(Failure::Setup)?;
    match line.command {
        // Two large futures, which would make that of every command as large.
        Command::Run(run) => Box::pin(run::run(&run)).await,
        Command::Check(check) => check::check(&check).await,
        Command::Demo(demo) => {
            let options = crate::demo::Options { keep: demo.keep, plain: demo.plain };
            Box::pin(crate::demo::run(options)).await
        }
        Command::New(args) => new::new(&args),
        Command::Stage(command) => Box::pin(stage::run(&command)).await,
        Command::Dev(args) => Box::pin(dev::dev(&args)).await,
        Command::Send(send) => send::send(&send).await,
        Command::Tail(tail) => tail::tail(&tail).await,
        Command::Dlq(command) => dlq::run(&command).await,
        Command::Models(command) => models::run(&command).await,
        Command::Health(args) => health::health(&args).await,
        Command::VerifyOutput(args) => verify_output::verify_output(&args).await,
        Command::Top(args) => top::top(&args).await,
        Command::Tap(args) => tap::tap(&args).await,
        Command::Completions(args) => completions::print(&args, CommandLine::command()),
        Command::Man(args) => man::write(&args, CommandLine::command()),
        Command::Schema(args) => schema::print(&args),
        Command::CompileStage => Box::pin(compile_stage::compile_stage()).await,
    }
}

fn report(failure: &Failure) -> ExitCode {
    match failure {
        Failure::Config(error) => {
            let style = if std::io::stderr().is_terminal() { Style::Coloured } else { Style::Plain };
            note(&error.render(style));
            ExitCode::from(EX_CONFIG)
        }
        Failure::Setup(error) => {
            note(&format!("error: {error:#}"));
            ExitCode::from(EX_CONFIG)
        }
        Failure::Policy(error) => {
            note(&format!("error: {error:#}"));
            ExitCode::from(STOPPED_BY_POLICY)
        }
        Failure::Running(error) => {
            note(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
