//! `gristmill tail`.

use std::io::{self, IsTerminal, Write};

use super::args::{From, Tail};
use super::cluster::Cluster;
use super::show;
use crate::app::Failure;
use gristmill_core::ports::{self, Browse, Until};

/// Shows records until the requested end, Ctrl-C, or until standard output is closed.
pub(super) async fn tail(args: &Tail) -> Result<(), Failure> {
    let cluster = Cluster::reach(&args.cluster)?;
    let from = match args.from {
        From::Start => ports::From::Start,
        From::End => ports::From::End,
    };
    let until = if args.until_end { Until::End } else { Until::Dropped };
    let browse = Browse { topic: args.topic.as_str().into(), from, until };
    let mut records = cluster.broker.browse(browse).await.map_err(|error| cluster.failed(error))?;
    let coloured = io::stdout().is_terminal();
    let mut left = args.count.map_or(u64::MAX, std::num::NonZeroU64::get);
    while left > 0 {
        let event = tokio::select! {
            event = records.next() => event,
            _ = tokio::signal::ctrl_c() => None,
        };
        let Some(event) = event.transpose()? else { break };
        let text = if args.json { show::json(&event) } else { show::text(&event, coloured) };
        match writeln!(io::stdout().lock(), "{text}") {
            Ok(()) => {}
            // `gristmill tail … | head` ends when `head` does.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            Err(error) => {
                return Err(Failure::Running(anyhow::Error::new(error).context("cannot write to standard output")));
            }
        }
        left -= 1;
    }
    Ok(())
}
