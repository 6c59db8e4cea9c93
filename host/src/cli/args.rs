//! The command line: its arguments and their help texts.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::completions::Completions;
use super::dev::args::Dev;
use super::dlq::Dlq;
use super::health::Health;
use super::man::Man;
use super::models::Models;
use super::new::New;
use super::payload::header;
use super::schema::Schema;
use super::stage::Stage;
use super::tap::Tap;
use super::top::Top;
use super::verify_output::VerifyOutput;
use gristmill_core::model::Header;
use gristmill_core::settings::{BadListen, Listen};

use crate::settings::Watch;

const ABOUT: &str = "Runs AI pipelines on Kafka as sandboxed WebAssembly stages";

const LONG_ABOUT: &str = "\
Gristmill runs AI pipelines on Kafka as sandboxed WebAssembly stages.

A pipeline file names a source topic, the stages each event passes through, and the topics for results and for failed \
jobs. Start with `gristmill demo`, which needs nothing installed.";

const EXIT_CODES: &str = "\
Exit codes:
  0   success
  1   failed while running
  2   wrong command line
  3   a pipeline stopped by its own policy: too many of its jobs failed
  78  wrong configuration: every fault is shown with its line

Environment:
  GRISTMILL_ADMIN    where the admin server of `run` listens, or off; overrides the host file
  GRISTMILL_API      where the HTTP API of `run` listens, or off; overrides the host file
  GRISTMILL_BROKERS  the brokers; overrides the pipeline file
  GRISTMILL_CACHE    the folder of compiled stages; default: a folder in the user's cache folder
  GRISTMILL_STATE    the folder of state stores; default: a folder in the user's state folder
  RUST_LOG           the log filter, for example RUST_LOG=gristmill=debug";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "gristmill", version, about = ABOUT, long_about = LONG_ABOUT, after_long_help = EXIT_CODES)]
#[command(arg_required_else_help = true)]
pub struct CommandLine {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
    /// The format of log lines on standard error.
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For humans.
    Text,
    /// One JSON object per line, for programs.
    Json,
}

/// The command to run.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run pipelines until they are stopped
    ///
    /// Joins the consumer group of the pipeline, passes each event through the stages and writes the results. Start it
    /// on several machines to share the work. On SIGTERM or Ctrl-C it accepts no new events, lets running jobs finish
    /// within `limits.drain_timeout`, commits and leaves the group. Nothing is lost: unfinished events are delivered
    /// again.
    ///
    /// Several pipelines run side by side, each with its own group and limits. If one stops by itself, this is logged as
    /// an error, repeated every minute, and the others continue. The exit code is that of the worst pipeline. In a
    /// folder, every file that ends in .toml is a pipeline file.
    ///
    /// On SIGHUP it reads its files and their modules again, and each running pipeline takes on what changed; what is
    /// faulty is logged and changes nothing.
    ///
    /// Examples:
    ///   gristmill run pipeline.toml
    ///   gristmill run contracts.toml invoices.toml
    ///   gristmill run /etc/gristmill/pipelines
    #[command(verbatim_doc_comment)]
    Run(Run),
    /// Check pipelines without running them
    ///
    /// Reads the files, tries out every stage, and checks each stage's configuration against the stage's own schema. Every
    /// fault is shown with its line and how to fix it. Contacts no broker and no model, so it can run in a commit hook; modules
    /// in registries are fetched once.
    ///
    /// Examples:
    ///   gristmill check pipeline.toml
    ///   gristmill check /etc/gristmill/pipelines
    ///   gristmill check --compile pipeline.toml
    #[command(verbatim_doc_comment)]
    Check(Check),
    /// Print the JSON Schema of pipeline files, or of host files
    ///
    /// For editors that complete and check TOML by a schema, and for tools that write pipeline files. Durations and sizes
    /// are checked fully by `gristmill check` only.
    ///
    /// Example, for editors that read a `#:schema` line at the head of a file:
    ///   gristmill schema > gristmill.schema.json
    ///   #:schema ./gristmill.schema.json
    #[command(verbatim_doc_comment)]
    Schema(Schema),
    /// Show a pipeline at work, with nothing installed
    ///
    /// Starts an in-memory broker and a pipeline of the standard stages, sends it a few documents, and shows what happens
    /// to each. The model's answers are scripted, unless OPENAI_BASE_URL or OPENAI_API_KEY is set or Ollama runs on
    /// this machine.
    ///
    /// Example: gristmill demo --keep
    #[command(verbatim_doc_comment)]
    Demo(Demo),
    /// Begin a project: a pipeline with a stage of your own
    ///
    /// It runs with nothing installed but Rust: its broker is embedded, its model is scripted, and it carries the SDK along.
    ///
    /// Example: gristmill new hello
    #[command(verbatim_doc_comment)]
    New(New),
    /// Begin, build, test and look at stages
    ///
    /// docs/stages.md is a tutorial.
    ///
    /// Examples:
    ///   gristmill stage new shout
    ///   gristmill stage test stages/shout
    ///   gristmill stage inspect builtin:chunk
    #[command(verbatim_doc_comment, subcommand)]
    Stage(Stage),
    /// Develop a pipeline: what you save is built, swapped in and shown at work
    ///
    /// Runs the pipeline on an embedded broker and sends it sample events: the files in the folder samples beside the pipeline
    /// file, or those of --send. Shows the way of each through the stages. When the pipeline file, a module, the source of a
    /// stage, a script or a sample is saved, it builds and takes on what changed, sends the samples again and shows what is
    /// different. What is faulty is shown, and the version before goes on. A module is built from its source if a Cargo project
    /// of its name is above it.
    ///
    /// Models elsewhere are not asked, unless --models file says so: answers are made of the item's own words.
    ///
    /// Examples:
    ///   gristmill dev pipeline.toml
    ///   gristmill dev pipeline.toml --send contract.pdf events.jsonl
    ///   gristmill dev pipeline.toml --once
    #[command(verbatim_doc_comment)]
    Dev(Dev),
    /// Send files to a topic, one record each
    ///
    /// Ends when the broker has acknowledged every record. --brokers overrides the brokers of the pipeline file. With
    /// --lines, each line of a file becomes a record.
    ///
    /// Examples:
    ///   gristmill send documents contract.html --pipeline pipeline.toml
    ///   cat events.jsonl | gristmill send documents - --lines --brokers 127.0.0.1:9092
    #[command(verbatim_doc_comment)]
    Send(Send),
    /// Show the records of a topic as they arrive
    ///
    /// Reads all partitions without joining a group, so it does not disturb pipelines. Starts at the oldest record and
    /// continues until Ctrl-C, --count or --until-end.
    ///
    /// Examples:
    ///   gristmill tail analysed --pipeline pipeline.toml --until-end
    ///   gristmill tail contracts.dead --brokers 127.0.0.1:9092 --from end --json
    #[command(verbatim_doc_comment)]
    Tail(Tail),
    /// Inspect dead letters, and replay their events
    ///
    /// Works on the dead-letter topic of a pipeline file. A replayed dead letter is marked there, so it is not listed or
    /// replayed again. docs/dead-letters.md describes what a replay does.
    ///
    /// Examples:
    ///   gristmill dlq list --pipeline pipeline.toml
    ///   gristmill dlq show 0/17 --pipeline pipeline.toml
    ///   gristmill dlq replay --reason llm-unavailable --pipeline pipeline.toml
    #[command(verbatim_doc_comment, subcommand)]
    Dlq(Dlq),
    /// Show and try the models of a pipeline, and what they have cost
    ///
    /// docs/models.md says what the prices and the budgets mean.
    ///
    /// Examples:
    ///   gristmill models list pipeline.toml
    ///   gristmill models test pipeline.toml smart
    ///   gristmill models usage pipeline.toml
    #[command(verbatim_doc_comment, subcommand)]
    Models(Models),
    /// Ask a host whether it is alive, or ready
    ///
    /// Exit code 0 if it is, 1 if not, or if none answers. For health checks of containers, which have no curl.
    ///
    /// Example: gristmill health --ready
    #[command(verbatim_doc_comment)]
    Health(Health),
    /// Verify that events have outputs
    ///
    /// Reads the source topic, the topics of the outputs and the dead letters, and prints how many events have an output,
    /// which are missing, and which outputs are there more than once. Exit code 0 only if the share of events with an
    /// output is at least --min-rate. Joins no group, so it does not disturb pipelines.
    ///
    /// An event that a stage drops leaves no record, so nothing tells it from a lost one. Name such events with
    /// --expect-dropped, or let the pipeline route what it drops to a topic: that is an output, too.
    ///
    /// Examples:
    ///   gristmill verify-output pipeline.toml
    ///   gristmill verify-output pipeline.toml --expect-dropped kind=heartbeat --expect-dropped /user/role=bot
    ///   gristmill verify-output pipeline.toml --min-rate 1 --wait 2m --json
    #[command(verbatim_doc_comment)]
    VerifyOutput(VerifyOutput),
    /// Watch the pipelines of a host: rates, backlog, pauses, models
    ///
    /// Asks the admin server of the host. q quits; up and down choose the pipeline that is shown in detail.
    ///
    /// Examples:
    ///   gristmill top
    ///   gristmill top --url http://10.0.0.7:9464 --token-file /run/secrets/admin --once
    #[command(verbatim_doc_comment)]
    Top(Top),
    /// Watch items as they pass the stages of a pipeline
    ///
    /// Asks the admin server of the host, which shows samples, redacted unless its host file says otherwise. Nobody who
    /// watches slows the pipeline down.
    ///
    /// Examples:
    ///   gristmill tap contracts --stage enrich
    ///   gristmill tap contracts --limit 10 --json
    #[command(verbatim_doc_comment)]
    Tap(Tap),
    /// Print what a shell needs to complete this command line
    ///
    /// Examples:
    ///   gristmill completions bash > ~/.local/share/bash-completion/completions/gristmill
    ///   gristmill completions fish > ~/.config/fish/completions/gristmill.fish
    #[command(verbatim_doc_comment)]
    Completions(Completions),
    /// Compile one stage for a host, which starts this itself and writes what to do to standard input
    #[command(hide = true)]
    CompileStage,
    /// Write a manual page for each command to a folder
    ///
    /// Example: gristmill man target/package/man
    #[command(verbatim_doc_comment, hide = true)]
    Man(Man),
}

/// `gristmill run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The pipeline files, or folders of them.
    #[arg(value_name = "PIPELINE.toml", required_unless_present = "host")]
    pub pipelines: Vec<PathBuf>,
    /// A host file: models, store, limits and a folder of pipelines for all of them.
    #[arg(long, value_name = "gristmill.toml")]
    pub host: Option<PathBuf>,
    /// Where the admin server listens, or "off"; overrides the host file.
    #[arg(long, value_name = "IP:PORT|off", env = "GRISTMILL_ADMIN")]
    pub admin: Option<ServerChoice>,
    /// Where the HTTP API of jobs listens, or "off"; overrides the host file.
    #[arg(long, value_name = "IP:PORT|off", env = "GRISTMILL_API")]
    pub api: Option<ServerChoice>,
    /// Whether changed pipeline files and modules are taken on by themselves; overrides the host file.
    #[arg(long, value_enum, value_name = "on|poll|off")]
    pub watch: Option<Watch>,
}

/// Whether there is a server, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerChoice {
    /// There is none.
    Off,
    /// It listens here.
    On(Listen),
}

impl FromStr for ServerChoice {
    type Err = BadListen;

    fn from_str(text: &str) -> Result<Self, BadListen> {
        match text {
            "off" => Ok(Self::Off),
            address => address.parse().map(Self::On),
        }
    }
}

/// `gristmill check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The pipeline files, or folders of them.
    #[arg(value_name = "PIPELINE.toml", required_unless_present = "host")]
    pub pipelines: Vec<PathBuf>,
    /// A host file: models, store, limits and a folder of pipelines for all of them.
    #[arg(long, value_name = "gristmill.toml")]
    pub host: Option<PathBuf>,
    /// Compile the stages too, into the folder of compiled stages: the next start finds them there.
    #[arg(long)]
    pub compile: bool,
    /// Fetch no module from a registry: those that were not fetched before are faults.
    #[arg(long)]
    pub offline: bool,
}

/// `gristmill demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Keep the broker and the pipeline running until Ctrl-C, to send documents of your own.
    #[arg(long)]
    pub keep: bool,
    /// Print plain lines: no spinner and no colours.
    #[arg(long)]
    pub plain: bool,
}

/// Which cluster: at least one of the two is given.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct Cluster {
    /// The brokers, as comma-separated host:port or as redis://host:port; overrides those of --pipeline.
    #[arg(long, value_name = "ADDR", env = "GRISTMILL_BROKERS", value_parser = NonEmptyStringValueParser::new())]
    pub brokers: Option<String>,
    /// A pipeline file, for its brokers, how they are reached, and its group.
    #[arg(long, value_name = "FILE")]
    pub pipeline: Option<PathBuf>,
}

/// `gristmill send`.
#[derive(Debug, Args)]
pub struct Send {
    /// The topic.
    pub topic: String,
    /// The files; "-" is standard input.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Send each line as a record; empty lines are skipped.
    #[arg(long)]
    pub lines: bool,
    /// The key of every record. Records with the same key stay in order, except on Redis.
    #[arg(long)]
    pub key: Option<String>,
    /// A header of every record; can be repeated.
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = header)]
    pub headers: Vec<Header>,
    /// The media type of every record, for example text/html; sent as the header content-type.
    #[arg(long, value_name = "TYPE")]
    pub content_type: Option<String>,
}

/// `gristmill tail`.
#[derive(Debug, Args)]
pub struct Tail {
    /// The topic.
    pub topic: String,
    /// Which cluster.
    #[command(flatten)]
    pub cluster: Cluster,
    /// Print one JSON object per line: topic, partition, offset, timestamp, key, headers and value.
    #[arg(long)]
    pub json: bool,
    /// Where to start.
    #[arg(long, value_enum, value_name = "PLACE", default_value_t = From::Start)]
    pub from: From,
    /// End after N records.
    #[arg(short = 'n', long, value_name = "N")]
    pub count: Option<NonZeroU64>,
    /// End at the last existing record instead of waiting for more.
    #[arg(long)]
    pub until_end: bool,
}

/// Where `tail` starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum From {
    /// At the oldest record.
    Start,
    /// At the next record to arrive.
    End,
}

#[cfg(test)]
mod tests;
