//! The text of an open document: one pass over its XML, without recursion.

use std::collections::BTreeSet;

use quick_xml::events::{BytesStart, Event};

use super::elements;
use super::lists::Lists;
use super::paragraph::{Paragraph, Role};
use super::styles::Styles;
use crate::block::Block;
use crate::grid::Tables;
use crate::markdown::Markdown;
use crate::package::{Package, Xml, attribute, number, reference, spare, text_of};
use crate::reject::Reject;
use crate::whitespace;
use crate::words::levels::Level;
use crate::words::symbols;

/// A row or a cell that is repeated more often only fills a page.
const MOST_REPEATED: usize = 200;

/// The document being read.
pub(super) struct Body<'p, 'a> {
    package: &'p Package<'a>,
    styles: Styles,
    limit: usize,
    markdown: Markdown,
    title: Option<String>,
    tables: Tables,
    /// Open paragraphs; those of a frame are inside the paragraph that it is anchored in.
    paragraphs: Vec<Paragraph>,
    /// How the letters of open spans stand, and whether they are hidden.
    spans: Vec<(Level, bool)>,
    lists: Lists,
    /// The note being read, and the lines of those that are complete.
    note: Option<(String, Vec<String>)>,
    notes: Vec<String>,
    note_count: usize,
    /// Whether headers of pages are read, and their lines.
    headers: Option<BTreeSet<String>>,
    skipping: usize,
    /// How often the open cell is repeated.
    repeated: usize,
    /// Inside the frame for the title of a slide.
    in_title: bool,
    is_workbook: bool,
    size: usize,
}

impl<'p, 'a> Body<'p, 'a> {
    /// A document with nothing read yet.
    pub(super) fn new(package: &'p Package<'a>, styles: Styles) -> Self {
        Self {
            package,
            styles,
            limit: package.limit(),
            markdown: Markdown::default(),
            title: None,
            tables: Tables::new(package.limit()),
            paragraphs: Vec::new(),
            spans: Vec::new(),
            lists: Lists::default(),
            note: None,
            notes: Vec::new(),
            note_count: 0,
            headers: None,
            skipping: 0,
            repeated: 1,
            in_title: false,
            is_workbook: elements::is_workbook(package),
            size: 0,
        }
    }

    /// Reads the headers of pages; a line that an earlier one had is left out.
    ///
    /// # Errors
    /// As for [`Body::read`].
    pub(super) fn read_headers(&mut self, mut xml: Xml<'_>) -> Result<(), Reject> {
        let mut open = 0_usize;
        self.headers = Some(BTreeSet::new());
        while let Some(event) = xml.next()? {
            match event {
                Event::Start(tag) if open > 0 || elements::is_header(&tag) => {
                    open += 1;
                    if open > 1 {
                        self.start(&tag)?;
                    }
                }
                Event::End(tag) if open > 0 => {
                    open -= 1;
                    if open > 0 {
                        self.end(tag.local_name().as_ref())?;
                    }
                }
                Event::Text(words) => self.text(&words.xml10_content()),
                Event::GeneralRef(entity) => self.text(&reference(&entity)),
                _ => {}
            }
        }
        self.headers = None;
        Ok(())
    }

    /// Reads the content.
    ///
    /// # Errors
    /// The XML is not well-formed or ends early, or there is too much text.
    pub(super) fn read(&mut self, mut xml: Xml<'_>) -> Result<(), Reject> {
        while let Some(event) = xml.next()? {
            match event {
                Event::Start(tag) => self.start(&tag)?,
                Event::End(tag) => self.end(tag.local_name().as_ref())?,
                Event::Text(words) => self.text(&words.xml10_content()),
                Event::CData(words) => self.text(&words.xml10_content()),
                Event::GeneralRef(entity) => self.text(&reference(&entity)),
                _ => {}
            }
            if self.size > self.limit || self.markdown.len() > self.limit {
                return Err(Reject::TooLarge(self.limit));
            }
        }
        for note in std::mem::take(&mut self.notes) {
            self.markdown.paragraph(&note);
        }
        Ok(())
    }

    /// The paragraph in the style "Title".
    pub(super) fn title(&self) -> Option<String> {
        self.title.clone()
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        self.markdown.finish()
    }

    fn start(&mut self, tag: &BytesStart<'_>) -> Result<(), Reject> {
        let name = tag.local_name();
        let name = name.as_ref();
        let is_hidden = match name {
            "hidden-text" | "hidden-paragraph" | "section" => elements::is_hidden(tag),
            "table" => attribute(tag, "style-name").is_some_and(|style| self.styles.is_hidden(&style)),
            _ => false,
        };
        if self.skipping > 0
            || is_hidden
            || elements::SKIPPED.contains(&name)
            || (self.headers.is_some() && elements::is_of_page(name))
        {
            self.skipping += 1;
            return Ok(());
        }
        match name {
            "h" => {
                let level = number(tag, "outline-level").and_then(|level| u8::try_from(level).ok()).unwrap_or(1);
                self.begin(Role::Heading(level.clamp(1, 10)), tag);
            }
            "p" if self.in_title => self.begin(Role::Heading(2), tag),
            "p" => self.begin(Role::Text, tag),
            "span" => {
                let style = attribute(tag, "style-name").unwrap_or_default();
                let (script, hidden) = self.spans.last().copied().unwrap_or_default();
                self.spans
                    .push((self.styles.script(&style).unwrap_or(script), hidden || self.styles.is_hidden(&style)));
            }
            "s" => {
                let count = number(tag, "c").and_then(|count| usize::try_from(count).ok()).unwrap_or(1).min(1000);
                self.push(&" ".repeat(count));
            }
            "tab" => self.push("\t"),
            "line-break" => self.push("\n"),
            "note" => {
                self.note_count += 1;
                let prefix = if attribute(tag, "note-class").as_deref() == Some("endnote") { "e" } else { "" };
                let label = format!("[^{prefix}{}]", self.note_count);
                self.push(&label);
                self.note = Some((label, Vec::new()));
            }
            "list" => self.lists.begin(tag),
            "list-item" => self.lists.begin_item(tag),
            "list-header" => self.lists.end_label(),
            "table" => {
                self.lists.end_label();
                // Sheets of a workbook are named; those of a text have names nobody sees.
                if self.paragraphs.is_empty() && self.note.is_none() && self.is_workbook {
                    self.markdown.heading(1, &attribute(tag, "name").unwrap_or_default());
                }
                self.tables.open();
            }
            "table-row" => {
                self.tables.begin_row();
                let visibility = attribute(tag, "visibility");
                if let Some(row) = self.tables.row() {
                    row.is_deleted = matches!(visibility.as_deref(), Some("collapse" | "filter"));
                }
            }
            "table-cell" | "covered-table-cell" => self.begin_cell(name, tag),
            "page" => self.markdown.heading(2, &elements::slide_name(tag)),
            "frame" => self.in_title = attribute(tag, "class").as_deref() == Some("title"),
            "object" => self.object(tag)?,
            "title" | "desc" if !self.paragraphs.is_empty() && self.headers.is_none() => self.begin(Role::Text, tag),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str) -> Result<(), Reject> {
        if self.skipping > 0 {
            self.skipping -= 1;
            return Ok(());
        }
        match name {
            "h" | "p" => self.end_paragraph(),
            "title" | "desc" if self.paragraphs.len() > 1 => {
                // What is written about a picture stands where the picture does.
                let text = self.paragraphs.pop().map(Paragraph::finish).unwrap_or_default();
                self.text(&format!(" {text} "));
            }
            "span" => drop(self.spans.pop()),
            "frame" => self.in_title = false,
            // A sheet has far more cells than are used.
            "table-row" if self.is_workbook => {
                if let Some(row) = self.tables.row() {
                    row.trim();
                }
            }
            "note" => {
                if let Some((label, lines)) = self.note.take() {
                    self.notes.push(format!("{label}: {}", lines.join("\n")));
                }
            }
            "list" => self.lists.end(),
            "list-item" => self.lists.end_label(),
            "table-cell" | "covered-table-cell" => self.end_cell(),
            "table" => {
                for block in self.tables.close()? {
                    self.write(block);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, role: Role, tag: &BytesStart<'_>) {
        let style = attribute(tag, "style-name").unwrap_or_default();
        self.paragraphs.push(Paragraph::new(role, style));
    }

    fn begin_cell(&mut self, name: &str, tag: &BytesStart<'_>) {
        let count = |attribute_name: &str| number(tag, attribute_name).and_then(|count| usize::try_from(count).ok());
        self.tables.begin_cell();
        self.repeated = count("number-columns-repeated").unwrap_or(1).clamp(1, MOST_REPEATED);
        if let Some(cell) = self.tables.cell() {
            cell.columns = count("number-columns-spanned").unwrap_or(1);
            cell.rows = count("number-rows-spanned").unwrap_or(1);
            // The cells that another covers are there, but empty.
            cell.is_deleted = name == "covered-table-cell";
        }
    }

    /// A cell without text that is repeated stands for so many.
    fn end_cell(&mut self) {
        let repeated = std::mem::replace(&mut self.repeated, 1);
        if let Some(cell) = self.tables.cell().filter(|cell| !cell.is_deleted && cell.columns <= 1) {
            cell.columns = repeated;
        }
    }

    fn text(&mut self, text: &str) {
        if self.skipping > 0 {
            return;
        }
        let (script, hidden) = self.spans.last().copied().unwrap_or_default();
        let Some(paragraph) = self.paragraphs.last_mut().filter(|_| !hidden) else {
            return;
        };
        self.size = self.size.saturating_add(text.len());
        let text: String = text.chars().filter_map(|letter| whitespace::plain(symbols::guess(letter))).collect();
        paragraph.push_collapsed(&text, script);
    }

    fn push(&mut self, text: &str) {
        let hidden = self.spans.last().is_some_and(|(_, hidden)| *hidden);
        if let Some(paragraph) = self.paragraphs.last_mut().filter(|_| !hidden) {
            self.size = self.size.saturating_add(text.len());
            paragraph.push(text, Level::Line);
        }
    }

    fn end_paragraph(&mut self) {
        let Some(paragraph) = self.paragraphs.pop() else {
            return;
        };
        let (role, style) = (paragraph.role, paragraph.style.clone());
        let text = paragraph.finish().trim().to_owned();
        let label = match role {
            Role::Heading(_) if text.is_empty() => None,
            Role::Heading(level) => Some(self.lists.heading(level.into(), &self.styles)),
            Role::Text => self.lists.label(&style, &self.styles),
        };
        if text.is_empty() || self.styles.is_hidden(&style) {
            return;
        }
        let block = match (role, label) {
            (Role::Heading(level), Some(label)) if !label.is_empty() => {
                Block::Heading(level, format!("{label} {text}"))
            }
            (Role::Heading(level), _) => Block::Heading(level, text),
            (Role::Text, Some(label)) if !label.is_empty() => Block::Item { depth: self.lists.depth(), label, text },
            (Role::Text, _) if self.styles.is_code(&style) => Block::Code(text),
            (Role::Text, _) if self.styles.is_title(&style) => {
                self.title.get_or_insert_with(|| text.clone());
                Block::Heading(1, text)
            }
            (Role::Text, _) => Block::Paragraph(text),
        };
        self.write(block);
    }

    fn write(&mut self, block: Block) {
        if let Some(lines) = &mut self.headers {
            let line = block.lines();
            if lines.insert(line.clone()) {
                self.markdown.paragraph(&line);
            }
            return;
        }
        let Some(block) = self.tables.push(block) else {
            return;
        };
        match &mut self.note {
            Some((_, lines)) => lines.push(block.lines()),
            None => block.write(&mut self.markdown),
        }
    }

    /// A formula or a chart, which is a document of its own: its title, or its formula as it was typed.
    fn object(&mut self, tag: &BytesStart<'_>) -> Result<(), Reject> {
        let Some(folder) = attribute(tag, "href") else {
            return Ok(());
        };
        for element in ["annotation", "title"] {
            let Some(xml) = spare(self.package.xml(&format!("{folder}/content.xml")))? else {
                return Ok(());
            };
            if let Some(text) = spare(text_of(xml, element))? {
                self.text(&format!(" {text} "));
                return Ok(());
            }
        }
        Ok(())
    }
}
