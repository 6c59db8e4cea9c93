//! One slide, or the notes of one.

use quick_xml::events::{BytesStart, Event};

use super::lists::{Bullet, Counters};
use crate::block::Block;
use crate::grid::Tables;
use crate::package::{Relations, Skipped, Xml, attribute, number, reference};
use crate::reject::Reject;
use crate::shapes::Picture;
use crate::whitespace;
use crate::words::levels::Level;
use crate::words::math::Formula;
use crate::words::scripted::Scripted;
use crate::words::symbols::{self, Font};

/// What is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Slide,
    /// Of which only the notes are read, and not the picture of the slide, its number and date.
    Notes,
}

/// A slide.
#[derive(Debug, Default)]
pub(super) struct Slide {
    /// Its blocks; the title is the first.
    pub(super) blocks: Vec<Block>,
    /// The title in words.
    pub(super) title: Option<String>,
    /// The charts and diagrams that it shows.
    pub(super) shown: Vec<String>,
    /// Whether it is left out when the presentation is held.
    pub(super) is_hidden: bool,
}

/// A shape, or a group of shapes.
#[derive(Debug, Default)]
struct Shape {
    /// The type of its placeholder: what the layout has this shape for.
    placeholder: Option<String>,
    is_hidden: bool,
    picture: Picture,
    blocks: Vec<Block>,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Paragraph {
    text: Scripted,
    level: usize,
    bullet: Bullet,
}

#[derive(Debug)]
struct Reading<'r> {
    relations: &'r Relations,
    which: Which,
    slide: Slide,
    shapes: Vec<Shape>,
    tables: Tables,
    paragraph: Option<Paragraph>,
    script: Level,
    font: Option<Font>,
    formula: Option<Formula>,
    skipped: Skipped,
    in_text: bool,
    size: usize,
}

impl Slide {
    /// Reads a slide, or its notes.
    ///
    /// # Errors
    /// The XML is not well-formed, or there is too much text.
    pub(super) fn read(mut xml: Xml<'_>, relations: &Relations, which: Which, limit: usize) -> Result<Self, Reject> {
        let mut reading = Reading {
            relations,
            which,
            slide: Self::default(),
            shapes: Vec::new(),
            tables: Tables::new(limit),
            paragraph: None,
            script: Level::Line,
            font: None,
            formula: None,
            skipped: Skipped::default(),
            in_text: false,
            size: 0,
        };
        while let Some(event) = xml.next()? {
            match event {
                Event::Start(tag) => reading.start(&tag),
                Event::End(tag) => reading.end(tag.local_name().as_ref())?,
                Event::Text(words) if reading.in_text => reading.push(&words.xml10_content()),
                Event::CData(words) if reading.in_text => reading.push(&words.xml10_content()),
                Event::GeneralRef(entity) if reading.in_text => reading.push(&reference(&entity)),
                _ => {}
            }
            if reading.size > limit {
                return Err(Reject::TooLarge(limit));
            }
        }
        Ok(reading.slide)
    }
}

impl Reading<'_> {
    fn start(&mut self, tag: &BytesStart<'_>) {
        let name = tag.local_name();
        let name = name.as_ref();
        // Numbers of slides and dates are the same everywhere, or of the day of the show.
        let is_of_slide = name == "fld"
            && attribute(tag, "type").is_some_and(|kind| kind == "slidenum" || kind.starts_with("datetime"));
        if self.skipped.start(name, is_of_slide) {
            return;
        }
        if name == "t" {
            self.in_text = true;
            return;
        }
        if let Some(formula) = &mut self.formula {
            formula.start(name, tag);
            return;
        }
        let is = |attribute_name: &str| matches!(attribute(tag, attribute_name).as_deref(), Some("1" | "true"));
        let count = |attribute_name: &str| number(tag, attribute_name).and_then(|count| usize::try_from(count).ok());
        match name {
            "sld" => self.slide.is_hidden = matches!(attribute(tag, "show").as_deref(), Some("0" | "false")),
            "sp" | "pic" | "graphicFrame" | "grpSp" | "cxnSp" => self.shapes.push(Shape::default()),
            "cNvPr" => {
                if let Some(shape) = self.shapes.last_mut() {
                    shape.is_hidden |= is("hidden");
                    shape.picture.element(name, tag);
                }
            }
            "decorative" => {
                if let Some(shape) = self.shapes.last_mut() {
                    shape.picture.element(name, tag);
                }
            }
            "ph" => {
                if let Some(shape) = self.shapes.last_mut() {
                    shape.placeholder = Some(attribute(tag, "type").unwrap_or_else(|| "obj".into()));
                }
            }
            "p" => self.paragraph = Some(Paragraph::default()),
            "pPr" => {
                if let Some(paragraph) = &mut self.paragraph {
                    paragraph.level = count("lvl").unwrap_or(0).min(8);
                }
            }
            "buNone" => self.mark(Bullet::None),
            "buChar" | "buBlip" => self.mark(Bullet::Sign),
            "buAutoNum" => {
                let format = attribute(tag, "type").unwrap_or_default();
                self.mark(Bullet::Number { format, start: number(tag, "startAt").map_or(1, u64::from) });
            }
            "r" => (self.script, self.font) = (Level::Line, None),
            "rPr" => {
                let baseline =
                    attribute(tag, "baseline").and_then(|baseline| baseline.trim_end_matches('%').parse::<i64>().ok());
                self.script = match baseline {
                    Some(1..) => Level::Raised,
                    Some(..=-1) => Level::Lowered,
                    _ => Level::Line,
                };
            }
            "latin" | "sym" if self.paragraph.is_some() => {
                self.font = attribute(tag, "typeface").and_then(|font| Font::of(&font))
            }
            "br" => self.push("\n"),
            "tab" if self.paragraph.is_some() && self.in_text => self.push("\t"),
            "oMath" => self.formula = Some(Formula::default()),
            "tbl" => self.tables.open(),
            "tr" => self.tables.begin_row(),
            "tc" => {
                self.tables.begin_cell();
                if let Some(cell) = self.tables.cell() {
                    cell.columns = count("gridSpan").unwrap_or(1);
                    cell.rows = count("rowSpan").unwrap_or(1);
                    // The cells that another covers are there, but empty.
                    cell.is_deleted = is("hMerge") || is("vMerge");
                }
            }
            "chart" | "relIds" if !self.is_hidden() => {
                let id = attribute(tag, if name == "chart" { "id" } else { "dm" });
                self.slide.shown.extend(id.and_then(|id| self.relations.target(&id).map(str::to_owned)));
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &str) -> Result<(), Reject> {
        if self.skipped.end(name) {
            return Ok(());
        }
        match name {
            "t" => self.in_text = false,
            "oMath" => {
                let text = self.formula.take().map(Formula::finish).unwrap_or_default();
                if let Some(paragraph) = &mut self.paragraph {
                    paragraph.text.push(&text, Level::Line);
                }
            }
            _ if self.formula.is_some() => {
                if let Some(formula) = &mut self.formula {
                    formula.end(name);
                }
            }
            "r" => (self.script, self.font) = (Level::Line, None),
            "p" => self.end_paragraph(),
            "tbl" => {
                let blocks = self.tables.close()?;
                if let Some(shape) = self.shapes.last_mut() {
                    shape.blocks.extend(blocks);
                }
            }
            "sp" | "pic" | "graphicFrame" | "grpSp" | "cxnSp" => self.end_shape(name),
            _ => {}
        }
        Ok(())
    }

    fn mark(&mut self, bullet: Bullet) {
        if let Some(paragraph) = &mut self.paragraph {
            paragraph.bullet = bullet;
        }
    }

    fn push(&mut self, text: &str) {
        self.size = self.size.saturating_add(text.len());
        if let Some(formula) = &mut self.formula {
            formula.push(text);
            return;
        }
        let letter = |letter: char| {
            let letter = symbols::shown(self.font, letter);
            // PowerPoint's own mark of a line break within a paragraph.
            if letter == '\u{B}' { Some('\n') } else { whitespace::plain(letter) }
        };
        let text: String = text.chars().filter_map(letter).collect();
        if let Some(paragraph) = &mut self.paragraph {
            paragraph.text.push(&text, self.script);
        }
    }

    fn is_hidden(&self) -> bool {
        self.shapes.iter().any(|shape| shape.is_hidden)
    }

    fn end_paragraph(&mut self) {
        let Some(paragraph) = self.paragraph.take() else {
            return;
        };
        let text = paragraph.text.finish().trim().to_owned();
        if text.is_empty() {
            return;
        }
        let in_cell = self.tables.cell().is_some();
        let Some(shape) = self.shapes.last_mut() else {
            return;
        };
        let is_list =
            !in_cell && matches!(shape.placeholder.as_deref(), Some("body" | "obj")) && self.which == Which::Slide;
        let block = match shape.counters.label(paragraph.level, &paragraph.bullet, is_list) {
            Some(label) => Block::Item { depth: paragraph.level, label, text },
            None => Block::Paragraph(text),
        };
        if let Some(block) = self.tables.push(block) {
            shape.blocks.push(block);
        }
    }

    fn end_shape(&mut self, name: &str) {
        let is_hidden = self.is_hidden();
        let Some(shape) = self.shapes.pop() else {
            return;
        };
        if is_hidden {
            return;
        }
        let placeholder = shape.placeholder.as_deref();
        let is_wanted = match self.which {
            Which::Slide => !matches!(placeholder, Some("dt" | "ftr" | "sldNum" | "hdr" | "sldImg")),
            Which::Notes => placeholder == Some("body"),
        };
        if !is_wanted {
            return;
        }
        if let (Some(kind @ ("title" | "ctrTitle")), Which::Slide) = (placeholder, self.which) {
            let lines: Vec<String> = shape.blocks.iter().map(Block::lines).collect();
            let title = lines.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
            if !title.is_empty() {
                let heading = Block::Heading(if kind == "ctrTitle" { 1 } else { 2 }, title.clone());
                match self.slide.title {
                    Some(_) => self.slide.blocks.push(heading),
                    None => self.slide.blocks.insert(0, heading),
                }
                self.slide.title.get_or_insert(title);
            }
            return;
        }
        let description = if name == "pic" { shape.picture.finish() } else { None };
        self.slide.blocks.extend(description.map(Block::Paragraph));
        self.slide.blocks.extend(shape.blocks);
    }
}
