//! `gristmill check`.

use tokio_util::sync::CancellationToken;

use super::args::Check;
use super::files;
use crate::app::{self, Failure};
use gristmill_config::Module;

/// Loads everything that pipelines name and says what it found.
#[expect(clippy::print_stdout, reason = "a command speaks to whoever typed it")]
pub(super) async fn check(args: &Check) -> Result<(), Failure> {
    let pipelines = files::load(&args.pipelines)?;
    app::check_together(&pipelines)?;
    app::all(pipelines.iter().map(app::kafka_settings).collect())?;
    let loaded = app::load_all(&pipelines, app::Memory::ThisProcess, CancellationToken::new()).await?;
    for (pipeline, loaded) in pipelines.iter().zip(&loaded) {
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
    }
    println!("all of it fits");
    Ok(())
}
