//! Text that comes in runs, some of them raised or lowered.

use super::levels::{Level, Levels};

/// Text as it comes, with marks before raised and lowered letters where the reading depends on them.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    text: String,
    /// Raised or lowered letters whose end has not come yet: they may be in several runs.
    pending: String,
    level: Level,
    levels: Levels,
}

impl Scripted {
    /// Text that begins with this.
    pub(crate) fn beginning(text: String) -> Self {
        Self { text, ..Self::default() }
    }

    /// Adds letters.
    pub(crate) fn push(&mut self, text: &str, level: Level) {
        if level != self.level {
            self.settle();
            self.level = level;
        }
        match level {
            Level::Line => self.levels.append(&mut self.text, level, text),
            Level::Raised | Level::Lowered | Level::Note => self.pending.push_str(text),
        }
    }

    /// The length so far, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.text.len() + self.pending.len()
    }

    /// The last letter so far.
    pub(crate) fn last(&self) -> Option<char> {
        self.pending.chars().next_back().or_else(|| self.text.chars().next_back())
    }

    /// The text.
    pub(crate) fn finish(mut self) -> String {
        self.settle();
        self.text
    }

    fn settle(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if !pending.is_empty() {
            self.levels.append(&mut self.text, self.level, &pending);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Level::{Line, Raised};
    use super::*;

    fn text(runs: &[(&str, Level)]) -> String {
        let mut scripted = Scripted::default();
        runs.iter().for_each(|(text, script)| scripted.push(text, *script));
        scripted.finish()
    }

    #[test]
    fn raised_letters_may_be_in_several_runs() {
        assert_eq!(text(&[("10", Line), ("-", Raised), ("12", Raised), (" N", Line)]), "10^-12 N");
        assert_eq!(text(&[("e", Line), ("x", Raised), ("+1", Raised)]), "e^(x+1)");
    }
}
