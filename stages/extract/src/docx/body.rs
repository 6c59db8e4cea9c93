//! The text of a document, its headers, footnotes and endnotes: one pass over the XML of each, without recursion.

use std::collections::BTreeSet;

use quick_xml::events::{BytesStart, Event};

use super::Imports;
use super::counters::{Counters, Label};
use super::imports;
use super::letters::Letters;
use super::numbering::Numbering;
use super::paragraph::Paragraph;
use super::properties::{self, Properties};
use super::shown::Shown;
use super::sink::{Sink, header_line};
use super::styles::Styles;
use crate::block::Block;
use crate::grid::Above;
use crate::package::{Package, Relations, Skipped, Xml, attribute, is_deleted_mark, is_on, number, reference};
use crate::reject::Reject;
use crate::shapes::Picture;

/// The document being read.
pub(super) struct Body<'p, 'a> {
    shown: Shown<'p, 'a>,
    imports: Imports,
    numbering: Numbering,
    counters: Counters,
    limit: usize,
    letters: Letters,
    sink: Sink,
    title: Option<String>,
    /// The text of a paragraph that the next one goes on with.
    carried: String,
    properties: Vec<Properties>,
    skipped: Skipped,
    pictures: Vec<Picture>,
    /// The labels of notes that the text has referred to.
    noted: BTreeSet<String>,
}

impl<'p, 'a> Body<'p, 'a> {
    /// A document with nothing read yet.
    pub(super) fn new(package: &'p Package<'a>, styles: Styles, numbering: Numbering, imports: Imports) -> Self {
        Self {
            shown: Shown::new(package),
            imports,
            numbering,
            counters: Counters::default(),
            limit: package.limit(),
            letters: Letters::new(styles),
            sink: Sink::new(package.limit()),
            title: None,
            carried: String::new(),
            properties: Vec::new(),
            skipped: Skipped::default(),
            pictures: Vec::new(),
            noted: BTreeSet::new(),
        }
    }

    /// Reads a header; a line that an earlier one had is left out.
    ///
    /// # Errors
    /// As for [`Body::read`].
    pub(super) fn read_header(&mut self, xml: Xml<'_>) -> Result<(), Reject> {
        self.sink.begin_header();
        self.letters.in_header = true;
        let read = self.read(xml, Relations::default());
        self.letters.in_header = false;
        self.sink.end_aside()?;
        read
    }

    /// Reads one part, with its relations.
    ///
    /// # Errors
    /// The XML is not well-formed or ends early, or there is too much text.
    pub(super) fn read(&mut self, mut xml: Xml<'_>, relations: Relations) -> Result<(), Reject> {
        self.shown.relations = relations;
        while let Some(event) = xml.next()? {
            match event {
                Event::Start(tag) => self.start(&tag)?,
                Event::End(tag) => self.end(tag.local_name().as_ref())?,
                Event::Text(words) => self.text(&words.xml10_content()),
                Event::CData(words) => self.text(&words.xml10_content()),
                Event::GeneralRef(entity) => self.text(&reference(&entity)),
                _ => {}
            }
            if self.letters.size > self.limit {
                return Err(Reject::TooLarge(self.limit));
            }
        }
        self.end_carried()
    }

    /// Adds the charts and diagrams of the part read last that its text does not refer to.
    ///
    /// # Errors
    /// There is too much text.
    pub(super) fn read_unshown(&mut self) -> Result<(), Reject> {
        let blocks = self.shown.rest()?;
        self.push_all(blocks)
    }

    /// The paragraph in the style "Title".
    pub(super) fn title(&self) -> Option<String> {
        self.title.clone()
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        self.sink.finish()
    }

    fn start(&mut self, tag: &BytesStart<'_>) -> Result<(), Reject> {
        let name = tag.local_name();
        let name = name.as_ref();
        let properties = self.properties.last().copied();
        if !self.skipped.is_active() && is_deleted_mark(name) {
            match properties {
                Some(Properties::Mark) => {
                    if let Some(paragraph) = self.letters.paragraph() {
                        paragraph.goes_on = true;
                    }
                }
                Some(Properties::Row) => {
                    if let Some(row) = self.sink.tables.row() {
                        row.is_deleted = true;
                    }
                }
                _ => {}
            }
        }
        let separator = matches!(name, "footnote" | "endnote") && self.is_unwanted_note(tag, name);
        if self.skipped.start(name, separator) {
            self.shown.leave_out(self.shown.part(name, tag));
            return Ok(());
        }
        if self.letters.formula.is_some() {
            self.letters.start_in_formula(name, tag);
            return Ok(());
        }
        if let Some(kind) = properties::kind_of(name, properties, self.letters.in_run()) {
            if name == "sectPr"
                && properties == Some(Properties::Paragraph)
                && let Some(paragraph) = self.letters.paragraph()
            {
                paragraph.ends_section = true;
            }
            if kind == Properties::Form {
                self.letters.fields.property(name, tag);
            }
            self.properties.push(kind);
            return Ok(());
        }
        match properties {
            Some(kind) => self.property(kind, name, tag),
            None => self.element(name, tag)?,
        }
        Ok(())
    }

    fn property(&mut self, kind: Properties, name: &str, tag: &BytesStart<'_>) {
        match kind {
            Properties::Paragraph => {
                if let Some(paragraph) = self.letters.paragraph() {
                    paragraph.property(name, tag);
                }
            }
            Properties::Mark => {
                if let Some(paragraph) = self.letters.paragraph().filter(|_| name == "vanish") {
                    paragraph.is_hidden = is_on(tag);
                }
            }
            Properties::Run => self.letters.run_property(name, tag),
            Properties::Row => {
                if let Some(row) = self.sink.tables.row() {
                    match name {
                        "gridBefore" => {
                            row.before = number(tag, "val").and_then(|count| usize::try_from(count).ok()).unwrap_or(0)
                        }
                        "hidden" => row.is_deleted |= is_on(tag),
                        _ => {}
                    }
                }
            }
            Properties::Cell => self.cell_property(name, tag),
            Properties::Control if name == "showingPlcHdr" => self.letters.mark_unfilled(is_on(tag)),
            Properties::Form => self.letters.fields.property(name, tag),
            Properties::Control | Properties::Other => {}
        }
    }

    fn cell_property(&mut self, name: &str, tag: &BytesStart<'_>) {
        let Some(cell) = self.sink.tables.cell() else {
            return;
        };
        let goes_on = || attribute(tag, "val").is_none_or(|val| val != "restart");
        match name {
            "gridSpan" => cell.columns = number(tag, "val").and_then(|count| usize::try_from(count).ok()).unwrap_or(1),
            "vMerge" if goes_on() => cell.above = Above::Merged,
            "hMerge" if goes_on() => cell.above = Above::MergedBefore,
            "cellDel" => cell.is_deleted = true,
            _ => {}
        }
    }

    fn element(&mut self, name: &str, tag: &BytesStart<'_>) -> Result<(), Reject> {
        match name {
            _ if self.letters.start(name, tag) => {}
            "p" => self.letters.paragraphs.push(Paragraph::beginning(std::mem::take(&mut self.carried))),
            "drawing" | "pict" | "object" => self.pictures.push(Picture::default()),
            "textpath" if !self.sink.in_header() => self.letters.push(&attribute(tag, "string").unwrap_or_default()),
            "chart" | "relIds" => {
                let part = self.shown.part(name, tag);
                if let Some(paragraph) = self.letters.paragraph() {
                    paragraph.shown.extend(part);
                }
            }
            "footnoteReference" => self.note_reference(tag, ""),
            "endnoteReference" => self.note_reference(tag, "e"),
            "footnote" => self.begin_note(tag, ""),
            "endnote" => self.begin_note(tag, "e"),
            "tbl" => {
                self.end_carried()?;
                self.sink.tables.open();
            }
            "tr" => self.sink.tables.begin_row(),
            "tc" => self.sink.tables.begin_cell(),
            "altChunk" if self.imports == Imports::Read => {
                let part = attribute(tag, "id").and_then(|id| self.shown.relations.target(&id).map(str::to_owned));
                if let Some(text) = part.map(|part| imports::read(self.shown.package, &part)).transpose()?.flatten() {
                    self.push_all(vec![Block::Paragraph(text)])?;
                }
            }
            _ => {
                if let Some(picture) = self.pictures.last_mut() {
                    picture.element(name, tag);
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), Reject> {
        if self.skipped.end(name) {
            return Ok(());
        }
        if self.letters.formula.is_some() {
            self.letters.end_in_formula(name);
            return Ok(());
        }
        if properties::kind_of(name, None, true).is_some() {
            self.properties.pop();
            return Ok(());
        }
        if !self.properties.is_empty() {
            return Ok(());
        }
        match name {
            _ if self.letters.end(name) => {}
            "p" => self.end_paragraph()?,
            "drawing" | "pict" | "object" => {
                if let Some(text) = self.pictures.pop().and_then(Picture::finish) {
                    self.letters.push_description(&text);
                }
            }
            "tc" | "txbxContent" => self.end_carried()?,
            "tbl" => {
                for block in self.sink.tables.close()? {
                    self.sink.push(block)?;
                }
            }
            "footnote" | "endnote" => self.sink.end_aside()?,
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if !self.skipped.is_active() && self.properties.is_empty() {
            self.letters.text(text);
        }
    }

    fn note_reference(&mut self, tag: &BytesStart<'_>, prefix: &str) {
        if let Some(label) = attribute(tag, "id").map(|id| format!("{prefix}{id}"))
            && self.letters.push_reference(&label)
        {
            self.noted.insert(label);
        }
    }

    /// A line between text and notes, or a note that nothing in the text refers to, such as one of deleted text.
    fn is_unwanted_note(&self, tag: &BytesStart<'_>, name: &str) -> bool {
        let prefix = if name == "endnote" { "e" } else { "" };
        let is_noted = attribute(tag, "id").is_some_and(|id| self.noted.contains(&format!("{prefix}{id}")));
        !is_noted || attribute(tag, "type").is_some_and(|kind| kind != "normal")
    }

    fn begin_note(&mut self, tag: &BytesStart<'_>, prefix: &str) {
        if let Some(id) = attribute(tag, "id") {
            self.sink.begin_note(format!("{prefix}{id}"));
        }
    }

    fn show(&mut self, parts: &[String]) -> Result<(), Reject> {
        let blocks = self.shown.read(parts)?;
        self.push_all(blocks)
    }

    fn push_all(&mut self, blocks: Vec<Block>) -> Result<(), Reject> {
        for block in blocks {
            self.letters.size = self.letters.size.saturating_add(block.len());
            self.sink.push(block)?;
        }
        Ok(())
    }

    /// Ends a paragraph that the one after it should have gone on with, but there is none.
    fn end_carried(&mut self) -> Result<(), Reject> {
        let text = std::mem::take(&mut self.carried);
        match text.trim() {
            "" => Ok(()),
            text => self.sink.push(Block::Paragraph(text.to_owned())),
        }
    }

    fn end_paragraph(&mut self) -> Result<(), Reject> {
        let Some(paragraph) = self.letters.paragraphs.pop() else {
            return Ok(());
        };
        self.letters.fields.end_paragraph();
        let text = paragraph.text.finish();
        if paragraph.goes_on {
            self.carried = text;
            return self.show(&paragraph.shown);
        }
        let style = self.letters.styles.of_paragraph(paragraph.style.as_deref()).to_owned();
        let place = self.letters.styles.place(&style, paragraph.stated, &self.numbering);
        let is_blank = text.trim().is_empty();
        // An empty paragraph of a list counts, unless it is not there at all, or only ends a section.
        let counts = !self.sink.in_header() && !(is_blank && (paragraph.is_hidden || paragraph.ends_section));
        let label = place.filter(|_| counts).map(|place| self.counters.next(&self.numbering, place));
        let level = paragraph.outline.unwrap_or_else(|| self.letters.styles.heading(&style));
        let is_code = level.is_none() && label.is_none() && self.letters.styles.is_code(&style);
        if self.sink.in_header() {
            return self.sink.push(Block::Paragraph(header_line(&text)));
        }
        if is_blank {
            if is_code {
                self.sink.push(Block::Code(String::new()))?;
            }
            return self.show(&paragraph.shown);
        }
        let text = if is_code { text.trim_end() } else { text.trim() };
        if self.title.is_none() && self.sink.in_main_text() && self.letters.styles.is_title(&style) {
            self.title = Some(text.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        let text = text.to_owned();
        let depth = |sink: &mut Sink| sink.depth(place.map_or(0, |place| place.level));
        let block = match (level, label) {
            (Some(level), Some(Label::Number(number))) => Block::Heading(level, format!("{number} {text}")),
            (Some(level), _) => Block::Heading(level, text),
            (None, Some(Label::Number(label))) => Block::Item { depth: depth(&mut self.sink), label, text },
            (None, Some(Label::Bullet)) => Block::Item { depth: depth(&mut self.sink), label: "-".into(), text },
            (None, _) if is_code => Block::Code(text),
            (None, _) => Block::Paragraph(text),
        };
        self.sink.push(block)?;
        self.show(&paragraph.shown)
    }
}
