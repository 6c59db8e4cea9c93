//! Plain text and Markdown: unchanged but for line endings and blank lines at the start and end.

use crate::document::Document;
use crate::kind::Kind;

/// Reads plain text.
pub(crate) fn plain(text: &str) -> Document {
    Document { text: tidy(text), title: None, pages: None, kind: Kind::Plain }
}

/// Reads Markdown; the title is its first heading of level one.
pub(crate) fn markdown(text: &str) -> Document {
    let text = tidy(text);
    Document { title: first_heading(&text), text, pages: None, kind: Kind::Markdown }
}

fn tidy(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.trim_start_matches('\n').trim_end().to_owned()
}

fn first_heading(text: &str) -> Option<String> {
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") {
            fenced = !fenced;
        }
        if !fenced && let Some(title) = line.strip_prefix("# ") {
            let title = title.trim().trim_end_matches('#').trim_end();
            return (!title.is_empty()).then(|| title.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_unchanged_but_for_line_endings() {
        assert_eq!(plain("\r\n  a\tb\r\n\r\n\r\nc\x0Cd \n\n").text, "  a\tb\n\n\nc\x0Cd");
    }

    #[test]
    fn the_first_heading_is_the_title() {
        assert_eq!(markdown("intro\n# Réunion #\n# Two").title.as_deref(), Some("Réunion"));
        assert_eq!(markdown("```\n# comment\n```\n## Sub").title, None);
    }
}
