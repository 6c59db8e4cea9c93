//! What becomes a record or an item: the content of files, their media types, and headers given by hand.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, ensure};
use bytes::Bytes;
use gristmill_core::model::Header;
use gristmill_core::settings::{ByteSize, read_file};

/// A whole file is held in memory until it is written.
const LARGEST_FILE: ByteSize = ByteSize::mib(1 << 10);

/// The whole of a file, or of standard input.
pub(super) fn read(file: &Path) -> anyhow::Result<Bytes> {
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

/// The media type for the file's extension. With `None`, stages detect it from the content.
pub(super) fn media_type(file: &Path) -> Option<&'static str> {
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

/// NAME=VALUE; the value may be empty and may contain "=".
pub(super) fn header(text: &str) -> Result<Header, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => {
            Ok(Header { name: name.to_owned().into(), value: Some(Bytes::copy_from_slice(value.as_bytes())) })
        }
        _ => Err("expected NAME=VALUE, for example source=crm".to_owned()),
    }
}
