//! `gristmill check`.

use std::fmt::Write;
use std::io::IsTerminal;

use gristmill_config::Style;
use gristmill_wasm::{Described, Start};
use tokio_util::sync::CancellationToken;

use super::args::Check;
use super::files;
use crate::allocator;
use crate::app::{self, Failure, Host, HostOptions, Memory};
use crate::console;
use crate::settings::{Module, Pipeline};

/// Looks at everything that the pipelines name and prints it, and what is probably not meant.
pub(super) async fn check(args: &Check) -> Result<(), Failure> {
    // Each module is compiled for one look, and then none of that is needed any more.
    allocator::give_back_at_once();
    let host = files::host(args.host.as_deref())?;
    let (pipelines, read) = files::load_each(&args.pipelines, &host);
    let mut found = vec![read];
    found.extend(pipelines.iter().map(app::check_brokers));
    let options = HostOptions {
        memory: Memory::ThisProcess,
        limits: host.limits,
        compiler: app::Compiler::Here,
        shutdown: CancellationToken::new(),
        watchers: app::Watchers::default(),
        following: app::Following::default(),
        versions: app::Versions::none(),
        registry: app::registry(if args.offline { app::Network::Offline } else { app::Network::Online })?,
    };
    // Looked at even if a file is faulty: what is wrong with the stages of the others is told in the same run.
    let looked = match (Failure::all(found), look(&pipelines, options, args.compile).await) {
        (Ok(_), looked) => looked?,
        (Err(faults), looked) => return Failure::all(vec![Err(faults), looked.map(drop)]).map(drop),
    };
    let style = if std::io::stderr().is_terminal() { Style::Coloured } else { Style::Plain };
    let mut text = String::new();
    for (pipeline, stages) in pipelines.iter().zip(looked) {
        for warning in app::warnings(pipeline, &stages) {
            console::note(&format!("{}\n", warning.render(style)));
        }
        let _ = writeln!(text, "{}: {} → {}", pipeline.name, pipeline.source.topic, pipeline.sink.topic);
        for (stage, Described { description, digest, start, .. }) in pipeline.stages.iter().zip(&stages) {
            let module = match &stage.module {
                Module::Builtin(name) => format!("builtin:{name}"),
                Module::File(path) => path.display().to_string(),
                Module::Registry(reference) => reference.to_string(),
            };
            let _ = writeln!(
                text,
                "  {:<12} {module} = {} {} ({}) sha256:{}",
                stage.name,
                description.name,
                description.version,
                description.description,
                &digest[..12]
            );
            if let Start::Init { why } = start {
                let _ = writeln!(text, "  {:<12} calls init in every instance: {why}", "");
            }
        }
    }
    console::print(&format!("{text}OK\n"))?;
    Ok(())
}

/// What is known of the stages of each pipeline.
async fn look(pipelines: &[Pipeline], options: HostOptions, compile: bool) -> Result<Vec<Vec<Described>>, Failure> {
    if !compile {
        return Host::check(pipelines, options).await;
    }
    let (built, _) = Host::build(pipelines.to_vec(), options).await?;
    Ok(built.pipelines().map(|(_, loaded)| loaded.described.clone()).collect())
}
