//! Follows the control words of a rich text, and writes its blocks.

use std::collections::BTreeMap;

use encoding_rs::Encoding;

use super::charsets;
use super::destination::{self, Destination};
use super::letters;
use super::state::{Layout, State, Style};
use super::table::Table;
use super::token::Token;
use crate::block::Block;
use crate::markdown::Markdown;
use crate::reject::Reject;
use crate::whitespace;
use crate::words::levels::Level;
use crate::words::scripted::Scripted;
use crate::words::symbols;

/// Deeper groups share a state.
const DEEPEST: usize = 1000;

/// A name of a font or style ends about here.
const LONGEST_NAME: usize = 100;

/// A font.
#[derive(Debug, Clone, Default)]
struct Font {
    name: String,
    code_page: Option<i32>,
}

/// The rich text being read.
pub(super) struct Reader {
    limit: usize,
    markdown: Markdown,
    state: State,
    outer: Vec<State>,
    /// Open groups beyond the deepest.
    deeper: usize,
    layout: Layout,
    fonts: BTreeMap<i32, Font>,
    styles: BTreeMap<i32, Style>,
    code_page: i32,
    /// Bytes in a charset whose letters may take several of them.
    bytes: Vec<u8>,
    /// The first half of a letter beyond 16 bits.
    half: Option<u32>,
    /// Letters still to be left out, as they stand for one that has been read.
    left_out: usize,
    text: Scripted,
    label: String,
    /// The text around a note that is being read.
    around: Option<Scripted>,
    notes: Vec<String>,
    table: Table,
    title: String,
    size: usize,
}

impl Reader {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            markdown: Markdown::default(),
            state: State { stand_ins: 1, ..State::default() },
            outer: Vec::new(),
            deeper: 0,
            layout: Layout::default(),
            fonts: BTreeMap::new(),
            styles: BTreeMap::new(),
            code_page: 1252,
            bytes: Vec::new(),
            half: None,
            left_out: 0,
            text: Scripted::default(),
            label: String::new(),
            around: None,
            notes: Vec::new(),
            table: Table::default(),
            title: String::new(),
            size: 0,
        }
    }

    /// Reads the next token.
    ///
    /// # Errors
    /// There is too much text.
    pub(super) fn take(&mut self, token: Token<'_>) -> Result<(), Reject> {
        if !matches!(token, Token::Byte(_)) {
            self.end_bytes();
        }
        match token {
            Token::Open => self.open(),
            Token::Close => self.close()?,
            Token::Byte(byte) => match self.left_out.checked_sub(1) {
                Some(rest) => self.left_out = rest,
                None => self.bytes.push(byte),
            },
            Token::Text(letters) => {
                let left_out = self.left_out.min(letters.len());
                self.left_out -= left_out;
                if left_out < letters.len() {
                    let (text, _) = self.encoding().decode_without_bom_handling(&letters[left_out..]);
                    self.push(&text);
                }
            }
            Token::Sign(sign) => self.sign(sign)?,
            Token::Word(word, number) => self.word(word, number)?,
        }
        match self.size > self.limit || self.markdown.len() > self.limit {
            true => Err(Reject::TooLarge(self.limit)),
            false => Ok(()),
        }
    }

    /// The text, and the title if it states one.
    ///
    /// # Errors
    /// There is too much text.
    pub(super) fn finish(mut self) -> Result<(String, Option<String>), Reject> {
        self.end_bytes();
        self.end_paragraph()?;
        self.end_table()?;
        for note in std::mem::take(&mut self.notes) {
            self.markdown.paragraph(&note);
        }
        let title = self.title.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok((self.markdown.finish(), (!title.is_empty()).then_some(title)))
    }

    fn open(&mut self) {
        self.left_out = 0;
        match self.outer.len() < DEEPEST {
            true => {
                self.outer.push(self.state.clone());
                self.state.begins = false;
            }
            false => self.deeper += 1,
        }
        self.state.is_optional = false;
    }

    fn close(&mut self) -> Result<(), Reject> {
        self.left_out = 0;
        if let Some(deeper) = self.deeper.checked_sub(1) {
            self.deeper = deeper;
            return Ok(());
        }
        if self.state.destination == Destination::Note && self.state.begins {
            self.end_note();
        }
        if let Some(state) = self.outer.pop() {
            self.state = state;
        }
        Ok(())
    }

    fn encoding(&self) -> &'static Encoding {
        let of_font = self.fonts.get(&self.state.font).and_then(|font| font.code_page);
        charsets::of_code_page(of_font.unwrap_or(self.code_page))
    }

    /// Bytes that came one by one become letters.
    fn end_bytes(&mut self) {
        if self.bytes.is_empty() {
            return;
        }
        let bytes = std::mem::take(&mut self.bytes);
        match self.symbol_font() {
            // Its letters have the same codes as others.
            Some(_) => bytes.iter().for_each(|byte| self.push(char::from(*byte).encode_utf8(&mut [0; 4]))),
            None => {
                let (text, _) = self.encoding().decode_without_bom_handling(&bytes);
                self.push(&text);
            }
        }
    }

    fn symbol_font(&self) -> Option<symbols::Font> {
        self.fonts.get(&self.state.font).and_then(|font| symbols::Font::of(&font.name))
    }

    fn sign(&mut self, sign: u8) -> Result<(), Reject> {
        match sign {
            b'*' => self.state.is_optional = true,
            b'~' => self.push(" "),
            b'_' => self.push("\u{2011}"),
            b'-' => self.push("\u{AD}"),
            b'{' | b'}' | b'\\' => self.push(char::from(sign).encode_utf8(&mut [0; 4])),
            b'\r' | b'\n' => self.end_paragraph()?,
            _ => {}
        }
        Ok(())
    }

    fn word(&mut self, word: &str, number: Option<i32>) -> Result<(), Reject> {
        if self.state.destination == Destination::Nowhere && word != "title" {
            return Ok(());
        }
        let is_optional = std::mem::take(&mut self.state.is_optional);
        if let Some(destination) = destination::of(word) {
            self.begin(destination);
            return Ok(());
        }
        if is_optional && !destination::is_known_optional(word) {
            self.begin(Destination::Nowhere);
            return Ok(());
        }
        let is_on = number != Some(0);
        match word {
            "ansicpg" => self.code_page = number.unwrap_or(1252),
            "mac" => self.code_page = 10_000,
            "uc" => self.state.stand_ins = number.and_then(|count| usize::try_from(count).ok()).unwrap_or(1).min(16),
            "u" => self.unicode(number.unwrap_or(0)),
            "f" => {
                self.state.font = number.unwrap_or(0);
                if self.state.destination == Destination::Fonts {
                    self.fonts.entry(self.state.font).or_default();
                }
            }
            "fcharset" => {
                if let Some(font) = self.fonts.get_mut(&self.state.font) {
                    font.code_page = charsets::code_page_of_font(number.unwrap_or(1));
                }
            }
            "s" if self.state.destination == Destination::Styles => self.state.style = number.unwrap_or(0),
            "cs" | "ds" | "ts" if self.state.destination == Destination::Styles => self.state.style = -1,
            "outlinelevel" => {
                let level =
                    number.and_then(|level| u8::try_from(level).ok()).filter(|level| *level < 9).map(|level| level + 1);
                match self.state.destination {
                    Destination::Styles => self.styles.entry(self.state.style).or_default().outline = level,
                    Destination::Text => self.layout.outline = level,
                    _ => {}
                }
            }
            "plain" => (self.state.script, self.state.is_hidden, self.state.is_deleted) = (Level::Line, false, false),
            "v" => self.state.is_hidden = is_on,
            "webhidden" => self.state.is_hidden = is_on,
            "deleted" => self.state.is_deleted = is_on,
            "super" => self.state.script = if is_on { Level::Raised } else { Level::Line },
            "sub" => self.state.script = if is_on { Level::Lowered } else { Level::Line },
            "up" if number.unwrap_or(6) > 2 => self.state.script = Level::Raised,
            "dn" if number.unwrap_or(6) > 2 => self.state.script = Level::Lowered,
            "up" | "dn" | "nosupersub" => self.state.script = Level::Line,
            // What is in a label or a note says nothing of the paragraph around it.
            "s" | "ilvl" | "pard" | "intbl" if self.state.destination != Destination::Text => {}
            "s" => self.layout.style = number.unwrap_or(0),
            "ilvl" => self.layout.level = number.and_then(|level| usize::try_from(level).ok()).unwrap_or(0).min(8),
            "pard" => {
                self.layout = Layout::default();
                self.label.clear();
            }
            "intbl" => self.layout.in_table = true,
            "par" | "sect" | "page" => self.end_paragraph()?,
            "cell" | "nestcell" => {
                self.layout.in_table = true;
                self.end_paragraph()?;
                self.table.end_cell();
            }
            "trowd" => {
                self.layout.in_table = true;
                self.table.begin_row();
            }
            "row" | "nestrow" => {
                self.end_paragraph()?;
                self.table.end_row();
            }
            "clmrg" | "clvmrg" | "cellx" => self.table.define(word, number),
            "chftn" => {}
            _ => {
                if let Some(text) = letters::of(word) {
                    self.push(text);
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, destination: Destination) {
        // The title is part of the information, of which nothing else is read.
        if self.state.destination == Destination::Nowhere && destination != Destination::Title {
            return;
        }
        self.state.destination = destination;
        self.state.begins = true;
        match destination {
            Destination::Label => self.label.clear(),
            Destination::Note => {
                let label = format!("[^{}]", self.notes.len() + 1);
                self.text.push(&label, Level::Line);
                self.around = Some(std::mem::take(&mut self.text));
                self.state.script = Level::Line;
            }
            _ => {}
        }
    }

    fn unicode(&mut self, number: i32) {
        self.left_out = self.state.stand_ins;
        let code = u32::try_from(if number < 0 { number.saturating_add(0x1_0000) } else { number }).unwrap_or(0xFFFD);
        let code = match (self.half.take(), code) {
            (_, 0xD800..=0xDBFF) => {
                self.half = Some(code);
                return;
            }
            (Some(high), 0xDC00..=0xDFFF) => 0x1_0000 + ((high - 0xD800) << 10) + (code - 0xDC00),
            (_, code) => code,
        };
        let letter = char::from_u32(code).unwrap_or('\u{FFFD}');
        self.push(letter.encode_utf8(&mut [0; 4]));
    }

    fn push(&mut self, text: &str) {
        if self.state.is_hidden || self.state.is_deleted {
            return;
        }
        self.size = self.size.saturating_add(text.len());
        match self.state.destination {
            Destination::Nowhere => {}
            Destination::Fonts => {
                if let Some(font) = self.fonts.get_mut(&self.state.font).filter(|font| font.name.len() < LONGEST_NAME) {
                    font.name.push_str(text.trim_end_matches(';'));
                }
            }
            Destination::Styles => {
                let style = self.styles.entry(self.state.style).or_default();
                if style.name.len() < LONGEST_NAME {
                    style.name.push_str(text);
                }
            }
            Destination::Title => self.title.push_str(text),
            Destination::Label => self.label.push_str(text),
            Destination::Text | Destination::Note => {
                let font = self.symbol_font();
                let letter = |letter: char| whitespace::plain(symbols::shown(font, letter));
                let text: String = text.chars().filter_map(letter).collect();
                self.text.push(&text, self.state.script);
            }
        }
    }

    fn end_note(&mut self) {
        let note = std::mem::take(&mut self.text).finish();
        self.text = self.around.take().unwrap_or_default();
        self.notes.push(format!("[^{}]: {}", self.notes.len() + 1, note.trim()));
    }

    fn end_paragraph(&mut self) -> Result<(), Reject> {
        match self.state.destination {
            Destination::Text => {}
            Destination::Note => {
                self.text.push("\n", Level::Line);
                return Ok(());
            }
            _ => return Ok(()),
        }
        let text = std::mem::take(&mut self.text).finish().trim().to_owned();
        let label = std::mem::take(&mut self.label);
        let label = label.split_whitespace().collect::<Vec<_>>().join(" ");
        if self.layout.in_table {
            if !text.is_empty() {
                let space = if label.is_empty() { "" } else { " " };
                self.table.push(&format!("{label}{space}{text}"));
            }
            return Ok(());
        }
        self.end_table()?;
        if text.is_empty() {
            return Ok(());
        }
        let level = self.layout.outline.or_else(|| self.styles.get(&self.layout.style).and_then(Style::heading));
        let is_number = label.chars().any(char::is_alphanumeric) && label != "o";
        let block = match (level, label.as_str()) {
            (Some(level), _) if is_number => Block::Heading(level, format!("{label} {text}")),
            (Some(level), _) => Block::Heading(level, text),
            (None, "") => Block::Paragraph(text),
            (None, _) => {
                Block::Item { depth: self.layout.level, label: if is_number { label } else { "-".into() }, text }
            }
        };
        block.write(&mut self.markdown);
        Ok(())
    }

    fn end_table(&mut self) -> Result<(), Reject> {
        if !self.table.is_empty() {
            for block in self.table.close(self.limit)? {
                block.write(&mut self.markdown);
            }
        }
        Ok(())
    }
}
