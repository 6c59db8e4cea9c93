//! `gristmill send`.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};

use super::args::Send;
use super::cluster::Cluster;
use super::payload::{media_type, read};
use crate::app::{self, Failure};
use crate::console;
use gristmill_core::model::Header;
use gristmill_core::ports::Record;

/// Sends files, or their lines, and waits until every record is acknowledged.
pub(super) async fn send(args: &Send) -> Result<(), Failure> {
    let cluster = Cluster::reach(&args.cluster)?;
    let mut records = Vec::new();
    for file in &args.files {
        let content = read(file)?;
        let content_type = args.content_type.as_deref().or_else(|| media_type(file));
        if args.lines {
            let lines = content.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
            for line in lines.filter(|line| !line.is_empty()) {
                records.push(record(args, file, content_type, content.slice_ref(line)));
            }
        } else {
            records.push(record(args, file, content_type, content));
        }
    }
    let count = records.len() as u64;
    let bar = match std::io::stderr().is_terminal() {
        true => ProgressBar::new(count).with_style(bar_style()),
        false => ProgressBar::hidden(),
    };
    let groups = records.into_iter().map(|record| vec![record]).collect();
    let sent = cluster.broker.write(groups, cluster.group.as_deref(), &|sent| bar.set_position(sent)).await;
    bar.finish_and_clear();
    let sent = sent.map_err(|error| cluster.failed(error))?;
    let records = if sent == 1 { "record" } else { "records" };
    console::print(&format!("{sent} {records} written to {}\n", args.topic))?;
    Ok(())
}

fn bar_style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:40} {pos}/{len} written").unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn record(args: &Send, file: &Path, content_type: Option<&str>, content: Bytes) -> Record {
    let mut headers = args.headers.clone();
    let text = |name: &'static str, value: &str| Header {
        name: name.into(),
        value: Some(Bytes::copy_from_slice(value.as_bytes())),
    };
    if let Some(content_type) = content_type {
        headers.push(text("content-type", content_type));
    }
    if let Some(name) = file.file_name().and_then(|name| name.to_str()).filter(|name| *name != "-") {
        headers.push(text("file-name", name));
    }
    Record {
        topic: Arc::from(args.topic.as_str()),
        partition: None,
        key: args.key.as_ref().map(|key| Bytes::copy_from_slice(key.as_bytes())),
        payload: Some(content),
        headers,
        timestamp: app::now(),
    }
}
