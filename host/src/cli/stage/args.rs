//! The arguments of `gristmill stage`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use gristmill_core::model::Header;
use gristmill_toolchain::{Language, Name, Network};

use super::super::payload::header;
use super::subject::Subject;
use super::versions::{Activate, HistoryOf, List, Rollback};

/// What to do with a stage.
#[derive(Debug, Subcommand)]
pub enum Stage {
    /// Begin a stage of your own
    ///
    /// In a project, it becomes stages/NAME; elsewhere the folder NAME, which then carries the SDK along.
    ///
    /// Examples:
    ///   gristmill stage new shout
    ///   gristmill stage new shout --lang python
    #[command(verbatim_doc_comment)]
    New(New),
    /// Build a stage, and show what became of it
    ///
    /// Calls the tools of its language and puts the component into target/stages of the project by one rename, so that a
    /// host which watches it never sees a half. Shows its size, its imports, the grants it needs, and what an instance and a
    /// call cost on this machine.
    ///
    /// Examples:
    ///   gristmill stage build
    ///   gristmill stage build stages/shout --offline
    #[command(verbatim_doc_comment)]
    Build(Build),
    /// Build a stage and compare what it makes of its cases
    ///
    /// A case is a folder in cases: item.EXT is the item; case.toml, if there, has its media type, headers, attributes and the
    /// configuration; answers.toml, if there, is what models answer; expected.toml is what comes out. Exit code 1 if
    /// something else comes out.
    ///
    /// Examples:
    ///   gristmill stage test
    ///   gristmill stage test stages/shout --only umlauts
    ///   gristmill stage test --update
    #[command(verbatim_doc_comment)]
    Test(Test),
    /// Show what a stage makes of one item, with its logs
    ///
    /// The stage runs alone: no broker, no pipeline file, and models that answer from a script. Exit code 1 if it fails.
    ///
    /// Examples:
    ///   gristmill stage run . cases/tidy/item.txt
    ///   gristmill stage run builtin:chunk contract.md --config 'size = 500'
    ///   echo hello | gristmill stage run shout.wasm - --content-type text/plain
    #[command(verbatim_doc_comment)]
    Run(Run),
    /// Show what a component is: its contract, imports, size and schema
    ///
    /// Examples:
    ///   gristmill stage inspect builtin:sanitize
    ///   gristmill stage inspect target/stages/shout.wasm --json
    #[command(verbatim_doc_comment)]
    Inspect(Inspect),
    /// Write the component of a standard stage to a file
    ///
    /// Example: gristmill stage export builtin:chunk --to chunk.wasm
    #[command(verbatim_doc_comment)]
    Export(Export),
    /// Put the SDK of this version into a project
    ///
    /// Replaces the one in vendor/gristmill.
    ///
    /// Example: gristmill stage sdk
    #[command(verbatim_doc_comment)]
    Sdk(Sdk),
    /// List the versions of a pipeline's stages on a host: which serve, and why others do not
    ///
    /// Asks the admin server of the host; so do the three below.
    ///
    /// Example: gristmill stage list contracts enrich
    #[command(verbatim_doc_comment)]
    List(List),
    /// Let another version of a stage serve, while the pipeline runs
    ///
    /// A file is sent to the host, which compiles it, checks it and tries it out before new jobs run it; jobs in flight end with
    /// the version that they began with. If it fails any of that, what serves goes on. What was activated is still there after
    /// a restart, until the module that the pipeline file names changes.
    ///
    /// Examples:
    ///   gristmill stage activate contracts enrich target/stages/enrich.wasm
    ///   gristmill stage activate contracts enrich new.wasm --canary 5 --promote-after 10m
    ///   gristmill stage activate contracts enrich 3
    #[command(verbatim_doc_comment)]
    Activate(Activate),
    /// Let the version serve that served before, or end a canary
    ///
    /// Example: gristmill stage rollback contracts enrich
    #[command(verbatim_doc_comment)]
    Rollback(Rollback),
    /// Show what became of a stage's versions: when, by whom, and why
    ///
    /// Example: gristmill stage history contracts enrich
    #[command(verbatim_doc_comment)]
    History(HistoryOf),
}

/// `gristmill stage new`.
#[derive(Debug, Args)]
pub struct New {
    /// The name: 1 to 40 of a-z, 0-9 and "-".
    pub name: Name,
    /// The language.
    #[arg(long, value_enum, value_name = "LANGUAGE", default_value_t = LanguageChoice::Rust)]
    pub lang: LanguageChoice,
}

/// A language that there is a template for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LanguageChoice {
    /// Rust.
    Rust,
    /// Python, which is experimental.
    Python,
    /// JavaScript, which is experimental.
    Js,
}

impl From<LanguageChoice> for Language {
    fn from(choice: LanguageChoice) -> Self {
        match choice {
            LanguageChoice::Rust => Self::Rust,
            LanguageChoice::Python => Self::Python,
            LanguageChoice::Js => Self::JavaScript,
        }
    }
}

/// Whether a build may use the network.
#[derive(Debug, Clone, Copy, Args)]
pub struct Access {
    /// Fetch nothing: build with what is on this machine.
    #[arg(long)]
    offline: bool,
}

impl Access {
    /// As the toolchain has it.
    pub(super) fn network(self) -> Network {
        match self.offline {
            true => Network::Offline,
            false => Network::Online,
        }
    }
}

/// `gristmill stage build`.
#[derive(Debug, Args)]
pub struct Build {
    /// The folder of the stage.
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub folder: PathBuf,
    /// Whether it may fetch something.
    #[command(flatten)]
    pub access: Access,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `gristmill stage test`.
#[derive(Debug, Args)]
pub struct Test {
    /// The folder of the stage.
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub folder: PathBuf,
    /// Only the cases with this in their names.
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// Write what comes out as what is expected.
    #[arg(long)]
    pub update: bool,
    /// Whether it may fetch something.
    #[command(flatten)]
    pub access: Access,
}

/// `gristmill stage run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The folder of a stage, which is built first; a component; or builtin:NAME.
    #[arg(value_name = "STAGE")]
    pub stage: Subject,
    /// The file with the payload; "-" is standard input.
    #[arg(value_name = "ITEM")]
    pub item: PathBuf,
    /// A line of the configuration, in TOML; can be repeated.
    #[arg(long, value_name = "KEY = VALUE")]
    pub config: Vec<String>,
    /// The script that answers in place of models; by default the answers.toml beside the item.
    #[arg(long, value_name = "FILE")]
    pub answers: Option<PathBuf>,
    /// A branch that has a route; can be repeated.
    #[arg(long = "route", value_name = "BRANCH")]
    pub routed: Vec<String>,
    /// The media type; by default that of the file's ending.
    #[arg(long, value_name = "TYPE")]
    pub content_type: Option<String>,
    /// The key.
    #[arg(long)]
    pub key: Option<String>,
    /// A header; can be repeated.
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = header)]
    pub headers: Vec<Header>,
    /// An attribute; can be repeated.
    #[arg(long = "attribute", value_name = "NAME=VALUE", value_parser = header)]
    pub attributes: Vec<Header>,
    /// Whether it may fetch something.
    #[command(flatten)]
    pub access: Access,
}

/// `gristmill stage inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// A component, or builtin:NAME; or the folder of a stage, which is built first.
    #[arg(value_name = "STAGE")]
    pub stage: Subject,
    /// A line of the configuration, in TOML; can be repeated. Some stages take none that is empty.
    #[arg(long, value_name = "KEY = VALUE")]
    pub config: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
    /// Whether it may fetch something.
    #[command(flatten)]
    pub access: Access,
}

/// `gristmill stage export`.
#[derive(Debug, Args)]
pub struct Export {
    /// The stage: builtin:NAME.
    #[arg(value_name = "builtin:NAME")]
    pub stage: String,
    /// The file.
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// The component for a stage with grants = ["llm"], where that is another one.
    #[arg(long)]
    pub llm: bool,
}

/// `gristmill stage sdk`.
#[derive(Debug, Args)]
pub struct Sdk {
    /// The folder of the project, or of a stage that stands alone.
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub folder: PathBuf,
}
