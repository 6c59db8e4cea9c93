//! The command line.

use super::backlog::Job;
use super::rows::{ROWS, Row, Subject};

/// The default number of rounds; the median counts.
pub(crate) const ROUNDS: usize = 3;
/// The default size of a backlog.
const GIGABYTES: f64 = 2.0;

/// What to measure.
pub(crate) enum Wanted {
    Rows(Arguments),
    Backlog {
        gigabytes: f64,
    },
    /// Each standard stage by itself.
    Stages,
    /// What the gateway to the models adds to a call.
    Gateway {
        rounds: usize,
    },
    /// Internal: run as the model server of it.
    GatewayServer,
    /// The time of an event from topic to topic, at half load.
    Latency,
    /// The time from the start of the binary to its first record.
    Start,
    /// How long the API takes to accept a document.
    Submit {
        rounds: usize,
    },
    /// What status reads cost a running pipeline.
    Reads {
        rounds: usize,
    },
    /// Internal: ask the API at this address for the jobs in this file.
    ApiLoad {
        address: String,
        paths: String,
    },
    /// What records of jobs cost a pipeline.
    Records {
        rounds: usize,
    },
    /// Internal: run as the process whose memory is measured.
    WorkOff(Job),
}

/// Which rows, and how many rounds and events.
pub(crate) struct Arguments {
    names: Vec<String>,
    pub(crate) rounds: usize,
    pub(crate) events: Option<usize>,
}

impl Arguments {
    /// Whether to run this row: named rows, all rows whose subject is there if none is named, and the plain loops they are
    /// compared with.
    pub(crate) fn wants(&self, row: &Row) -> bool {
        let named = |row: &Row| match self.names.is_empty() {
            true => row.subject.is_there(),
            false => self.names.iter().any(|name| name == row.name),
        };
        let compared = ROWS.iter().any(|other| other.input == row.input && other.name != row.name && named(other));
        named(row) || (row.subject == Subject::Plain && compared)
    }
}

/// Parses the command line, without the program name.
pub(crate) fn read(args: impl Iterator<Item = String>) -> Result<Wanted, String> {
    // Cargo passes `--bench` to every benchmark.
    let args: Vec<String> = args.filter(|arg| arg != "--bench" && arg != "--").collect();
    match args.iter().map(String::as_str).collect::<Vec<&str>>().as_slice() {
        ["stages"] => return Ok(Wanted::Stages),
        ["gateway", rest @ ..] if rest.len() < 2 => return Ok(Wanted::Gateway { rounds: rounds(rest)? }),
        ["submit", rest @ ..] if rest.len() < 2 => return Ok(Wanted::Submit { rounds: rounds(rest)? }),
        ["reads", rest @ ..] if rest.len() < 2 => return Ok(Wanted::Reads { rounds: rounds(rest)? }),
        ["records", rest @ ..] if rest.len() < 2 => return Ok(Wanted::Records { rounds: rounds(rest)? }),
        ["api-load", address, paths] => {
            return Ok(Wanted::ApiLoad { address: (*address).into(), paths: (*paths).into() });
        }
        ["gateway-server"] => return Ok(Wanted::GatewayServer),
        ["latency"] => return Ok(Wanted::Latency),
        ["start"] => return Ok(Wanted::Start),
        ["backlog"] => return Ok(Wanted::Backlog { gigabytes: GIGABYTES }),
        ["backlog", gigabytes] => return Ok(Wanted::Backlog { gigabytes: number(gigabytes)? }),
        ["work-off", source, sink, dead, count] => {
            let count = number(count)?;
            return Ok(Wanted::WorkOff(Job {
                source: (*source).into(),
                sink: (*sink).into(),
                dead: (*dead).into(),
                count,
            }));
        }
        _ => {}
    }
    let mut arguments = Arguments { names: Vec::new(), rounds: ROUNDS, events: None };
    for arg in args {
        match arg.split_once('=') {
            Some(("rounds", value)) => arguments.rounds = number::<usize>(value)?.max(1),
            Some(("events", value)) => arguments.events = Some(number::<usize>(value)?.max(1)),
            None if ROWS.iter().any(|row| row.name == arg) => arguments.names.push(arg),
            _ => {
                let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
                return Err(format!(
                    "unknown argument `{arg}`; expected {}, rounds=N, events=N, or one of stages, latency, start, \
                     gateway [ROUNDS], submit [ROUNDS], reads [ROUNDS], records [ROUNDS], backlog [GB]",
                    names.join(", ")
                ));
            }
        }
    }
    Ok(Wanted::Rows(arguments))
}

fn rounds(rest: &[&str]) -> Result<usize, String> {
    rest.first().map_or(Ok(ROUNDS), |rounds| number::<usize>(rounds).map(|rounds| rounds.max(1)))
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is not a valid number"))
}
