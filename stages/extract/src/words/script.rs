//! Raised and lowered letters in plain text: "10^6" must not become "106".

/// Where letters stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Script {
    /// On the line.
    #[default]
    Line,
    /// Raised.
    Super,
    /// Lowered.
    Sub,
}

/// What is written raised after a word or a number without being a power or a note: "1st", "Nº", "Acme™".
const ENDINGS: &[&str] = &[
    "st", "nd", "rd", "th", "er", "ère", "re", "e", "ème", "eme", "o", "a", "os", "as", "me", "mo", "r", "lle", "tm",
    "sm", "mc", "®", "©", "™", "℠", "*", "**", "***", "†", "‡", "§", "°", "º", "ª", "'", "’", "\"", "”",
];

/// Text as it comes, with marks before raised and lowered letters where the reading depends on them.
#[derive(Debug, Default)]
pub(crate) struct Scripted {
    text: String,
    /// Raised or lowered letters whose end has not come yet: they may be in several runs.
    pending: String,
    script: Script,
}

impl Scripted {
    /// Text that begins with this.
    pub(crate) fn beginning(text: String) -> Self {
        Self { text, ..Self::default() }
    }

    /// Adds letters.
    pub(crate) fn push(&mut self, text: &str, script: Script) {
        if script != self.script {
            self.settle();
            self.script = script;
        }
        match script {
            Script::Line => self.text.push_str(text),
            Script::Super | Script::Sub => self.pending.push_str(text),
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
        if self.pending.is_empty() {
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        let before = self.text.chars().next_back();
        self.text.push_str(mark(self.script, before, pending.trim()));
        self.text.push_str(&pending);
    }
}

/// The mark to write before letters that come after `before`.
fn mark(script: Script, before: Option<char>, text: &str) -> &'static str {
    let Some(before) =
        before.filter(|before| before.is_alphanumeric() || matches!(before, ')' | ']' | '}' | '%' | '°'))
    else {
        return "";
    };
    let is_number = text.chars().all(|letter| letter.is_ascii_digit());
    match script {
        _ if text.is_empty() => "",
        Script::Line => "",
        Script::Super if ENDINGS.contains(&text.to_lowercase().as_str()) => "",
        Script::Super => "^",
        // "H2O" and "CO2" are written so; "10" base "2" is not "102".
        Script::Sub if is_number && !before.is_ascii_digit() => "",
        Script::Sub => "_",
    }
}

#[cfg(test)]
mod tests {
    use super::Script::{Line, Sub, Super};
    use super::*;

    fn text(runs: &[(&str, Script)]) -> String {
        let mut scripted = Scripted::default();
        runs.iter().for_each(|(text, script)| scripted.push(text, *script));
        scripted.finish()
    }

    #[test]
    fn powers_and_bases_are_marked_and_formulas_and_ordinals_are_not() {
        assert_eq!(text(&[("10", Line), ("6", Super), (" N", Line)]), "10^6 N");
        assert_eq!(text(&[("10", Line), ("-", Super), ("12", Super)]), "10^-12");
        assert_eq!(text(&[("m", Line), ("2", Super)]), "m^2");
        assert_eq!(text(&[("H", Line), ("2", Sub), ("O", Line)]), "H2O");
        assert_eq!(text(&[("101", Line), ("2", Sub)]), "101_2");
        assert_eq!(text(&[("x", Line), ("max", Sub)]), "x_max");
        assert_eq!(text(&[("the 1", Line), ("st", Super), (" day", Line)]), "the 1st day");
        assert_eq!(text(&[("14", Super), ("C", Line)]), "14C");
        assert_eq!(text(&[("a ", Line), (" ", Super), ("b", Line)]), "a  b");
    }
}
