//! `gristmill check`.

use std::fmt::Write;
use std::io::IsTerminal;

use gristmill_config::Style;
use gristmill_wasm::Start;
use tokio_util::sync::CancellationToken;

use super::args::Check;
use super::files;
use crate::app::{self, Described, Failure, Host, HostOptions, Memory};
use crate::console;
use crate::settings::Module;

/// Loads everything that the pipelines name and prints it, and what is probably not meant.
pub(super) async fn check(args: &Check) -> Result<(), Failure> {
    let host = files::host(args.host.as_deref())?;
    let (pipelines, read) = files::load_each(&args.pipelines, &host);
    let mut found = vec![read];
    found.extend(pipelines.iter().map(app::check_brokers));
    let options = HostOptions {
        memory: Memory::ThisProcess,
        limits: host.limits,
        shutdown: CancellationToken::new(),
        watchers: app::Watchers::default(),
        following: app::Following::default(),
    };
    // Loaded even if a file is faulty: what is wrong with the stages of the others is told in the same run.
    let built = match (Failure::all(found), Host::build(pipelines, options).await) {
        (Ok(_), built) => built?.0,
        (Err(faults), built) => return Failure::all(vec![Err(faults), built.map(drop)]).map(drop),
    };
    let style = if std::io::stderr().is_terminal() { Style::Coloured } else { Style::Plain };
    let mut text = String::new();
    for (pipeline, loaded) in built.pipelines() {
        for warning in app::warnings(pipeline) {
            console::note(&format!("{}\n", warning.render(style)));
        }
        let _ = writeln!(text, "{}: {} → {}", pipeline.name, pipeline.source.topic, pipeline.sink.topic);
        for (stage, Described { description, digest, start }) in pipeline.stages.iter().zip(&loaded.described) {
            let module = match &stage.module {
                Module::Builtin(name) => format!("builtin:{name}"),
                Module::File(path) => path.display().to_string(),
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
