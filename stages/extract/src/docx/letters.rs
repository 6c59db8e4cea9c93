//! The letters of open paragraphs: which of them are text, and how they are read.

use quick_xml::events::BytesStart;

use super::fields::Fields;
use super::paragraph::Paragraph;
use super::run::Looks;
use super::styles::Styles;
use crate::package::attribute;
use crate::whitespace;
use crate::words::levels::Level;
use crate::words::math::Formula;
use crate::words::symbols::{self, Font};

/// Stands for a number of the page in a header.
pub(super) const PAGE_NUMBER: char = '\0';

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

/// The open paragraphs, and what is open in them.
#[derive(Debug)]
pub(super) struct Letters {
    pub(super) styles: Styles,
    /// Open paragraphs; those of a text box are inside the paragraph that it is anchored in.
    pub(super) paragraphs: Vec<Paragraph>,
    pub(super) fields: Fields,
    pub(super) formula: Option<Formula>,
    /// Whether numbers of pages are only marked.
    pub(super) in_header: bool,
    /// Bytes of text so far, wherever they are.
    pub(super) size: usize,
    runs: Vec<Run>,
    controls: Vec<Control>,
    /// Open content controls without content of their own.
    unfilled: usize,
    /// Number of open elements that hold text.
    in_text: usize,
    /// Inside the code of a field.
    in_code: bool,
}

impl Letters {
    pub(super) fn new(styles: Styles) -> Self {
        Self {
            styles,
            paragraphs: Vec::new(),
            fields: Fields::default(),
            formula: None,
            in_header: false,
            size: 0,
            runs: Vec::new(),
            controls: Vec::new(),
            unfilled: 0,
            in_text: 0,
            in_code: false,
        }
    }

    /// The innermost open paragraph.
    pub(super) fn paragraph(&mut self) -> Option<&mut Paragraph> {
        self.paragraphs.last_mut()
    }

    /// Whether a run is open.
    pub(super) fn in_run(&self) -> bool {
        !self.runs.is_empty()
    }

    /// An element begins that is about letters; returns whether it is one.
    pub(super) fn start(&mut self, name: &str, tag: &BytesStart<'_>) -> bool {
        match name {
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
            "sdt" => self.controls.push(Control::default()),
            "sdtContent" => {
                self.unfilled += usize::from(self.controls.last().is_some_and(|control| control.is_unfilled))
            }
            _ => return false,
        }
        true
    }

    /// An element ends; returns whether it was one about letters.
    pub(super) fn end(&mut self, name: &str) -> bool {
        match name {
            "r" => drop(self.runs.pop()),
            "t" => self.in_text = self.in_text.saturating_sub(1),
            "instrText" => self.in_code = false,
            "fldSimple" => self.fields.end_simple(),
            "sdt" => drop(self.controls.pop()),
            "sdtContent" => {
                let is_unfilled = self.controls.last().is_some_and(|control| control.is_unfilled);
                self.unfilled = self.unfilled.saturating_sub(usize::from(is_unfilled));
            }
            _ => return false,
        }
        true
    }

    /// An element begins inside of a formula.
    pub(super) fn start_in_formula(&mut self, name: &str, tag: &BytesStart<'_>) {
        match (name, &mut self.formula) {
            ("t", _) => self.in_text += 1,
            (_, Some(formula)) => formula.start(name, tag),
            (_, None) => {}
        }
    }

    /// An element ends inside of a formula, or the formula itself.
    pub(super) fn end_in_formula(&mut self, name: &str) {
        match (name, &mut self.formula) {
            ("oMath", _) => {
                let text = self.formula.take().map(Formula::finish).unwrap_or_default();
                if let Some(paragraph) = self.paragraphs.last_mut().filter(|_| !text.is_empty()) {
                    paragraph.push_formula(&text);
                }
            }
            ("t", _) => self.in_text = self.in_text.saturating_sub(1),
            (_, Some(formula)) => formula.end(name),
            (_, None) => {}
        }
    }

    /// A property of the current run.
    pub(super) fn run_property(&mut self, name: &str, tag: &BytesStart<'_>) {
        if let Some(run) = self.runs.last_mut() {
            run.own.property(name, tag);
            run.looks = None;
        }
    }

    /// The innermost content control shows only the invitation to fill it in.
    pub(super) fn mark_unfilled(&mut self, is_unfilled: bool) {
        if let Some(control) = self.controls.last_mut() {
            control.is_unfilled = is_unfilled;
        }
    }

    /// Letters as they come in the XML; those outside of text and codes are layout of the file.
    pub(super) fn text(&mut self, text: &str) {
        if self.in_code {
            self.fields.add_code(text);
        } else if self.in_text > 0 {
            self.push(text);
        }
    }

    /// Adds letters of the current run.
    pub(super) fn push(&mut self, text: &str) {
        if self.is_silent() {
            return;
        }
        self.size = self.size.saturating_add(text.len());
        if let Some(formula) = &mut self.formula {
            formula.push(text);
            return;
        }
        if self.in_header && self.fields.is_of_page() {
            self.push_letters(PAGE_NUMBER.encode_utf8(&mut [0; 4]), Level::Line);
            return;
        }
        let looks = self.looks();
        if looks.are_hidden() {
            return;
        }
        let script = looks.script.unwrap_or_default();
        let font = looks.font.flatten();
        let letter = |letter: char| whitespace::plain(symbols::shown(font, letter));
        self.push_letters(&text.chars().filter_map(letter).collect::<String>(), script);
    }

    /// Adds what is written about a picture.
    pub(super) fn push_description(&mut self, text: &str) {
        if self.in_header || self.is_silent() {
            return;
        }
        self.size = self.size.saturating_add(text.len());
        if let Some(paragraph) = self.paragraphs.last_mut() {
            paragraph.push_apart(text);
        }
    }

    /// Adds a reference to a note; returns whether it is shown.
    pub(super) fn push_reference(&mut self, label: &str) -> bool {
        if self.unfilled > 0 || self.looks().hidden == Some(true) {
            return false;
        }
        if let Some(paragraph) = self.paragraphs.last_mut() {
            paragraph.push(&format!("[^{label}]"), Level::Line);
        }
        true
    }

    fn push_letters(&mut self, text: &str, script: Level) {
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
        if let Some(looks) = self.runs.last().and_then(|run| run.looks.as_ref()) {
            return looks.clone();
        }
        let style = self.paragraphs.last().map(|paragraph| self.styles.of_paragraph(paragraph.style.as_deref()));
        let of_paragraph = style.map(|style| Looks { font: None, ..self.styles.looks(style) }).unwrap_or_default();
        let Some(run) = self.runs.last_mut() else {
            return of_paragraph;
        };
        let of_style = run.own.style.as_deref().map(|style| self.styles.looks(style)).unwrap_or_default();
        let looks = run.own.clone().or(&of_style).or(&of_paragraph);
        run.looks = Some(looks.clone());
        looks
    }

    fn symbol(&mut self, tag: &BytesStart<'_>) {
        let code = attribute(tag, "char").and_then(|code| u32::from_str_radix(code.trim(), 16).ok());
        let font = Font::of(&attribute(tag, "font").unwrap_or_default());
        let letter = code.and_then(char::from_u32).map(|letter| symbols::shown(font, letter));
        if let Some(letter) = letter {
            self.push(letter.encode_utf8(&mut [0; 4]));
        }
    }
}
