//! Faults in a configuration file, shown the way a compiler shows errors.

use std::fmt;

use gristmill_core::model::{printable, text};

use super::document::Place;

/// How many faults are shown; the others are only counted.
pub(super) const MOST_FAULTS: usize = 100;
/// The longest message or label, in bytes: they may quote values of the file and words of a stage.
const LONGEST_TEXT: usize = 2 << 10;

/// One fault, and its place.
#[derive(Debug, Clone)]
pub struct Fault {
    place: Place,
    message: String,
    label: String,
    severity: Severity,
}

/// What a fault means for the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    /// It cannot be used.
    Error,
    /// It can be used, but probably not as it was meant.
    Warning,
}

/// How faults are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Text only.
    #[default]
    Plain,
    /// With terminal colours.
    Coloured,
}

impl Fault {
    /// A fault at a place, described in one line.
    #[must_use]
    pub fn at(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: shortened(message.into()), label: String::new(), severity: Severity::Error }
    }

    /// Something about a file that can be used, but probably not as it was meant.
    #[must_use]
    pub fn warning(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::at(place, message) }
    }

    /// Adds how to fix the fault, shown at the caret.
    #[must_use]
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: shortened(label.into()), ..self }
    }

    /// The place of the fault.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The description of the fault, without place and label.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Message and label in one line, for logs.
    #[must_use]
    pub fn line(&self) -> String {
        match self.label.as_str() {
            "" => printable(&self.message),
            label => printable(&format!("{}: {label}", self.message)),
        }
    }

    /// Message, place, and the line with a caret; ends without a line break.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let (word, colour) = match self.severity {
            Severity::Error => ("error", "\x1b[1;31m"),
            Severity::Warning => ("warning", "\x1b[1;33m"),
        };
        let (colour, blue, bold, off) = match style {
            Style::Plain => ("", "", "", ""),
            Style::Coloured => (colour, "\x1b[1;34m", "\x1b[1m", "\x1b[0m"),
        };
        let (message, place) = (printable(&self.message), &self.place);
        let head = format!("{colour}{word}{off}{bold}: {message}{off}");
        let Some(excerpt) = place.excerpt() else {
            let label = match self.label.as_str() {
                "" => String::new(),
                label => format!("\n {blue}={off} {}", printable(label)),
            };
            return format!("{head}\n{blue}-->{off} {place}{label}");
        };
        let number = excerpt.line.to_string();
        let gutter = " ".repeat(number.len());
        // Tabs are kept, so that the caret stands below its character whatever the terminal's tab width.
        let indent: String = excerpt.before.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let caret = "^".repeat(excerpt.width);
        let label = match self.label.as_str() {
            "" => String::new(),
            label => format!(" {}", printable(label)),
        };
        let lines = [
            head,
            format!("{gutter}{blue}-->{off} {place}"),
            format!("{gutter} {blue}|{off}"),
            format!("{blue}{number} |{off} {}", printable(&excerpt.text)),
            format!("{gutter} {blue}|{off} {indent}{colour}{caret}{label}{off}"),
        ];
        lines.join("\n")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Style::Plain))
    }
}

fn shortened(text: String) -> String {
    if text.len() <= LONGEST_TEXT { text } else { text::line(&text, LONGEST_TEXT) }
}

/// All faults in one or more files: at least one, in file order.
#[derive(Debug, Clone)]
pub struct ConfigError {
    faults: Vec<Fault>,
    /// How many there are beside those.
    unlisted: usize,
}

impl ConfigError {
    /// An error if there are faults.
    ///
    /// # Errors
    /// The faults, sorted into file order.
    pub fn check(faults: Vec<Fault>) -> Result<(), Self> {
        Self::check_of(faults, 0)
    }

    /// The same, where others were only counted.
    pub(super) fn check_of(faults: Vec<Fault>, unlisted: usize) -> Result<(), Self> {
        if faults.is_empty() { Ok(()) } else { Err(Self { unlisted, ..Self::of(faults) }) }
    }

    /// An error with these faults; there must be at least one.
    pub(super) fn of(mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| fault.place.offset());
        Self { faults, unlisted: 0 }
    }

    /// The faults of several files as one error, file by file.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.faults.extend(other.faults);
        self.unlisted += other.unlisted;
        self
    }

    /// The faults.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The first hundred faults with a blank line between them, and how many more there are; ends without a line break.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let mut faults: Vec<String> = self.faults.iter().take(MOST_FAULTS).map(|fault| fault.render(style)).collect();
        match self.faults.len().saturating_sub(MOST_FAULTS) + self.unlisted {
            0 => {}
            1 => faults.push("and 1 more fault".into()),
            more => faults.push(format!("and {more} more faults")),
        }
        faults.join("\n\n")
    }
}

impl From<Fault> for ConfigError {
    fn from(fault: Fault) -> Self {
        Self { faults: vec![fault], unlisted: 0 }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Style::Plain))
    }
}

impl std::error::Error for ConfigError {}
