//! `gristmill tap`: the items of a pipeline as they pass its stages, from the admin server of a host.

mod sse;

use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::num::NonZeroU64;
use std::pin::pin;

use anyhow::Context;
use clap::Args;
use gristmill_admin::{Tapped, TappedItem};
use gristmill_core::model::printable;

use self::sse::Stream;
use super::admin_server::{AdminServer, Host};
use crate::app::Failure;
use crate::console::{self, Reader};

/// `gristmill tap`.
#[derive(Debug, Args)]
pub struct Tap {
    /// The name of the pipeline.
    pub pipeline: String,
    /// Only this stage.
    #[arg(long, value_name = "NAME")]
    pub stage: Option<String>,
    /// End after N items.
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<NonZeroU64>,
    /// Print one JSON object per line, as docs/admin-api.md describes it.
    #[arg(long)]
    pub json: bool,
    /// Which host.
    #[command(flatten)]
    pub host: Host,
}

/// Shows items until the limit, Ctrl-C, the end of the pipeline, or until standard output is closed.
pub(super) async fn tap(args: &Tap) -> Result<(), Failure> {
    let server = AdminServer::of(&args.host)?;
    let query: Vec<(&str, &str)> = args.stage.iter().map(|stage| ("stage", &**stage)).collect();
    let mut answer = server.get(&["v1", "pipelines", &args.pipeline, "tap"], &query).await?;
    let coloured = io::stdout().is_terminal();
    let most = args.limit.map_or(u64::MAX, NonZeroU64::get);
    let (mut stream, mut shown) = (Stream::default(), 0);
    let mut reader_gone = pin!(console::reader_gone());
    while shown < most {
        let bytes = tokio::select! {
            bytes = answer.chunk() => bytes.context("the host has ended the connection")?,
            () = &mut reader_gone => break,
            _ = tokio::signal::ctrl_c() => break,
        };
        let Some(bytes) = bytes else {
            console::note("the pipeline has ended, or the host stops");
            break;
        };
        for sent in stream.take(&bytes).into_iter().filter(|sent| sent.name == "item") {
            if shown == most {
                break;
            }
            let item = serde_json::from_str(&sent.data).context("this is no admin server of Gristmill")?;
            let text = if args.json { sent.data } else { text(&item, coloured) };
            if console::print(&format!("{text}\n"))? == Reader::Gone {
                return Ok(());
            }
            shown += 1;
        }
    }
    Ok(())
}

/// A call of a stage on a few lines. Control characters are replaced: an item must not control the terminal.
fn text(tapped: &Tapped, coloured: bool) -> String {
    let (bold, dim, off) = if coloured { ("\x1b[1m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
    let code = tapped.code.as_deref().map(|code| format!(" ({})", printable(code))).unwrap_or_default();
    let mut text = format!(
        "{bold}{}  {}{off}  {}{code}  {:.3} s",
        printable(&tapped.stage),
        printable(&tapped.item.id),
        printable(&tapped.outcome),
        tapped.seconds,
    );
    if tapped.attempt > 1 {
        let _ = write!(text, "  attempt {}", tapped.attempt);
    }
    if tapped.skipped > 0 {
        let _ = write!(text, "  {dim}{} not shown before it{off}", tapped.skipped);
    }
    let _ = write!(text, "\n  in   {}", item(&tapped.item));
    for output in &tapped.outputs {
        let _ = write!(text, "\n  out  {}", item(output));
    }
    let more = tapped.output_count.saturating_sub(tapped.outputs.len());
    if more > 0 {
        let _ = write!(text, "\n  {dim}and {more} more{off}");
    }
    text.push('\n');
    text
}

fn item(item: &TappedItem) -> String {
    let kind = item.content_type.as_deref().unwrap_or("-");
    format!("{}  {} bytes  {}", printable(kind), item.bytes, printable(&item.payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_shown_with_what_became_of_it_and_cannot_control_the_terminal() {
        let item = |id: &str, payload: &str| TappedItem {
            id: id.into(),
            content_type: Some("text/plain".into()),
            bytes: payload.len(),
            payload: payload.into(),
        };
        let tapped = Tapped {
            stage: "chunk".into(),
            job: "p/in/0/1".into(),
            item: item("in:0:1", "(24 characters)"),
            attempt: 2,
            seconds: 0.0123,
            outcome: "emitted".into(),
            code: None,
            outputs: vec![item("", "a\x1b[2Jb")],
            output_count: 3,
            skipped: 7,
        };
        let expected = "chunk  in:0:1  emitted  0.012 s  attempt 2  7 not shown before it\n  \
                        in   text/plain  15 bytes  (24 characters)\n  \
                        out  text/plain  6 bytes  a\u{fffd}[2Jb\n  and 2 more\n";
        assert_eq!(text(&tapped, false), expected);
        let rejected = Tapped { outcome: "rejected".into(), code: Some("bad".into()), ..tapped };
        assert!(text(&rejected, false).starts_with("chunk  in:0:1  rejected (bad)  "));
    }
}
