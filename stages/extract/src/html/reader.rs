//! From tags and text to blocks: which elements are open, what of them is shown, what they mean.

use html5gum::{DefaultEmitter, State, Token, Tokenizer};

use super::control;
use super::math;
use super::meaning::{self, Meaning};
use super::names;
use super::note::Note;
use super::open::{End, Open};
use super::page::{Options, Page};
use super::source::{RAW, Source};
use super::surroundings::{Part, Surroundings};
use super::tag::Tag;
use super::visible::{self, Place};
use super::writer::Writer;
use crate::reject::Reject;

/// Formulas nested deeper are read as text: each part may take a copy of its text.
const DEEPEST_FORMULA: usize = 128;

/// A page being read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    source: Source<'a>,
    options: Options<'a>,
    open: Open<Note>,
    writer: Writer,
    title: String,
    /// The number of start tags so far.
    tags: usize,
    /// How many of the open elements are left out, and how many are pictures or formulas.
    left_out: usize,
    foreign: usize,
    around: Surroundings,
    /// Where the text of the last link or change ended.
    link_end: Option<usize>,
    last_alt: String,
}

impl<'a> Reader<'a> {
    /// Reads a page.
    ///
    /// # Errors
    /// The text exceeds the limit.
    pub(super) fn read(page: &'a str, options: Options<'a>) -> Result<Page, Reject> {
        let mut reader = Self::new(page, options);
        let mut tokens = Tokenizer::new_with_emitter(page, DefaultEmitter::<usize>::new_with_span());
        while let Some(Ok(token)) = tokens.next() {
            match &token {
                Token::StartTag(tag) => {
                    if let Some(state) = reader.start(Tag(tag)) {
                        tokens.set_state(state);
                    }
                }
                Token::EndTag(tag) => reader.end(names::local(tag.name.as_slice())),
                Token::String(text) => reader.text(&String::from_utf8_lossy(text.value.as_slice())),
                Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
            }
            if reader.writer.len() > options.limit {
                return Err(Reject::TooLarge(options.limit));
            }
        }
        Ok(reader.finish())
    }

    fn new(page: &'a str, options: Options<'a>) -> Self {
        Self {
            source: Source::new(page),
            options,
            open: Open::default(),
            writer: Writer::default(),
            title: String::new(),
            tags: 0,
            left_out: 0,
            foreign: 0,
            around: Surroundings::default(),
            link_end: None,
            last_alt: String::new(),
        }
    }

    fn finish(mut self) -> Page {
        let unended = self.open.notes().find_map(|(name, note)| match note {
            Note::LeftOut(tag) if !names::may_lack_its_end(name) && !matches!(name, b"script" | b"style") => Some(*tag),
            _ => None,
        });
        self.close_to(0);
        Page { blocks: self.writer.finish(), title: self.title, articles: self.around.outer_articles(), unended }
    }

    /// Processes a start tag; the answer is how to read what follows, if not as markup.
    fn start(&mut self, tag: Tag) -> Option<State> {
        self.tags += 1;
        let name = tag.name();
        if matches!(name, b"html" | b"head" | b"body" | b"frameset" | b"frame") {
            return None;
        }
        if self.foreign > 0
            && let Some(depth) = self.open.broken_out_of(name)
        {
            self.close_to(depth);
        }
        self.close_to(match self.foreign {
            0 => self.open.kept_at_start(name),
            _ => self.open.kept(),
        });
        let is_empty =
            tag.is_self_closing() && (self.options.is_xml || self.foreign > 0 || matches!(name, b"svg" | b"math"));
        // Without an end tag, these end at the next tag.
        if self.foreign == 0 && (self.open.is_innermost(b"title") || self.open.is_innermost(b"style")) {
            self.close_to(self.open.len() - 1);
        }
        if self.foreign == 0 && names::is_table_part(name) && !self.open.is_in_table() {
            if self.left_out == 0 {
                self.writer.boundary();
            }
            return None;
        }
        let has_end = || self.source.ends_after(name, tag.position());
        let is_raw = match self.foreign {
            0 => RAW.contains(&name),
            _ => matches!(name, b"script" | b"style") && has_end(),
        };
        let is_empty =
            is_empty || (self.foreign == 0 && names::is_void(name)) || (is_raw && self.source.is_read_as_empty(tag));
        let is_shown = self.left_out == 0 && !self.is_left_out(tag);
        if is_empty {
            if is_shown {
                self.empty(tag);
            }
            return None;
        }
        // Browsers go on to hide what follows; whoever wrote "/>" meant nothing.
        if self.left_out == 0 && !is_shown && self.source.is_meant_empty(tag) {
            return None;
        }
        if matches!(name, b"svg" | b"math") {
            self.foreign += 1;
        }
        let note = match (self.left_out, is_shown) {
            (_, true) => self.begin(tag),
            (0, false) => {
                if visible::takes_place(name) {
                    self.writer.inline.gap();
                }
                self.left_out += 1;
                Note::LeftOut(self.tags)
            }
            (_, false) => Note::Unseen,
        };
        self.open.push(name, note);
        let has_end = self.source.ends_after(name, tag.position());
        match name {
            _ if !is_raw => (name == b"plaintext").then_some(State::PlainText),
            b"title" | b"style" if !has_end => None,
            b"title" | b"textarea" => Some(State::RcData),
            b"script" => Some(State::ScriptData),
            _ => Some(State::RawText),
        }
    }

    fn is_left_out(&self, tag: Tag) -> bool {
        if tag.name() == b"title" && !self.title.is_empty() {
            return true;
        }
        if control::is_tex(tag) || self.options.unended.contains(&self.tags) {
            return false;
        }
        let place = match self.around.place() {
            // A button behind the text of a heading is no part of it.
            Place::Heading if !self.writer.inline.is_empty() => Place::Content,
            place => place,
        };
        visible::is_left_out(tag, self.options.content, place, &self.source)
    }

    /// An element without content.
    fn empty(&mut self, tag: Tag) {
        match tag.name() {
            name if self.foreign > 0 => {
                if let Note::Formula(part) = self.begin_formula(name) {
                    part.end(&mut self.writer);
                }
            }
            b"br" => self.writer.inline.break_line(),
            b"input" => {
                if let Some(value) = control::value(tag) {
                    self.writer.text(" ");
                    self.writer.text(&value);
                    self.writer.text(" ");
                }
            }
            b"img" => {
                self.writer.inline.gap();
                let alt = control::alternative(tag).filter(|alt| *alt != self.last_alt);
                self.apart(alt.as_deref());
                self.last_alt = alt.unwrap_or_default();
            }
            name if names::is_block(name) => self.writer.boundary(),
            _ => {}
        }
    }

    /// Text that stands apart from the words around it.
    fn apart(&mut self, text: Option<&str>) {
        if let Some(text) = text {
            self.writer.inline.gap();
            self.writer.text(text);
            self.writer.inline.gap();
        }
    }

    /// Begins an element that is shown.
    fn begin(&mut self, tag: Tag) -> Note {
        let name = tag.name();
        if self.foreign > 0 {
            return self.begin_formula(name);
        }
        if control::is_tex(tag) {
            self.writer.text("$");
            return Note::Tex;
        }
        if name == b"title" {
            return Note::Title;
        }
        self.writer.start(tag);
        match meaning::of(tag) {
            Meaning::Named => Note::Written,
            Meaning::Part(part) => {
                self.around.enter(part);
                self.writer.zone = self.around.zone();
                Note::Part(part)
            }
            Meaning::Level(level) => {
                self.writer.inline.open_level(level);
                Note::Level
            }
            Meaning::Link => self.begin_link(tag),
            Meaning::Changed => {
                self.writer.inline.end_number();
                self.separate();
                Note::Changed
            }
            Meaning::Reading => match self.writer.inline.parenthesis() {
                true => Note::Reading,
                false => Note::Written,
            },
            Meaning::Apart => {
                self.writer.inline.gap();
                Note::Apart
            }
            Meaning::Block => {
                self.writer.boundary();
                Note::Block
            }
            Meaning::Lines => {
                self.writer.inline.gap();
                self.writer.lines += 1;
                Note::Lines
            }
        }
    }

    fn begin_link(&mut self, tag: Tag) -> Note {
        let is_local = tag.value("href").is_some_and(|href| href.contains('#'));
        if is_local {
            self.writer.inline.mark_note();
        }
        self.separate();
        Note::Link { from: self.writer.inline.len(), is_local }
    }

    /// Separates a link or a changed text from the one that it touches.
    fn separate(&mut self) {
        if self.link_end == Some(self.writer.inline.len()) {
            self.writer.inline.gap();
        }
    }

    fn begin_formula(&mut self, name: &[u8]) -> Note {
        if self.open.len() > DEEPEST_FORMULA {
            return Note::Unseen;
        }
        let around = match self.open.innermost() {
            Some(Note::Formula(part)) => Some(part),
            _ => None,
        };
        Note::Formula(math::Part::begin(name, around, &mut self.writer))
    }

    /// Processes an end tag.
    fn end(&mut self, name: &[u8]) {
        match self.open.end(name) {
            End::To(depth) => self.close_to(depth),
            End::Only(depth) => {
                if let Some((name, note)) = self.open.remove(depth) {
                    self.close(&name, note);
                }
            }
            // "<br></br>" is one break in XML, and two in HTML.
            End::Nothing if name == b"br" && self.left_out == 0 && !self.options.is_xml => {
                self.writer.inline.break_line()
            }
            End::Nothing if name == b"p" && self.left_out == 0 => self.writer.boundary(),
            End::Nothing => {}
        }
    }

    fn close_to(&mut self, depth: usize) {
        while let Some((name, note)) = self.open.pop_from(depth) {
            self.close(&name, note);
        }
    }

    fn close(&mut self, name: &[u8], note: Note) {
        if matches!(name, b"svg" | b"math") {
            self.foreign = self.foreign.saturating_sub(1);
        }
        match &note {
            Note::Unseen | Note::Title => return,
            Note::LeftOut(_) => {
                self.left_out = self.left_out.saturating_sub(1);
                return;
            }
            Note::Tex => return self.writer.text("$"),
            Note::Reading => self.writer.text(")"),
            Note::Formula(part) => return part.end(&mut self.writer),
            Note::Apart => self.writer.inline.gap(),
            Note::Level => self.writer.inline.close_level(),
            Note::Changed => {
                self.writer.inline.end_number();
                self.link_end = Some(self.writer.inline.len());
            }
            Note::Link { from, is_local } => self.end_link(*from, *is_local),
            Note::Written | Note::Part(_) | Note::Block | Note::Lines => {}
        }
        self.writer.end(name);
        match note {
            Note::Block => self.writer.boundary(),
            Note::Lines => self.writer.lines = self.writer.lines.saturating_sub(1),
            Note::Part(part) => {
                if matches!(part, Part::Main | Part::Article) {
                    self.writer.boundary();
                }
                self.around.leave(part);
                self.writer.zone = self.around.zone();
            }
            _ => {}
        }
    }

    /// Removes the sign that links a heading to itself.
    fn end_link(&mut self, from: usize, is_local: bool) {
        let inline = &mut self.writer.inline;
        let is_sign = match inline.since(from).trim() {
            "¶" | "🔗" | "⚓" => true,
            "#" | "§" => self.around.place() == Place::Heading,
            _ => false,
        };
        if is_local && is_sign {
            inline.take_from(from);
        }
        self.link_end = (!inline.is_empty()).then_some(inline.len());
    }

    /// Processes text.
    fn text(&mut self, text: &str) {
        if self.left_out > 0 {
            return;
        }
        match self.open.innermost() {
            Some(Note::Title) => self.title.push_str(text),
            Some(Note::Formula(part)) => part.text(text, &mut self.writer),
            _ => self.writer.text(text),
        }
    }
}
