//! The text of a document, its headers, footnotes and endnotes: one pass over the XML of each, without recursion.

use std::collections::BTreeSet;

use quick_xml::events::{BytesStart, Event};

use super::Imports;
use super::counters::{Counters, Label};
use super::drawing::Drawing;
use super::fields::Fields;
use super::imports;
use super::numbering::Numbering;
use super::paragraph::Paragraph;
use super::run::Looks;
use super::sink::{PAGE_NUMBER, Sink, header_line};
use super::skipped::{Skipped, is_deleted_mark};
use super::styles::Styles;
use crate::block::Block;
use crate::grid::Above;
use crate::package::{Package, Relations, Xml, attribute, is_on, number, reference};
use crate::reject::Reject;
use crate::shapes;
use crate::whitespace;
use crate::words::math::Formula;
use crate::words::script::Script;
use crate::words::symbols;

/// What the properties that are being read are those of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Properties {
    Paragraph,
    /// The mark at the end of a paragraph.
    Mark,
    Run,
    Row,
    Cell,
    Control,
    Form,
    /// Something whose properties do not matter.
    Other,
}

/// The run being read.
#[derive(Debug, Default)]
struct Run {
    own: Looks,
    /// How its letters look, once that is known.
    looks: Option<Looks>,
}

/// A content control being read.
#[derive(Debug, Default)]
struct Control {
    /// Whether it shows only the invitation to fill it in.
    is_unfilled: bool,
}

/// The document being read.
pub(super) struct Body<'p, 'a> {
    package: &'p Package<'a>,
    imports: Imports,
    relations: Relations,
    styles: Styles,
    numbering: Numbering,
    counters: Counters,
    limit: usize,
    sink: Sink,
    title: Option<String>,
    /// Bytes of text so far, wherever they are.
    size: usize,
    /// Open paragraphs; those of a text box are inside the paragraph that it is anchored in.
    paragraphs: Vec<Paragraph>,
    /// The text of a paragraph that the next one goes on with.
    carried: String,
    runs: Vec<Run>,
    properties: Vec<Properties>,
    controls: Vec<Control>,
    /// Open content controls without content of their own.
    unfilled: usize,
    fields: Fields,
    skipped: Skipped,
    drawings: Vec<Drawing>,
    formula: Option<Formula>,
    /// Number of open elements that hold text.
    in_text: usize,
    /// Inside the code of a field.
    in_code: bool,
    /// Charts and diagrams that the text has referred to.
    shown: BTreeSet<String>,
    /// The labels of notes that the text has referred to.
    noted: BTreeSet<String>,
}

impl<'p, 'a> Body<'p, 'a> {
    /// A document with nothing read yet.
    pub(super) fn new(package: &'p Package<'a>, styles: Styles, numbering: Numbering, imports: Imports) -> Self {
        let limit = package.limit();
        Self {
            package,
            imports,
            relations: Relations::default(),
            styles,
            numbering,
            counters: Counters::default(),
            limit,
            sink: Sink::new(limit),
            title: None,
            size: 0,
            paragraphs: Vec::new(),
            carried: String::new(),
            runs: Vec::new(),
            properties: Vec::new(),
            controls: Vec::new(),
            unfilled: 0,
            fields: Fields::default(),
            skipped: Skipped::default(),
            drawings: Vec::new(),
            formula: None,
            in_text: 0,
            in_code: false,
            shown: BTreeSet::new(),
            noted: BTreeSet::new(),
        }
    }

    /// Reads a header; a line that an earlier one had is left out.
    ///
    /// # Errors
    /// As for [`Body::read`].
    pub(super) fn read_header(&mut self, xml: Xml<'_>) -> Result<(), Reject> {
        self.sink.begin_header();
        let read = self.read(xml, Relations::default());
        self.sink.end_aside()?;
        read
    }

    /// Reads one part, with its relations.
    ///
    /// # Errors
    /// The XML is not well-formed or ends early, or there is too much text.
    pub(super) fn read(&mut self, mut xml: Xml<'_>, relations: Relations) -> Result<(), Reject> {
        self.relations = relations;
        while let Some(event) = xml.next()? {
            match event {
                Event::Start(tag) => self.start(&tag)?,
                Event::End(tag) => self.end(tag.local_name().as_ref())?,
                Event::Text(words) => self.text(&words.xml10_content()),
                Event::CData(words) => self.text(&words.xml10_content()),
                Event::GeneralRef(entity) => self.text(&reference(&entity)),
                _ => {}
            }
            if self.size > self.limit {
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
        let unshown: Vec<String> = shapes::all(&self.relations).into_iter().filter(|name| !self.shown.contains(name)).collect();
        self.show(&unshown)
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
                    if let Some(paragraph) = self.paragraphs.last_mut() {
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
            if let Some(part) = self.shown_part(name, tag) {
                self.shown.insert(part);
            }
            return Ok(());
        }
        if let Some(formula) = &mut self.formula {
            match name {
                "t" => self.in_text += 1,
                _ => formula.start(name, tag),
            }
            return Ok(());
        }
        if let Some(kind) = kind_of_properties(name, properties, self.runs.len()) {
            if name == "sectPr" && properties == Some(Properties::Paragraph) && let Some(paragraph) = self.paragraphs.last_mut() {
                paragraph.ends_section = true;
            }
            if kind == Properties::Form {
                self.fields.property(name, tag);
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
                if let Some(paragraph) = self.paragraphs.last_mut() {
                    paragraph.property(name, tag);
                }
            }
            Properties::Mark => {
                if let Some(paragraph) = self.paragraphs.last_mut().filter(|_| name == "vanish") {
                    paragraph.is_hidden = is_on(tag);
                }
            }
            Properties::Run => {
                if let Some(run) = self.runs.last_mut() {
                    run.own.property(name, tag);
                    run.looks = None;
                }
            }
            Properties::Row => {
                if let Some(row) = self.sink.tables.row() {
                    match name {
                        "gridBefore" => row.before = number(tag, "val").and_then(|count| usize::try_from(count).ok()).unwrap_or(0),
                        "hidden" => row.is_deleted |= is_on(tag),
                        _ => {}
                    }
                }
            }
            Properties::Cell => self.cell_property(name, tag),
            Properties::Control => {
                if let Some(control) = self.controls.last_mut().filter(|_| name == "showingPlcHdr") {
                    control.is_unfilled = is_on(tag);
                }
            }
            Properties::Form => self.fields.property(name, tag),
            Properties::Other => {}
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
            "p" => self.paragraphs.push(Paragraph::beginning(std::mem::take(&mut self.carried))),
            "r" => self.runs.push(Run::default()),
            "t" => self.in_text += 1,
            "instrText" => self.in_code = true,
            "fldChar" => {
                if let Some(value) = self.fields.mark(tag) {
                    self.push(&value);
                }
            }
            "fldSimple" => self.fields.begin_simple(tag),
            "tab" | "ptab" => self.push("\t"),
            "br" | "cr" => self.push("\n"),
            "noBreakHyphen" => self.push("\u{2011}"),
            "softHyphen" => self.push("\u{AD}"),
            "sym" => self.symbol(tag),
            "oMath" => self.formula = Some(Formula::default()),
            "drawing" | "pict" | "object" => self.drawings.push(Drawing::default()),
            "textpath" if !self.sink.in_header() => self.push(&attribute(tag, "string").unwrap_or_default()),
            "chart" | "relIds" => {
                let part = self.shown_part(name, tag);
                if let (Some(part), Some(paragraph)) = (part, self.paragraphs.last_mut()) {
                    paragraph.shown.push(part);
                }
            }
            "footnoteReference" => self.note_reference(tag, ""),
            "endnoteReference" => self.note_reference(tag, "e"),
            "footnote" => self.begin_note(tag, ""),
            "endnote" => self.begin_note(tag, "e"),
            "sdt" => self.controls.push(Control::default()),
            "sdtContent" => self.unfilled += usize::from(self.controls.last().is_some_and(|control| control.is_unfilled)),
            "tbl" => self.sink.tables.open(),
            "tr" => self.sink.tables.begin_row(),
            "tc" => self.sink.tables.begin_cell(),
            "altChunk" if self.imports == Imports::Read => {
                let part = attribute(tag, "id").and_then(|id| self.relations.target(&id).map(str::to_owned));
                if let Some(text) = part.map(|part| imports::read(self.package, &part)).transpose()?.flatten() {
                    self.size = self.size.saturating_add(text.len());
                    self.sink.push(Block::Paragraph(text))?;
                }
            }
            _ => {
                if let Some(drawing) = self.drawings.last_mut() {
                    drawing.element(name, tag);
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), Reject> {
        if self.skipped.end(name) {
            return Ok(());
        }
        if let Some(formula) = &mut self.formula {
            match name {
                "oMath" => self.end_formula(),
                "t" => self.in_text = self.in_text.saturating_sub(1),
                _ => formula.end(name),
            }
            return Ok(());
        }
        if kind_of_properties(name, None, 1).is_some() {
            self.properties.pop();
            return Ok(());
        }
        if !self.properties.is_empty() {
            return Ok(());
        }
        match name {
            "p" => self.end_paragraph()?,
            "r" => drop(self.runs.pop()),
            "t" => self.in_text = self.in_text.saturating_sub(1),
            "instrText" => self.in_code = false,
            "fldSimple" => self.fields.end_simple(),
            "drawing" | "pict" | "object" => {
                let text = self.drawings.pop().and_then(Drawing::finish).filter(|_| !self.sink.in_header());
                if let (Some(text), false) = (text, self.is_silent()) {
                    self.size = self.size.saturating_add(text.len());
                    if let Some(paragraph) = self.paragraphs.last_mut() {
                        paragraph.push_apart(&text);
                    }
                }
            }
            "sdtContent" => {
                let is_unfilled = self.controls.last().is_some_and(|control| control.is_unfilled);
                self.unfilled = self.unfilled.saturating_sub(usize::from(is_unfilled));
            }
            "sdt" => drop(self.controls.pop()),
            "tc" => self.end_carried()?,
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
        if self.skipped.is_active() {
            return;
        }
        if self.in_code {
            self.fields.add_code(text);
        } else if self.in_text > 0 && self.properties.is_empty() {
            self.push(text);
        }
    }

    /// Adds letters of the current run.
    fn push(&mut self, text: &str) {
        if self.is_silent() {
            return;
        }
        self.size = self.size.saturating_add(text.len());
        if let Some(formula) = &mut self.formula {
            formula.push(text);
            return;
        }
        if self.sink.in_header() && self.fields.is_of_page() {
            self.push_letters(PAGE_NUMBER.encode_utf8(&mut [0; 4]), Script::Line);
            return;
        }
        let looks = self.looks();
        if looks.are_hidden() {
            return;
        }
        let script = looks.script.unwrap_or_default();
        let font = looks.font.unwrap_or_default();
        let letter = |letter: char| {
            let letter = symbols::letter(&font, letter.into()).unwrap_or_else(|| symbols::guess(letter));
            whitespace::plain(letter)
        };
        self.push_letters(&text.chars().map(letter).collect::<String>(), script);
    }

    fn push_letters(&mut self, text: &str, script: Script) {
        if let Some(paragraph) = self.paragraphs.last_mut() {
            paragraph.push(text, script);
            self.fields.note_text();
        }
    }

    /// Whether text at this place is none of the document, however it looks.
    fn is_silent(&self) -> bool {
        self.unfilled > 0 || self.fields.in_code()
    }

    /// How letters of the current run look. Fonts of paragraph styles are left out: those are for signs of lists.
    fn looks(&mut self) -> Looks {
        let of_paragraph = self.paragraphs.last().map(|paragraph| {
            let style = self.styles.of_paragraph(paragraph.style.as_deref());
            Looks { font: None, ..self.styles.looks(style) }
        });
        let of_paragraph = of_paragraph.unwrap_or_default();
        let Some(run) = self.runs.last_mut() else {
            return of_paragraph;
        };
        if run.looks.is_none() {
            let of_style = run.own.style.as_deref().map(|style| self.styles.looks(style)).unwrap_or_default();
            run.looks = Some(run.own.clone().or(&of_style).or(&of_paragraph));
        }
        run.looks.clone().unwrap_or_default()
    }

    fn symbol(&mut self, tag: &BytesStart<'_>) {
        let code = attribute(tag, "char").and_then(|code| u32::from_str_radix(code.trim(), 16).ok());
        let font = attribute(tag, "font").unwrap_or_default();
        let Some(code) = code else {
            return;
        };
        let letter = symbols::letter(&font, code).or_else(|| char::from_u32(code).map(symbols::guess));
        if let Some(letter) = letter {
            self.push(letter.encode_utf8(&mut [0; 4]));
        }
    }

    fn end_formula(&mut self) {
        let Some(text) = self.formula.take().map(Formula::finish) else {
            return;
        };
        if let Some(paragraph) = self.paragraphs.last_mut().filter(|_| !text.is_empty()) {
            paragraph.push_formula(&text);
        }
    }

    fn note_reference(&mut self, tag: &BytesStart<'_>, prefix: &str) {
        if let (Some(id), false) = (attribute(tag, "id"), self.unfilled > 0 || self.looks().hidden == Some(true)) {
            if let Some(paragraph) = self.paragraphs.last_mut() {
                paragraph.push(&format!("[^{prefix}{id}]"), Script::Line);
            }
            self.noted.insert(format!("{prefix}{id}"));
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

    /// The part that an element shows, if it is a chart or a diagram.
    fn shown_part(&self, name: &str, tag: &BytesStart<'_>) -> Option<String> {
        let id = match name {
            "chart" => attribute(tag, "id"),
            "relIds" => attribute(tag, "dm"),
            _ => None,
        };
        self.relations.target(&id?).map(str::to_owned)
    }

    fn show(&mut self, parts: &[String]) -> Result<(), Reject> {
        for part in parts {
            if !self.shown.insert(part.clone()) {
                continue;
            }
            for block in shapes::read(self.package, &self.relations, part)? {
                self.size = self.size.saturating_add(block.len());
                self.sink.push(block)?;
            }
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
        let Some(paragraph) = self.paragraphs.pop() else {
            return Ok(());
        };
        self.fields.end_paragraph();
        let text = paragraph.text.finish();
        if paragraph.goes_on {
            self.carried = text;
            return self.show(&paragraph.shown);
        }
        let style = self.styles.of_paragraph(paragraph.style.as_deref()).to_owned();
        let place = self.styles.place(&style, paragraph.stated, &self.numbering);
        let is_blank = text.trim().is_empty();
        // An empty paragraph of a list counts, unless it is not there at all, or only ends a section.
        let counts = !self.sink.in_header() && !(is_blank && (paragraph.is_hidden || paragraph.ends_section));
        let label = place.filter(|_| counts).map(|place| self.counters.next(&self.numbering, place));
        let level = paragraph.outline.unwrap_or_else(|| self.styles.heading(&style));
        let is_code = level.is_none() && label.is_none() && self.styles.is_code(&style);
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
        if self.title.is_none() && self.sink.in_main_text() && self.styles.is_title(&style) {
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

/// What the properties in an element of this name are those of, if it has properties; `runs` is the number of open runs.
fn kind_of_properties(name: &str, around: Option<Properties>, runs: usize) -> Option<Properties> {
    Some(match name {
        "pPr" => Properties::Paragraph,
        "rPr" if around == Some(Properties::Paragraph) => Properties::Mark,
        "rPr" if around.is_none() && runs > 0 => Properties::Run,
        "trPr" => Properties::Row,
        "tcPr" => Properties::Cell,
        "sdtPr" => Properties::Control,
        "ffData" => Properties::Form,
        "rPr" | "tblPr" | "tblPrEx" | "sectPr" | "sdtEndPr" | "ctrlPr" | "rubyPr" => Properties::Other,
        _ => return None,
    })
}
