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
    /// Maximum that a chunk repeats from the end of the previous one, in `unit`.
    pub overlap: u32,
    /// What `size` and `overlap` count.
    pub unit: Unit,
    /// How to read the text.
    pub format: Format,
    /// The deepest heading level that no chunk may cross; 0 for none.
    pub split_at_heading: u8,
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
        Self { size: DEFAULT_SIZE, overlap: 0, unit: Unit::Characters, format: Format::Auto, split_at_heading: 2 }
    }
}

impl Config {
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
        if self.split_at_heading > 6 {
            let message = format!(
                "split_at_heading is {} but Markdown has six heading levels: use 1 to 6, or 0 to not split at headings",
                self.split_at_heading
            );
            faults.push(ConfigFault::new("/split_at_heading", message));
        }
        faults
    }
}
