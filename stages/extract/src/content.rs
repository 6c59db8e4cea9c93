//! What of a page is text.

use gristmill_sdk::serde::Deserialize;

/// What of an HTML page is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(crate = "gristmill_sdk::serde", rename_all = "kebab-case")]
pub enum Content {
    /// The main content, without navigation, page footers, banners and controls.
    #[default]
    Main,
    /// All that is shown.
    All,
}
