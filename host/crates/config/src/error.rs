//! What is wrong with a configuration file, shown the way a compiler shows it.

use std::fmt;

use super::document::Place;

/// One thing that is wrong, and where.
#[derive(Debug, Clone)]
pub struct Fault {
    place: Place,
    message: String,
    label: String,
}

/// How faults are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Text only.
    #[default]
    Plain,
    /// With the colours of a terminal.
    Coloured,
}

impl Fault {
    /// What is wrong, in one line, and where.
    #[must_use]
    pub fn at(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into(), label: String::new() }
    }

    /// Adds how to fix it, shown at the caret.
    #[must_use]
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What it is, without place and label.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Message, place, and the line with a caret; ends without a line break.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let (red, blue, bold, off) = match style {
            Style::Plain => ("", "", "", ""),
            Style::Coloured => ("\x1b[1;31m", "\x1b[1;34m", "\x1b[1m", "\x1b[0m"),
        };
        let (message, place) = (printable(&self.message), &self.place);
        let head = format!("{red}error{off}{bold}: {message}{off}");
        let Some(excerpt) = place.excerpt() else {
            let label = match self.label.as_str() {
                "" => String::new(),
                label => format!("\n {blue}={off} {}", printable(label)),
            };
            return format!("{head}\n{blue}-->{off} {place}{label}");
        };
        let number = excerpt.line.to_string();
        let gutter = " ".repeat(number.len());
        // Tabs stay tabs, so that the caret stands below its character whatever a terminal makes of them.
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
            format!("{gutter} {blue}|{off} {indent}{red}{caret}{label}{off}"),
        ];
        lines.join("\n")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Style::Plain))
    }
}

/// Stages and files can hold anything; a terminal must not obey it.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => '\t',
            '\n' => ' ',
            c if c.is_control() => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// Everything that is wrong with a file, or with several; at least one fault, in the order of the file.
#[derive(Debug, Clone)]
pub struct ConfigError {
    faults: Vec<Fault>,
}

impl ConfigError {
    /// An error if there are faults.
    ///
    /// # Errors
    /// The faults, put in the order of the file.
    pub fn check(faults: Vec<Fault>) -> Result<(), Self> {
        if faults.is_empty() { Ok(()) } else { Err(Self::of(faults)) }
    }

    /// The error of these faults, at least one.
    pub(super) fn of(mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| fault.place.offset());
        Self { faults }
    }

    /// The faults of several files as one error, file by file.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.faults.extend(other.faults);
        self
    }

    /// The faults.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// All faults with a blank line between them; ends without a line break.
    #[must_use]
    pub fn render(&self, style: Style) -> String {
        let faults: Vec<String> = self.faults.iter().map(|fault| fault.render(style)).collect();
        faults.join("\n\n")
    }
}

impl From<Fault> for ConfigError {
    fn from(fault: Fault) -> Self {
        Self { faults: vec![fault] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Style::Plain))
    }
}

impl std::error::Error for ConfigError {}
