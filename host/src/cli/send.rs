//! `gristmill send`.

use std::io::{IsTerminal, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};

use super::args::Send;
use super::cluster::Cluster;
use crate::app::{self, Failure};
use crate::console;
use gristmill_core::model::Header;
use gristmill_core::ports::Record;
use gristmill_core::settings::{ByteSize, read_file};

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

/// A whole file is held in memory until it is written.
const LARGEST_FILE: ByteSize = ByteSize::mib(1 << 10);

fn read(file: &Path) -> anyhow::Result<Bytes> {
    if file == Path::new("-") {
        let mut content = Vec::new();
        let mut input = std::io::stdin().lock().take(LARGEST_FILE.get() + 1);
        input.read_to_end(&mut content).context("cannot read standard input")?;
        ensure!(content.len() <= LARGEST_FILE.as_usize(), "standard input is larger than {LARGEST_FILE}");
        return Ok(content.into());
    }
    let unreadable = || format!("cannot read {}; standard input is called \"-\"", file.display());
    Ok(read_file(file, LARGEST_FILE).with_context(unreadable)?.into())
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

/// The media type for the file's extension. With `None`, stages detect it from the content.
pub(crate) fn media_type(file: &Path) -> Option<&'static str> {
    let extension = file.extension()?.to_str()?.to_ascii_lowercase();
    Some(match extension.as_str() {
        "pdf" => "application/pdf",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "pptx" => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "odt" => "application/vnd.oasis.opendocument.text",
        "ods" => "application/vnd.oasis.opendocument.spreadsheet",
        "odp" => "application/vnd.oasis.opendocument.presentation",
        "epub" => "application/epub+zip",
        "rtf" => "application/rtf",
        "eml" => "message/rfc822",
        "html" | "htm" => "text/html",
        "md" | "markdown" => "text/markdown",
        "txt" | "text" | "log" => "text/plain",
        "json" | "jsonl" | "ndjson" => "application/json",
        "xml" => "application/xml",
        "csv" => "text/csv",
        _ => return None,
    })
}
