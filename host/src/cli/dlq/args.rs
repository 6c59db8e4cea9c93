//! The arguments of `gristmill dlq`.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args, Subcommand};

use super::dead_letter::Place;
use super::moment::Moment;

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub enum Dlq {
    /// List the dead letters, one line each, and count them by reason
    ///
    /// A line shows the place in the topic, the time of the last attempt, the reason, the stage, the attempts there, how
    /// often the job was replayed before, the job and the error. Dead letters that were replayed since are omitted.
    ///
    /// Examples:
    ///   gristmill dlq list --pipeline pipeline.toml
    ///   gristmill dlq list --since 2h --reason llm-timeout --json --pipeline pipeline.toml
    #[command(verbatim_doc_comment)]
    List(List),
    /// Show one dead letter in full
    ///
    /// Example: gristmill dlq show 0/17 --pipeline pipeline.toml
    #[command(verbatim_doc_comment)]
    Show(Show),
    /// Send the events of dead letters to the source topic again
    ///
    /// A job resumes where it failed: stored model answers and checkpoints are reused, unless --from-stage names a stage
    /// to start over from. Each dead letter is marked as replayed. Jobs that have been replayed --max-replays times are
    /// skipped, so that no job is replayed forever.
    ///
    /// Examples:
    ///   gristmill dlq replay --reason llm-unavailable --dry-run --pipeline pipeline.toml
    ///   gristmill dlq replay 0/17 1/3 --from-stage enrich --pipeline pipeline.toml
    #[command(verbatim_doc_comment)]
    Replay(Replay),
}

/// The pipeline whose dead letters are meant.
#[derive(Debug, Args)]
pub struct Target {
    /// The pipeline file, which names the topics and the brokers.
    #[arg(long, value_name = "FILE")]
    pub pipeline: PathBuf,
    /// The brokers, as comma-separated host:port or as redis://host:port; overrides those of the file.
    #[arg(long, value_name = "ADDR", env = "GRISTMILL_BROKERS", value_parser = NonEmptyStringValueParser::new())]
    pub brokers: Option<String>,
}

/// Which dead letters.
#[derive(Debug, Args, Default)]
pub struct Filters {
    /// Only dead letters with this reason, for example llm-timeout; can be repeated.
    #[arg(long, value_name = "CODE")]
    pub reason: Vec<String>,
    /// Only dead letters that failed in this stage.
    #[arg(long, value_name = "NAME")]
    pub stage: Option<String>,
    /// Only dead letters of this job.
    #[arg(long, value_name = "ID")]
    pub job: Option<String>,
    /// Only if the last attempt was at or after this: a UTC time like 2026-11-20T08:00:00Z, or an age like 2h.
    #[arg(long, value_name = "TIME")]
    pub since: Option<Moment>,
    /// Only if the last attempt was before this: a time or an age, as for --since.
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
}

/// `gristmill dlq list`.
#[derive(Debug, Args)]
pub struct List {
    /// The pipeline.
    #[command(flatten)]
    pub target: Target,
    /// The filters.
    #[command(flatten)]
    pub filters: Filters,
    /// Print one JSON object per line, without totals.
    #[arg(long)]
    pub json: bool,
    /// Include dead letters that were replayed since.
    #[arg(long)]
    pub all: bool,
}

/// `gristmill dlq show`.
#[derive(Debug, Args)]
pub struct Show {
    /// The place of the dead letter, as `list` shows it.
    #[arg(value_name = "PARTITION/OFFSET")]
    pub place: Place,
    /// The pipeline.
    #[command(flatten)]
    pub target: Target,
}

/// `gristmill dlq replay`.
#[derive(Debug, Args)]
#[command(group(
    ArgGroup::new("choice")
        .args(["places", "reason", "stage", "job", "since", "until", "all_letters"])
        .multiple(true)
        .required(true)
))]
pub struct Replay {
    /// The places of the dead letters, as `list` shows them.
    #[arg(value_name = "PARTITION/OFFSET")]
    pub places: Vec<Place>,
    /// The pipeline.
    #[command(flatten)]
    pub target: Target,
    /// The filters.
    #[command(flatten)]
    pub filters: Filters,
    /// Replay all dead letters; required if no place and no filter is given.
    #[arg(long)]
    pub all_letters: bool,
    /// Start over from this stage instead of reusing stored answers and checkpoints.
    #[arg(long, value_name = "NAME")]
    pub from_stage: Option<String>,
    /// Only show what would be replayed.
    #[arg(long)]
    pub dry_run: bool,
    /// Skip jobs that were replayed N times or more before.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub max_replays: u32,
    /// Replay at most N, oldest first.
    #[arg(long, value_name = "N")]
    pub limit: Option<NonZeroU64>,
    /// Include dead letters that were replayed since.
    #[arg(long)]
    pub again: bool,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::super::args::{Command, CommandLine};
    use super::*;

    fn parse(line: &str) -> Result<Dlq, clap::Error> {
        match CommandLine::try_parse_from(line.split(' '))?.command {
            Command::Dlq(dlq) => Ok(dlq),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_replay_of_everything_must_be_explicit_and_the_error_names_what_can_be_chosen() {
        let error = parse("gristmill dlq replay --pipeline p.toml").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        for choice in ["--all-letters", "PARTITION/OFFSET", "--reason", "--stage", "--job", "--since", "--until"] {
            assert!(error.to_string().contains(choice), "{choice}: {error}");
        }
        for chosen in ["--all-letters", "0/1", "--reason x", "--stage s", "--job j", "--since 1h", "--until 1h"] {
            parse(&format!("gristmill dlq replay {chosen} --pipeline p.toml")).unwrap();
        }
    }

    #[test]
    fn a_replay_accepts_places_and_numbers() {
        let line = "gristmill dlq replay 0/17 3/4 --from-stage enrich --max-replays 1 --limit 9 --again --dry-run \
                    --pipeline p";
        let Dlq::Replay(replay) = parse(line).unwrap() else { panic!() };
        let places: Vec<String> = replay.places.iter().map(ToString::to_string).collect();
        assert_eq!(places, ["0/17", "3/4"]);
        assert_eq!((replay.from_stage.as_deref(), replay.max_replays), (Some("enrich"), 1));
        assert_eq!((replay.limit.map(NonZeroU64::get), replay.again, replay.dry_run), (Some(9), true, true));
    }

    #[test]
    fn a_list_accepts_filters() {
        let line = "gristmill dlq list --reason a --reason b --since 2026-11-20T08:00:00Z --json --all --pipeline p \
                    --brokers h:1";
        let Dlq::List(list) = parse(line).unwrap() else { panic!() };
        assert_eq!(list.filters.reason, ["a", "b"]);
        assert!(list.json && list.all);
        assert_eq!(list.target.brokers.as_deref(), Some("h:1"));
    }

    #[test]
    fn invalid_arguments_are_usage_errors() {
        let lines = [
            "gristmill dlq list",
            "gristmill dlq show --pipeline p",
            "gristmill dlq show 17 --pipeline p",
            "gristmill dlq list --since yesterday --pipeline p",
            "gristmill dlq replay 0/1 --limit 0 --pipeline p",
        ];
        for line in lines {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
