//! Prints the text of a file: `cargo run -p gristmill-stage-extract --example text -- FILE`.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use gristmill_sdk::{Item, Outcome, Stage, StageError};
use gristmill_stage_extract::{Config, Extract};

fn main() -> ExitCode {
    let Some(path) = env::args_os().nth(1) else {
        eprintln!("name a file");
        return ExitCode::FAILURE;
    };
    let payload = match fs::read(&path) {
        Ok(payload) => payload,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    };
    let Ok(stage) = Extract::new(Config::default()) else { return ExitCode::FAILURE };
    let text = match stage.process(Item::sample(payload, None)) {
        Ok(Outcome::Emit(mut outputs)) if !outputs.is_empty() => outputs.remove(0).payload,
        Ok(Outcome::Reject(failure)) | Err(StageError::Permanent(failure)) => {
            eprintln!("{}: {}", path.display(), failure.message);
            return ExitCode::FAILURE;
        }
        _ => return ExitCode::FAILURE,
    };
    match io::stdout().write_all(&text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
