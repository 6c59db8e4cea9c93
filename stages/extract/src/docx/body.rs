//! The text of a document, its footnotes and its endnotes: one pass over the XML, without recursion.

use quick_xml::events::{BytesStart, Event};

use super::numbering::{Numbering, Place};
use super::styles::{Styles, outline_level};
use super::table::Tables;
use super::xml;
use crate::markdown::Markdown;
use crate::reject::Reject;
use crate::whitespace;

/// Elements that are not part of the current text: deleted text, field codes, earlier formatting and the fallback
/// rendering of a drawing for old programs.
const SKIPPED: &[&str] = &[
    "del",
    "moveFrom",
    "delText",
    "instrText",
    "delInstrText",
    "Fallback",
    "pPrChange",
    "rPrChange",
    "tblPrChange",
    "sectPrChange",
];

#[derive(Debug, Default)]
struct Paragraph {
    text: String,
    style: Option<String>,
    outline: Option<u8>,
    place: Option<Place>,
}

/// The document being read.
pub(super) struct Body {
    styles: Styles,
    numbering: Numbering,
    limit: usize,
    markdown: Markdown,
    title: Option<String>,
    tables: Tables,
    /// Open paragraphs; those of a text box are inside the paragraph that it is anchored in.
    paragraphs: Vec<Paragraph>,
    /// The note being read: its label and text.
    note: Option<(String, String)>,
    /// Number of open elements within a skipped one, itself included.
    skipping: usize,
    /// Number of open elements that hold text.
    in_text: usize,
    /// Inside the properties of a paragraph, where a `tab` is a tab stop.
    in_properties: bool,
}

impl Body {
    /// A document with nothing read yet.
    pub(super) fn new(styles: Styles, numbering: Numbering, limit: usize) -> Self {
        Self {
            styles,
            numbering,
            limit,
            markdown: Markdown::default(),
            title: None,
            tables: Tables::default(),
            paragraphs: Vec::new(),
            note: None,
            skipping: 0,
            in_text: 0,
            in_properties: false,
        }
    }

    /// Reads one part.
    ///
    /// # Errors
    /// The XML is not well-formed or ends early, or there is too much text.
    pub(super) fn read(&mut self, xml: &str) -> Result<(), Reject> {
        let mut reader = xml::reader(xml);
        let mut open = 0_usize;
        loop {
            match xml::next(&mut reader)? {
                Event::Start(tag) => {
                    open += 1;
                    self.start(&tag);
                }
                Event::End(tag) => {
                    open -= 1;
                    self.end(tag.local_name().as_ref());
                }
                Event::Text(words) if self.accepts_text() => self.push(&words.xml10_content()),
                Event::CData(words) if self.accepts_text() => self.push(&words.xml10_content()),
                Event::GeneralRef(reference) if self.accepts_text() => self.push(&xml::resolve(&reference)),
                Event::Eof if open == 0 => return Ok(()),
                Event::Eof => return Err(Reject::DocxBroken("its XML ends early".into())),
                _ => {}
            }
            if self.markdown.len() > self.limit {
                return Err(Reject::TooLarge(self.limit));
            }
        }
    }

    /// The paragraph in the style "Title".
    pub(super) fn title(&self) -> Option<String> {
        self.title.clone()
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        self.markdown.finish()
    }

    fn accepts_text(&self) -> bool {
        self.skipping == 0 && self.in_text > 0
    }

    fn start(&mut self, tag: &BytesStart<'_>) {
        let name = tag.local_name();
        let name = name.as_ref();
        if self.skipping > 0 || SKIPPED.contains(&name) || is_separator(tag, name) {
            self.skipping += 1;
            return;
        }
        match name {
            "p" => self.paragraphs.push(Paragraph::default()),
            "pPr" => self.in_properties = true,
            "t" => self.in_text += 1,
            "tab" | "ptab" if !self.in_properties => self.push("\t"),
            "br" | "cr" => self.push("\n"),
            "noBreakHyphen" => self.push("\u{2011}"),
            "softHyphen" => self.push("\u{AD}"),
            "sym" => self.symbol(tag),
            "footnoteReference" => self.reference(tag, ""),
            "endnoteReference" => self.reference(tag, "e"),
            "footnote" => self.begin_note(tag, ""),
            "endnote" => self.begin_note(tag, "e"),
            "tbl" => self.tables.open(),
            "tr" => self.tables.row(),
            "tc" => self.tables.cell(),
            _ => {
                if let Some(paragraph) = self.paragraphs.last_mut().filter(|_| self.in_properties) {
                    paragraph.property(name, tag);
                }
            }
        }
    }

    fn end(&mut self, name: &str) {
        if self.skipping > 0 {
            self.skipping -= 1;
            return;
        }
        match name {
            "p" => self.end_paragraph(),
            "pPr" => self.in_properties = false,
            "t" => self.in_text = self.in_text.saturating_sub(1),
            "tbl" => {
                if let Some(rows) = self.tables.close() {
                    self.markdown.table(&rows);
                }
            }
            "footnote" | "endnote" => {
                if let Some((label, text)) = self.note.take().filter(|(_, text)| !text.trim().is_empty()) {
                    self.markdown.paragraph(&format!("[^{label}]: {}", text.trim()));
                }
            }
            _ => {}
        }
    }

    fn push(&mut self, text: &str) {
        if let Some(paragraph) = self.paragraphs.last_mut() {
            paragraph.text.extend(text.chars().map(whitespace::plain));
        }
    }

    /// Adds a letter of a symbol font as its code point; most are in the private use area.
    fn symbol(&mut self, tag: &BytesStart<'_>) {
        let code = xml::attribute(tag, "char").and_then(|code| u32::from_str_radix(&code, 16).ok());
        if let Some(letter) = code.and_then(char::from_u32) {
            self.push(letter.encode_utf8(&mut [0; 4]));
        }
    }

    fn reference(&mut self, tag: &BytesStart<'_>, prefix: &str) {
        if let Some(id) = xml::attribute(tag, "id") {
            self.push(&format!("[^{prefix}{id}]"));
        }
    }

    fn begin_note(&mut self, tag: &BytesStart<'_>, prefix: &str) {
        if let Some(id) = xml::attribute(tag, "id") {
            self.note = Some((format!("{prefix}{id}"), String::new()));
        }
    }

    fn end_paragraph(&mut self) {
        let Some(paragraph) = self.paragraphs.pop() else {
            return;
        };
        let text = paragraph.text.trim();
        if text.is_empty() {
            return;
        }
        if let Some((_, note)) = &mut self.note {
            note.push_str(text);
            note.push('\n');
            return;
        }
        if self.tables.push(text) {
            return;
        }
        let style = paragraph.style.as_deref().unwrap_or_default();
        if self.title.is_none() && self.styles.is_title(style) {
            self.title = Some(text.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        let level = paragraph.outline.or_else(|| self.styles.heading(style));
        let place = paragraph.place.or_else(|| self.styles.place(style));
        match (level, place) {
            (Some(level), _) => self.markdown.heading(level, text),
            // List zero removes a paragraph from the list that its style puts it in.
            (None, Some(place)) if place.list > 0 => {
                let marker = self.numbering.marker(place);
                self.markdown.item(place.level as usize, marker, text);
            }
            (None, _) => self.markdown.paragraph(text),
        }
    }
}

/// Notes of a special type are the separator lines between text and notes.
fn is_separator(tag: &BytesStart<'_>, name: &str) -> bool {
    matches!(name, "footnote" | "endnote") && xml::attribute(tag, "type").is_some_and(|kind| kind != "normal")
}

impl Paragraph {
    fn property(&mut self, name: &str, tag: &BytesStart<'_>) {
        let value = || xml::number(tag, "val");
        match name {
            "pStyle" => self.style = xml::attribute(tag, "val"),
            "outlineLvl" => self.outline = outline_level(value()),
            "numId" => self.place.get_or_insert_default().list = value().unwrap_or(0),
            "ilvl" => self.place.get_or_insert_default().level = value().unwrap_or(0),
            _ => {}
        }
    }
}
