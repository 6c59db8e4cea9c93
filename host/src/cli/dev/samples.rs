//! The sample events, read from files anew for each run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, ensure};
use bytes::Bytes;
use gristmill_core::model::{Header, Timestamp};
use gristmill_core::ports::Record;
use gristmill_core::settings::{ByteSize, read_file};

use super::super::payload::media_type;

/// The folder beside the pipeline file whose files are sent if none are named.
const FOLDER: &str = "samples";
/// The largest sample. The embedded broker keeps 5 MiB of a partition.
const LARGEST: ByteSize = ByteSize::mib(4);
/// The most samples that are sent in one run.
const MOST: usize = 1_000;
/// Files of which each line is a sample.
const LINES: [&str; 2] = ["jsonl", "ndjson"];

/// Where samples come from.
#[derive(Debug, Clone)]
pub(super) struct Samples {
    /// Files, and folders of files.
    paths: Vec<PathBuf>,
    /// Whether somebody asked for these.
    is_named: bool,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    /// The name of its file, with the line if the file has several. Also the key of the record, so that its items have the same
    /// ids in each run.
    pub(super) name: String,
    content_type: Option<&'static str>,
    file: String,
    content: Bytes,
}

impl Samples {
    /// Those named, else those in the folder beside the pipeline file.
    pub(super) fn of(named: &[PathBuf], pipeline: &Path) -> Self {
        match named {
            [] => {
                let folder = pipeline.parent().unwrap_or(Path::new("")).join(FOLDER);
                Self { paths: vec![folder], is_named: false }
            }
            named => Self { paths: named.to_vec(), is_named: true },
        }
    }

    /// The files that there are now, sorted, without hidden ones.
    pub(super) fn files(&self) -> anyhow::Result<BTreeSet<PathBuf>> {
        let mut files = BTreeSet::new();
        for path in &self.paths {
            if !path.is_dir() {
                if self.is_named || path.exists() {
                    files.insert(path.clone());
                }
                continue;
            }
            let unreadable = || format!("cannot read the folder {}", path.display());
            for entry in fs::read_dir(path).with_context(unreadable)? {
                let entry = entry.with_context(unreadable)?;
                if !entry.file_name().as_encoded_bytes().starts_with(b".") && entry.path().is_file() {
                    files.insert(entry.path());
                }
            }
        }
        Ok(files)
    }

    /// What the user is told if there are none.
    pub(super) fn where_to_put_them(&self) -> String {
        let paths: Vec<String> = self.paths.iter().map(|path| path.display().to_string()).collect();
        format!("no samples: put events into {}, one a file, or name files with --send", paths.join(", "))
    }

    /// The samples as they are now.
    ///
    /// # Errors
    /// A file that cannot be read or is too large, or too many samples.
    pub(super) fn read(&self) -> anyhow::Result<Vec<Sample>> {
        let mut samples = Vec::new();
        for path in self.files()? {
            let content: Bytes =
                read_file(&path, LARGEST).with_context(|| format!("cannot send the sample {}", path.display()))?.into();
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let content_type = media_type(&path);
            let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
            if !LINES.contains(&&*extension) {
                samples.push(Sample { name: file.clone(), content_type, file, content });
                continue;
            }
            let lines = content.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
            for (number, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
                let name = format!("{file}:{}", number + 1);
                samples.push(Sample { name, content_type, file: file.clone(), content: content.slice_ref(line) });
            }
        }
        ensure!(samples.len() <= MOST, "there are {} samples, and at most {MOST} are sent", samples.len());
        let mut names = BTreeSet::new();
        if let Some(twice) = samples.iter().find(|sample| !names.insert(&sample.name)) {
            anyhow::bail!("two samples are named {}: name each file differently", twice.name);
        }
        Ok(samples)
    }
}

impl Sample {
    /// The record that it becomes.
    pub(super) fn record(&self, topic: &Arc<str>, timestamp: Timestamp) -> Record {
        let text = |name: &'static str, value: &str| Header {
            name: name.into(),
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
        };
        let content_type = self.content_type.map(|content_type| text("content-type", content_type));
        Record {
            topic: Arc::clone(topic),
            partition: None,
            key: Some(Bytes::copy_from_slice(self.name.as_bytes())),
            payload: Some(self.content.clone()),
            headers: content_type.into_iter().chain([text("file-name", &self.file)]).collect(),
            timestamp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_and_each_line_of_a_jsonl_file_is_a_sample() {
        let folder = tempfile::tempdir().unwrap();
        let samples = folder.path().join(FOLDER);
        fs::create_dir(&samples).unwrap();
        for (file, content) in [("b.json", "{}"), ("a.jsonl", "1\r\n\n2\n"), (".hidden", "x")] {
            fs::write(samples.join(file), content).unwrap();
        }
        let read = Samples::of(&[], &folder.path().join("pipeline.toml")).read().unwrap();
        let names: Vec<&str> = read.iter().map(|sample| &*sample.name).collect();
        assert_eq!(names, ["a.jsonl:1", "a.jsonl:3", "b.json"]);
        assert_eq!((&*read[0].content, read[2].content_type), (&b"1"[..], Some("application/json")));
    }

    #[test]
    fn a_folder_that_is_not_there_yet_has_no_samples_but_a_named_file_has_to_be_there() {
        let pipeline = Path::new("/nonexistent/pipeline.toml");
        assert!(Samples::of(&[], pipeline).read().unwrap().is_empty());
        let named = Samples::of(&["/nonexistent/a.json".into()], pipeline);
        assert!(named.read().unwrap_err().to_string().contains("/nonexistent/a.json"));
    }

    #[test]
    fn samples_with_one_name_are_told_apart_or_refused() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let paths: Vec<PathBuf> = folders.iter().map(|folder| folder.path().join("a.json")).collect();
        for path in &paths {
            fs::write(path, "{}").unwrap();
        }
        let refused = Samples::of(&paths, Path::new("p.toml")).read().unwrap_err().to_string();
        assert!(refused.contains("two samples are named a.json"), "{refused}");
    }
}
