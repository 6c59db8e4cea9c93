//! One session: what runs now, what was shown last, and the way from a change to what is shown of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gristmill_toolchain::{BuildOptions, Network, Output};
use tokio_util::sync::CancellationToken;

use super::super::files;
use super::args::Dev;
use super::change::{Change, Load, Watched};
use super::difference::{self, Palette};
use super::eyes::Eyes;
use super::models::StandIn;
use super::running::{Running, Taken};
use super::samples::{Sample, Samples};
use super::sources::Sources;
use super::trace::Trace;
use super::transcript::{Ended, Transcript};
use crate::app::{self, Failure};
use crate::console::{self, Reader};
use crate::settings::Pipeline;
use gristmill_config::Style;

/// How long it may take until the user is told what is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// One session.
pub(super) struct Session<'a> {
    args: &'a Dev,
    shutdown: CancellationToken,
    samples: Samples,
    stand_in: StandIn,
    sources: Sources,
    /// What the pipeline is made of beside sources, as of the last time that its file could be read.
    parts: BTreeSet<PathBuf>,
    trace: Arc<Trace>,
    running: Option<Running>,
    /// What was shown of each sample.
    last: BTreeMap<String, Transcript>,
    palette: Palette,
}

/// How samples came off.
struct Sent {
    dead: usize,
    all: usize,
}

impl<'a> Session<'a> {
    /// A session in which nothing runs yet.
    ///
    /// # Errors
    /// No folder for prepared answers can be made.
    pub(super) fn open(args: &'a Dev, shutdown: CancellationToken) -> Result<Self, Failure> {
        let palette = if std::io::stdout().is_terminal() { Palette::COLOURED } else { Palette::default() };
        let parts = [args.pipeline.clone()].into_iter().chain(args.host.clone()).collect();
        Ok(Self {
            args,
            shutdown,
            samples: Samples::of(&args.send, &args.pipeline),
            stand_in: StandIn::new(args.models)?,
            sources: Sources::default(),
            parts,
            trace: Arc::default(),
            running: None,
            last: BTreeMap::new(),
            palette,
        })
    }

    /// Sends the samples once.
    ///
    /// # Errors
    /// Whatever is wrong, and samples that became dead letters.
    pub(super) async fn once(&mut self) -> Result<(), Failure> {
        let (mut eyes, mut change) = (Eyes::Closed, Change::all());
        // Nothing interrupts it: no change is looked for.
        Box::pin(self.prepare(&mut eyes, &mut change)).await?;
        match self.send(&mut eyes, &mut change).await? {
            Some(Sent { dead, all }) if dead > 0 => {
                Err(Failure::Running(anyhow::anyhow!("{dead} of {all} samples became dead letters")))
            }
            Some(_) => Ok(()),
            None => Err(Failure::Setup(anyhow::anyhow!(self.samples.where_to_put_them()))),
        }
    }

    /// Sends the samples after each change, until the session is dropped.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(super) async fn go_on(&mut self) -> Result<(), Failure> {
        let mut eyes = Eyes::open(self.look()).await;
        let mut change = Change::all();
        loop {
            if let Err(failure) = Box::pin(self.answer(&mut eyes, &mut change)).await {
                let (red, off) = (self.palette.red, self.palette.off);
                self.say(&shown(&failure))?;
                if self.running.is_some() {
                    self.say(&format!("{red}the version before goes on{off}"))?;
                }
                change = Change::default();
            }
            if change.is_empty() {
                self.say(&format!("{}waiting for changes; Ctrl-C ends{}", self.palette.dim, self.palette.off))?;
                eyes.turn_to(self.look()).await;
                let over = self.running.as_ref().map(|running| running.over.clone());
                let next = tokio::select! {
                    next = eyes.change(|| self.look()) => Some(next),
                    () = ended(over) => None,
                };
                match next {
                    Some(next) => change = next,
                    None => self.bury().await?,
                }
            }
        }
    }

    /// From a change to what is shown of it. Leaves in `change` what is still to be done: nothing, or what has changed meanwhile.
    async fn answer(&mut self, eyes: &mut Eyes, change: &mut Change) -> Result<(), Failure> {
        if !change.files.is_empty() {
            let files: Vec<&str> = change.files.iter().map(String::as_str).collect();
            self.say(&format!("\n{}{} changed{}", self.palette.bold, files.join(", "), self.palette.off))?;
        }
        match Box::pin(self.prepare(eyes, change)).await? {
            Prepared::Interrupted => Ok(()),
            Prepared::Ready => {
                eyes.turn_to(self.look()).await;
                if self.send(eyes, change).await?.is_none() && change.is_empty() {
                    self.say(&self.samples.where_to_put_them())?;
                }
                Ok(())
            }
        }
    }

    /// Builds what is to be built and loads what is to be loaded.
    async fn prepare(&mut self, eyes: &mut Eyes, change: &mut Change) -> Result<Prepared, Failure> {
        if change.load == Load::Anew {
            let pipeline = self.read()?;
            let new = self.sources.find(&pipeline).await.map_err(|error| Failure::Setup(error.into()))?;
            change.build.extend(new);
            // That their sources are there is no change.
            eyes.turn_to(self.look()).await;
        }
        if !change.build.is_empty() {
            let names: Vec<_> = change.build.iter().filter_map(|module| module.file_stem()?.to_str()).collect();
            self.say(&format!("{}building {}{}", self.palette.dim, names.join(", "), self.palette.off))?;
            let built = tokio::select! {
                built = self.build(&change.build) => built,
                more = eyes.change(|| self.look()) => {
                    *change = std::mem::take(change).and(more);
                    return Ok(Prepared::Interrupted);
                }
            };
            self.say(&built?)?;
        }
        // Read again: a build takes long. What changes from here on is another change.
        let done = std::mem::take(change);
        if done.load == Load::Anew || !done.build.is_empty() || self.running.is_none() {
            let mut pipeline = self.read()?;
            let replaced = self.stand_in.replace(&mut pipeline);
            self.take_on(pipeline, &replaced).await?;
        }
        Ok(Prepared::Ready)
    }

    /// The pipeline file as it is now.
    fn read(&mut self) -> Result<Pipeline, Failure> {
        let pipeline = Pipeline::load_in(&self.args.pipeline, &files::host(self.args.host.as_deref())?)?;
        let own = [self.args.pipeline.clone()].into_iter().chain(self.args.host.clone());
        self.parts = pipeline.files().into_iter().chain(own).collect();
        Ok(pipeline)
    }

    /// Builds modules. What the tools say is a failure's text.
    async fn build(&self, modules: &BTreeSet<PathBuf>) -> Result<String, Failure> {
        let network = if self.args.offline { Network::Offline } else { Network::Online };
        let mut told = Vec::new();
        for module in modules {
            match self.sources.build(module, BuildOptions { network, output: Output::Kept }).await {
                None => {}
                Some(Ok(built)) => {
                    let name = module.file_stem().unwrap_or_default().to_string_lossy();
                    told.push(format!("{name} built in {:.2} s", built.took.as_secs_f64()));
                }
                Some(Err(error)) => return Err(Failure::Running(error.into())),
            }
        }
        Ok(told.join(", "))
    }

    /// Lets what runs take on the pipeline, or starts it.
    async fn take_on(&mut self, mut pipeline: Pipeline, replaced: &[String]) -> Result<(), Failure> {
        super::running::loosen(&mut pipeline);
        if self
            .running
            .as_ref()
            .is_some_and(|running| running.pipeline.name != pipeline.name || running.over.is_cancelled())
        {
            self.stop().await;
        }
        let begun = Instant::now();
        let Some(running) = &mut self.running else {
            let running = Running::start(pipeline, Arc::clone(&self.trace), &self.shutdown).await?;
            let stood_in = match replaced {
                [] => String::new(),
                names => format!(
                    "\n  {}: answers made of the item's own words; --models file asks the real ones",
                    names.join(", ")
                ),
            };
            self.say(&format!(
                "{}{}{} runs on an embedded broker at {}{stood_in}",
                self.palette.bold,
                running.pipeline.name,
                self.palette.off,
                running.address()
            ))?;
            self.running = Some(running);
            return Ok(());
        };
        let taken = running.reload(pipeline).await?;
        let how = match taken {
            Taken::Swapped => "swapped",
            Taken::Restarted => "restarted: what changed cannot change while it runs;",
        };
        self.say(&format!("{how} in {}", difference::milliseconds(begun.elapsed())))
    }

    /// Sends the samples, and shows what became of them. `None` if there are none.
    async fn send(&mut self, eyes: &mut Eyes, change: &mut Change) -> Result<Option<Sent>, Failure> {
        let samples = self.samples.read()?;
        let Some(running) = &self.running else { return Ok(None) };
        if samples.is_empty() {
            return Ok(None);
        }
        let run = app::now();
        self.trace.begin(run);
        running.send(samples.iter().map(|sample| sample.record(&running.topic(), run)).collect()).await?;
        let interrupted = tokio::select! {
            () = self.trace.ended(samples.len()) => None,
            () = running.over.cancelled() => Some(Change::default()),
            more = eyes.change(|| self.look()) => Some(more),
            never = self.tell_what_is_waited_for() => match never? {},
        };
        let sent = self.show(&samples)?;
        if let Some(more) = interrupted {
            *change = more;
            if self.running.as_ref().is_some_and(|running| running.over.is_cancelled()) {
                self.bury().await?;
            }
        }
        Ok(Some(sent))
    }

    /// Shows each sample: in full if it is new, otherwise what is different.
    fn show(&mut self, samples: &[Sample]) -> Result<Sent, Failure> {
        let stages: Vec<String> = self
            .running
            .iter()
            .flat_map(|running| &running.pipeline.stages)
            .map(|stage| stage.name.to_string())
            .collect();
        let mut sent = Sent { dead: 0, all: samples.len() };
        for sample in samples {
            let path = self.trace.take(&sample.name);
            sent.dead += usize::from(matches!(path.end, Some(Ended::DeadLettered(_))));
            let transcript = path.transcript(&stages);
            let text = match self.last.get(&sample.name) {
                None => difference::new(&sample.name, &transcript, self.palette),
                Some(before) => difference::against(&sample.name, before, &transcript, self.palette),
            };
            self.say(text.trim_end())?;
            if path.end.is_some() {
                self.last.insert(sample.name.clone(), transcript);
            }
        }
        self.last.retain(|name, _| samples.iter().any(|sample| sample.name == *name));
        Ok(sent)
    }

    async fn tell_what_is_waited_for(&self) -> Result<std::convert::Infallible, Failure> {
        let mut told = String::new();
        loop {
            tokio::time::sleep(PATIENCE).await;
            let waits_for = self
                .trace
                .waits_for()
                .map_or_else(|| "the samples are on their way".to_owned(), |why| format!("waiting: {why}"));
            if waits_for != told {
                self.say(&format!("{}{waits_for}{}", self.palette.dim, self.palette.off))?;
                told = waits_for;
            }
        }
    }

    /// What there is to watch now.
    fn look(&self) -> Watched {
        let built = |path: &&PathBuf| !self.sources.builds(path);
        Watched {
            parts: self.parts.iter().filter(built).cloned().collect(),
            sources: self.sources.files(),
            samples: self.samples.files().unwrap_or_default(),
        }
    }

    /// Says why the pipeline has ended by itself. The next change starts it again.
    async fn bury(&mut self) -> Result<(), Failure> {
        let Some(running) = self.running.take() else { return Ok(()) };
        match running.end().await {
            Err(failure) => self.say(&format!("{}\nthe next change starts it again", shown(&failure))),
            Ok(()) => Ok(()),
        }
    }

    async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            // It was told to end; how it did does not matter any more.
            let _ = running.end().await;
        }
    }

    /// Ends what runs.
    pub(super) async fn close(&mut self) {
        self.stop().await;
    }

    fn say(&self, text: &str) -> Result<(), Failure> {
        if !text.is_empty() && console::print(&format!("{text}\n"))? == Reader::Gone {
            self.shutdown.cancel();
        }
        Ok(())
    }
}

/// Whether there is something to send samples to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prepared {
    Ready,
    /// Something else has changed: begin again.
    Interrupted,
}

async fn ended(over: Option<CancellationToken>) {
    match over {
        Some(over) => over.cancelled().await,
        None => std::future::pending().await,
    }
}

fn shown(failure: &Failure) -> String {
    let style = if std::io::stdout().is_terminal() { Style::Coloured } else { Style::Plain };
    match failure {
        Failure::Config(error) => error.render(style),
        other => format!("error: {other}"),
    }
}
