//! Removes leftovers of layout and encoding from a text, and invisible characters.

mod characters;
mod hyphenation;
mod running_lines;
mod scripts;

use std::borrow::Cow;

use crate::config::Switches;
use crate::pii::{Class, Survey};
use crate::report::Report;

/// One kind of artifact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Artifact {
    /// Control characters and terminal sequences.
    Control,
    /// Characters without width, tags and stray variation selectors.
    ZeroWidth,
    /// Controls of the text direction.
    Bidi,
    /// Soft hyphens.
    SoftHyphens,
    /// Ligatures as single characters.
    Ligatures,
    /// Words broken over two lines.
    Hyphenation,
    /// Running headers and footers.
    RunningLines,
}

impl Artifact {
    pub(crate) const ALL: [Self; 7] = [
        Self::Control,
        Self::ZeroWidth,
        Self::Bidi,
        Self::SoftHyphens,
        Self::Ligatures,
        Self::Hyphenation,
        Self::RunningLines,
    ];

    /// The name in attributes.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::ZeroWidth => "zero-width",
            Self::Bidi => "bidi",
            Self::SoftHyphens => "soft-hyphens",
            Self::Ligatures => "ligatures",
            Self::Hyphenation => "hyphenation",
            Self::RunningLines => "running-lines",
        }
    }
}

/// The text without the enabled artifacts. Characters are removed first, because they hide words and lines from the
/// other steps.
pub(crate) fn remove<'t>(text: &'t str, survey: &Survey, switches: &Switches, report: &mut Report) -> Cow<'t, str> {
    let mut clean = Cow::Borrowed(text);
    if survey.has(Class::ARTIFACT) {
        clean = characters::remove(text, switches, report);
    }
    if switches.removes(Artifact::RunningLines) && survey.has(Class::FORM_FEED) {
        clean = then(clean, |text| running_lines::remove(text, report));
    }
    if switches.removes(Artifact::Hyphenation) {
        clean = then(clean, |text| hyphenation::remove(text, report));
    }
    clean
}

/// Applies the next step to a text that may already be a copy.
fn then<'t>(text: Cow<'t, str>, step: impl FnOnce(&str) -> Cow<'_, str>) -> Cow<'t, str> {
    match step(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(changed) => Cow::Owned(changed),
    }
}
