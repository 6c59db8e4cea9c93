//! The example `examples/documents`, embedded so that the demo runs wherever the binary is.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;

use gristmill_core::model::Header;
use gristmill_core::ports::Record;

use crate::app;

const PIPELINE: &str = include_str!("../../../examples/documents/pipeline.toml");
const ANSWERS: &str = include_str!("../../../examples/documents/answers.toml");
/// File name, media type and content of each document.
const DOCUMENTS: [(&str, &str, &[u8]); 4] = [
    (
        "supply-agreement.pdf",
        "application/pdf",
        include_bytes!("../../../examples/documents/input/supply-agreement.pdf"),
    ),
    (
        "incident-report.docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        include_bytes!("../../../examples/documents/input/incident-report.docx"),
    ),
    ("release-notes.html", "text/html", include_bytes!("../../../examples/documents/input/release-notes.html")),
    ("broken-scan.pdf", "application/pdf", include_bytes!("../../../examples/documents/input/broken-scan.pdf")),
];

/// The example's pipeline in a folder of its own, removed when this is dropped.
pub(super) struct Example {
    folder: PathBuf,
}

impl Example {
    /// Writes the pipeline file and its answers to a fresh folder.
    pub(super) fn unpack() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("gristmill-demo-{}", std::process::id()));
        let example = Self { folder };
        let write = |name: &str, text: &str| fs::write(example.folder.join(name), text);
        fs::create_dir_all(&example.folder)
            .and_then(|()| write("pipeline.toml", PIPELINE))
            .and_then(|()| write("answers.toml", ANSWERS))
            .with_context(|| format!("the folder {} cannot be written", example.folder.display()))?;
        Ok(example)
    }

    pub(super) fn pipeline_file(&self) -> PathBuf {
        self.folder.join(Path::new("pipeline.toml"))
    }

    pub(super) fn documents(&self) -> impl ExactSizeIterator<Item = &'static str> {
        DOCUMENTS.iter().map(|(name, ..)| *name)
    }

    /// One record per document; the key is the file's name.
    pub(super) fn records(&self, topic: &Arc<str>) -> Vec<Record> {
        let timestamp = app::now();
        let record = |(name, media_type, content): &(&'static str, &'static str, &'static [u8])| Record {
            topic: Arc::clone(topic),
            partition: None,
            key: Some(Bytes::from_static(name.as_bytes())),
            payload: Some(Bytes::from_static(content)),
            headers: vec![Header {
                name: "content-type".into(),
                value: Some(Bytes::from_static(media_type.as_bytes())),
            }],
            timestamp,
        };
        DOCUMENTS.iter().map(record).collect()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // A leftover of two small files in the system's temporary folder is no reason to fail.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
