//! `gristmill check`.

use tokio_util::sync::CancellationToken;

use super::args::Check;
use crate::app::{self, Failure};
use crate::config::{Module, Pipeline};

/// Loads everything that a pipeline names and says what it found.
#[expect(clippy::print_stdout, reason = "a command speaks to whoever typed it")]
pub(super) async fn check(args: &Check) -> Result<(), Failure> {
    let pipeline = Pipeline::load(&args.pipeline)?;
    app::kafka_settings(&pipeline)?;
    let loaded = app::load(&pipeline, None, CancellationToken::new()).await?;
    println!("{}: {} → {}", pipeline.name, pipeline.source.topic, pipeline.sink.topic);
    for (stage, (description, digest)) in pipeline.stages.iter().zip(&loaded.described) {
        let module = match &stage.module {
            Module::Builtin(name) => format!("builtin:{name}"),
            Module::File(path) => path.display().to_string(),
        };
        println!(
            "  {:<12} {module} = {} {} ({}) sha256:{}",
            stage.name,
            description.name,
            description.version,
            description.description,
            &digest[..12]
        );
    }
    println!("all of it fits");
    Ok(())
}
