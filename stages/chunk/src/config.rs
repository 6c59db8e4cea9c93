//! What a pipeline can set for this stage, and the faults that the schema cannot express.

use std::num::NonZeroU32;

use gristmill_sdk::ConfigFault;
use gristmill_sdk::serde::Deserialize;

use crate::meter::Unit;

/// The table under `config` of a `chunk` stage.
#[derive(Debug, Clone, Deserialize)]
#[serde(crate = "gristmill_sdk::serde", deny_unknown_fields, default)]
pub struct Config {
    /// The most that one chunk may hold, overlap included, in `unit`.
    pub size: NonZeroU32,
    /// The most that a chunk may repeat from the end of the one before, in `unit`.
    pub overlap: u32,
    /// What `size` and `overlap` count.
    pub unit: Unit,
    /// How the text is read.
    pub format: Format,
    /// The deepest heading level that no chunk may cross; 0 for none.
    pub split_at_heading: u8,
}

/// How the text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(crate = "gristmill_sdk::serde", rename_all = "kebab-case")]
pub enum Format {
    /// As the media type says: Markdown for `text/markdown`, else plain text.
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
    /// What is wrong with these settings, each with the way out.
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
                "split_at_heading is {} but Markdown has six heading levels: give 0 (headings do not split) to 6",
                self.split_at_heading
            );
            faults.push(ConfigFault::new("/split_at_heading", message));
        }
        faults
    }
}
