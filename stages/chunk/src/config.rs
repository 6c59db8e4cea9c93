//! The configuration, and the checks that its schema cannot express.

use std::num::NonZeroU32;

use gristmill_sdk::ConfigFault;
use gristmill_sdk::serde::Deserialize;

use crate::meter::Unit;

/// The `config` table of a `chunk` stage.
#[derive(Debug, Clone, Deserialize)]
#[serde(crate = "gristmill_sdk::serde", deny_unknown_fields, default)]
pub struct Config {
    /// Maximum size of a chunk, overlap included, in `unit`.
    pub size: NonZeroU32,
    /// Chunks below this are put together with their neighbours, in `unit`; `None` is a fifth of `size`.
    pub min_size: Option<u32>,
    /// Maximum that a chunk repeats from the end of the previous one, in `unit`.
    pub overlap: u32,
    /// What the sizes count.
    pub unit: Unit,
    /// How to read the text.
    pub format: Format,
    /// The deepest heading level that no chunk may cross; 0 for none.
    pub split_at_heading: u8,
    /// Where the heading path of a chunk goes.
    pub heading_path: HeadingPath,
}

/// Where the heading path of a chunk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(crate = "gristmill_sdk::serde", rename_all = "kebab-case")]
pub enum HeadingPath {
    /// Into the attribute `chunk.heading-path` only.
    Attribute,
    /// Before the text of the chunk too.
    Text,
}

/// How to read the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(crate = "gristmill_sdk::serde", rename_all = "kebab-case")]
pub enum Format {
    /// By media type: Markdown for `text/markdown` and `text/x-markdown`, otherwise plain text.
    Auto,
    /// As plain text, whatever the media type.
    Text,
    /// As Markdown, whatever the media type.
    Markdown,
}

const DEFAULT_SIZE: NonZeroU32 = NonZeroU32::MIN.saturating_add(999);

impl Default for Config {
    fn default() -> Self {
        Self {
            size: DEFAULT_SIZE,
            min_size: None,
            overlap: 0,
            unit: Unit::Characters,
            format: Format::Auto,
            split_at_heading: 2,
            heading_path: HeadingPath::Attribute,
        }
    }
}

impl Config {
    /// The least size of a chunk.
    pub(crate) fn least(&self) -> u32 {
        self.min_size.unwrap_or(self.size.get() / 5)
    }

    /// What is wrong with these settings, and how to fix it.
    pub(crate) fn faults(&self) -> Vec<ConfigFault> {
        let mut faults = Vec::new();
        if self.overlap >= self.size.get() {
            let message = format!(
                "overlap is {} but must be less than size, which is {}: lower overlap or raise size",
                self.overlap, self.size
            );
            faults.push(ConfigFault::new("/overlap", message));
        }
        if let Some(min_size) = self.min_size
            && min_size > self.size.get() / 2
        {
            let message = format!(
                "min_size is {min_size} but can be at most half of size, which is {}: what is cut must make two chunks of it",
                self.size
            );
            faults.push(ConfigFault::new("/min_size", message));
        }
        if self.split_at_heading > 6 {
            let message = format!(
                "split_at_heading is {} but there are six heading levels: use 1 to 6, or 0 to not split at headings",
                self.split_at_heading
            );
            faults.push(ConfigFault::new("/split_at_heading", message));
        }
        faults
    }
}
