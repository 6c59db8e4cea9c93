//! Writes the pages of a document, and what is said beside them.

use std::collections::HashSet;

use super::annotations::Notes;
use super::lines::{Break, Line};
use super::sheet::Sheet;
use super::structure::{self, Sizes};
use super::xfa;
use crate::pdf_layout::PdfLayout;

/// How many links of a page are looked for in its text.
const MOST_LOOKED_FOR: usize = 200;

/// The text of a document: its pages, separated by form feeds, and the values of its XFA form.
pub(super) fn write(sheets: &[Sheet], layout: PdfLayout, values: &[(String, String)]) -> String {
    let sizes = match layout {
        PdfLayout::Text => Sizes::default(),
        PdfLayout::Markdown => Sizes::of(sheets),
    };
    let mut links = HashSet::new();
    let mut text = String::new();
    for (number, sheet) in sheets.iter().enumerate() {
        if number > 0 {
            text.push('\x0C');
        }
        let own = match layout {
            PdfLayout::Text => plain(&sheet.lines),
            PdfLayout::Markdown => structure::write(&sheet.lines, &sizes),
        };
        let start = text.len();
        if values.is_empty() || !xfa::is_placeholder(&own) {
            text.push_str(&own);
        }
        push_notes(&sheet.notes, &own, &mut links, start, &mut text);
    }
    push_values(values, &mut text);
    text
}

fn plain(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        if !text.is_empty() {
            text.push_str(if line.before == Break::Paragraph { "\n\n" } else { "\n" });
        }
        text.push_str(&line.text);
    }
    text
}

/// Appends comments, and where links lead if the page does not say so itself.
fn push_notes<'a>(notes: &'a Notes, page: &str, known: &mut HashSet<&'a str>, start: usize, text: &mut String) {
    for comment in &notes.comments {
        push_paragraph(comment, start, text);
    }
    let mut is_first = true;
    for (number, link) in notes.links.iter().enumerate() {
        let is_new = known.insert(link) && !link.is_empty();
        if is_new && (number >= MOST_LOOKED_FOR || !page.contains(without_scheme(link))) {
            match is_first {
                true => push_paragraph(link, start, text),
                false => {
                    text.push('\n');
                    text.push_str(link);
                }
            }
            is_first = false;
        }
    }
}

/// The part of a link that people write.
fn without_scheme(link: &str) -> &str {
    let schemes = ["https://", "http://", "mailto:", "tel:"];
    let rest = schemes.iter().find_map(|scheme| link.strip_prefix(scheme)).unwrap_or(link);
    rest.trim_end_matches('/')
}

/// Appends the values of a form, except those that its pages show.
fn push_values(values: &[(String, String)], text: &mut String) {
    let mut lines: Vec<String> = Vec::new();
    for (number, (name, value)) in values.iter().enumerate() {
        if number >= MOST_LOOKED_FOR || !text.contains(value.as_str()) {
            lines.push(if name.is_empty() { value.clone() } else { format!("{name}: {value}") });
        }
    }
    if !lines.is_empty() {
        push_paragraph(&lines.join("\n"), 0, text);
    }
}

/// Appends a paragraph to the page that begins at `start`.
fn push_paragraph(paragraph: &str, start: usize, text: &mut String) {
    if text.len() > start {
        text.push_str("\n\n");
    }
    text.push_str(paragraph);
}
