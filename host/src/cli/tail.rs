//! `gristmill tail`.

use std::io::{self, IsTerminal};
use std::pin::pin;

use super::args::{From, Tail};
use super::cluster::Cluster;
use super::show;
use crate::app::Failure;
use crate::console::{self, Reader};
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
    let most = args.count.map_or(u64::MAX, std::num::NonZeroU64::get);
    let mut shown = 0;
    let mut reader_gone = pin!(console::reader_gone());
    while shown < most {
        let event = tokio::select! {
            event = records.next() => event,
            // `gristmill tail … | head` ends when `head` does, also while nothing arrives.
            () = &mut reader_gone => break,
            _ = tokio::signal::ctrl_c() => break,
        };
        let Some(event) = event.transpose()? else {
            if shown == 0 {
                console::note(&nothing(args));
            }
            break;
        };
        let text = if args.json { show::json(&event) } else { show::text(&event, coloured) };
        if console::print(&format!("{text}\n"))? == Reader::Gone {
            break;
        }
        shown += 1;
    }
    Ok(())
}

/// Why nothing was shown.
fn nothing(args: &Tail) -> String {
    match args.from {
        From::Start => format!("the topic {} has no records", args.topic),
        From::End => format!("the topic {} had ended already: --from end shows what arrives later", args.topic),
    }
}
