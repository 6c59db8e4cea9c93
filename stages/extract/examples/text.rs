//! Prints the text of a file: `cargo run -p gristmill-stage-extract --example text -- FILE`.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, Write};

use gristmill_sdk::{Item, Outcome, Stage, StageError};
use gristmill_stage_extract::{Config, Extract};

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args_os().nth(1).ok_or("name a file")?;
    let payload = fs::read(&path)?;
    let stage = Extract::new(Config::default()).map_err(|error| format!("{error:?}"))?;
    match stage.process(Item::sample(payload, None)) {
        Ok(Outcome::Emit(outputs)) => {
            for output in outputs {
                io::stdout().write_all(&output.payload)?;
            }
            Ok(())
        }
        Ok(Outcome::Reject(failure)) | Err(StageError::Permanent(failure)) => Err(failure.message.into()),
        other => Err(format!("{other:?}").into()),
    }
}
