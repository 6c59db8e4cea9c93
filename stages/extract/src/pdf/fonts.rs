//! The part of fonts that text needs: characters and widths.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use hayro_cmap::{BfString, load_embedded};
use hayro_font::kurbo::Vec2;
use hayro_font::{CMapResolverFn, Font, FontCache, FontData, FontGlyph, FontResolverFn, StandardFont, UNITS_PER_EM};
use hayro_syntax::object::dict::keys::{BASE_FONT, FLAGS, FONT_DESC, FONT_WEIGHT, SUBTYPE, TYPE0, TYPE1};
use hayro_syntax::object::{Dict, Name};

use super::letters;
use super::names::{self, Names};
use super::span::Weight;
use super::to_unicode::ToUnicode;
use super::unmapped::Unmapped;

/// A font with one empty glyph. It replaces fonts that a file names without embedding them: their characters and widths
/// come from the file and from built-in tables, and nothing is drawn here.
const BLANK: &[u8] = include_bytes!("blank.ttf");
/// The maximum number of codes of a font to remember.
const MOST_KNOWN: usize = 1 << 16;
/// The weight from which a font is bold, and the flag that says so.
const BOLD: u32 = 600;
const FORCE_BOLD: u32 = 1 << 18;

/// The fonts of one file.
pub(super) struct Fonts<'a> {
    cache: FontCache<'a>,
    font_resolver: FontResolverFn,
    cmap_resolver: CMapResolverFn,
    /// By where their dictionary is in the file: several may be written within one object.
    faces: HashMap<(usize, usize), Option<Rc<Face<'a>>>>,
    standard: Option<Rc<Face<'a>>>,
}

/// How the codes of a font are read and how wide they are.
enum Program<'a> {
    Font(Font<'a>),
    /// A composite font whose encoding is unknown: two bytes for each code, each as wide as the font is high.
    Wide,
}

/// A font and its dictionary.
pub(super) struct Face<'a> {
    program: Program<'a>,
    dict: Dict<'a>,
    pub(super) weight: Weight,
    to_unicode: Option<ToUnicode>,
    names: OnceCell<Names>,
    unmapped: OnceCell<Unmapped>,
    known: RefCell<HashMap<u32, Rc<str>>>,
}

impl<'a> Fonts<'a> {
    pub(super) fn new() -> Self {
        let blank: FontData = Arc::new(BLANK);
        Self {
            cache: FontCache::new(),
            font_resolver: Arc::new(move |_| Some((Arc::clone(&blank), 0))),
            cmap_resolver: Arc::new(load_embedded),
            faces: HashMap::new(),
            standard: None,
        }
    }

    /// The font of a font dictionary; without one, or if it is damaged, a font that has the usual characters.
    pub(super) fn face(&mut self, dict: Option<&Dict<'a>>) -> Option<Rc<Face<'a>>> {
        let Some(dict) = dict else { return self.standard() };
        let key = (dict.data().as_ptr() as usize, dict.data().len());
        if let Some(face) = self.faces.get(&key) {
            return face.clone();
        }
        let font = self.cache.font(dict, &self.font_resolver, &self.cmap_resolver);
        let is_composite = dict.get::<Name<'_>>(SUBTYPE).is_some_and(|kind| kind.as_ref() == TYPE0);
        let program = match font {
            Some(font) => Some(Program::Font(font)),
            None if is_composite => Some(Program::Wide),
            None => None,
        };
        let face = match program {
            Some(program) => Some(Rc::new(Face::new(program, dict.clone()))),
            None => self.standard(),
        };
        self.faces.insert(key, face.clone());
        face
    }

    fn standard(&mut self) -> Option<Rc<Face<'a>>> {
        if self.standard.is_none() {
            let font = self.cache.standard_font(StandardFont::Helvetica, &self.font_resolver)?;
            self.standard = Some(Rc::new(Face::new(Program::Font(font), Dict::empty())));
        }
        self.standard.clone()
    }
}

impl<'a> Face<'a> {
    fn new(program: Program<'a>, dict: Dict<'a>) -> Self {
        Self {
            program,
            weight: weight(&dict),
            to_unicode: ToUnicode::of_font(&dict),
            dict,
            names: OnceCell::new(),
            unmapped: OnceCell::new(),
            known: RefCell::default(),
        }
    }

    /// The code at this offset, and its length in bytes.
    pub(super) fn read_code(&self, bytes: &[u8], offset: usize) -> (u32, usize) {
        match &self.program {
            Program::Font(font) => font.read_code(bytes, offset),
            Program::Wide => {
                let code = bytes.iter().skip(offset).take(2);
                (code.fold(0, |code, byte| code << 8 | u32::from(*byte)), 2)
            }
        }
    }

    /// How far a code advances, at size one.
    pub(super) fn advance(&self, code: u32) -> Vec2 {
        match &self.program {
            Program::Font(font) => font.code_advance(code) / f64::from(UNITS_PER_EM),
            Program::Wide => Vec2::new(1.0, 0.0),
        }
    }

    pub(super) fn is_horizontal(&self) -> bool {
        match &self.program {
            Program::Font(font) => font.is_horizontal(),
            Program::Wide => true,
        }
    }

    /// The text that a code stands for; U+FFFD if the file does not specify any.
    pub(super) fn text(&self, code: u32) -> Rc<str> {
        if let Some(text) = self.known.borrow().get(&code) {
            return Rc::clone(text);
        }
        let mut text = String::new();
        match self.stated(code) {
            Some(stated) => stated.chars().for_each(|letter| letters::push(letter, &mut text)),
            None => text.push(char::REPLACEMENT_CHARACTER),
        }
        let text: Rc<str> = text.into();
        let mut known = self.known.borrow_mut();
        if known.len() < MOST_KNOWN {
            known.insert(code, Rc::clone(&text));
        }
        text
    }

    /// What the file says of a code: its own table first, then glyph names, then what the font program shows.
    fn stated(&self, code: u32) -> Option<String> {
        if let Some(letters) = self.to_unicode.as_ref().and_then(|table| table.letters(code)) {
            return Some(letters);
        }
        let Program::Font(font) = &self.program else { return None };
        match font.glyph(font.map_code(code), code) {
            FontGlyph::Outline(glyph) => {
                let unmapped = self.unmapped.get_or_init(|| Unmapped::new(&self.dict, &glyph));
                unmapped
                    .of_program(code, glyph.glyph_id())
                    .or_else(|| glyph.as_unicode().and_then(written))
                    .or_else(|| unmapped.guess(code, glyph.glyph_id()))
            }
            FontGlyph::Type3(glyph) => glyph.as_unicode().and_then(written),
        }
        .or_else(|| self.named(code))
    }

    /// What a private glyph name says. Fonts without any names use the codes of the usual encoding.
    fn named(&self, code: u32) -> Option<String> {
        let code = u8::try_from(code).ok().filter(|_| !self.unmapped.get().is_some_and(Unmapped::is_composite))?;
        let names = self.names.get_or_init(|| Names::of_font(&self.dict));
        let kind = self.dict.get::<Name<'_>>(SUBTYPE);
        // The program of a Type 1 font has an encoding of its own, and glyphs that are not characters.
        let has_encoding = self.dict.contains_key(FONT_DESC) && kind.is_some_and(|kind| kind.as_ref() == TYPE1);
        match names.is_empty() && !has_encoding {
            true => names::windows(code),
            false => names.letters(code),
        }
    }
}

/// The characters of a table entry, unless they are not text.
fn written(unicode: BfString) -> Option<String> {
    let letters = match unicode {
        BfString::Char(letter) => letter.to_string(),
        BfString::String(letters) => letters,
    };
    letters.chars().any(|letter| !letter.is_control()).then_some(letters)
}

/// The weight that the name or the descriptor of a font states.
fn weight(dict: &Dict<'_>) -> Weight {
    let name = dict.get::<Name<'_>>(BASE_FONT).map(|name| String::from_utf8_lossy(name.as_ref()).to_ascii_lowercase());
    let is_named = name.is_some_and(|name| ["bold", "black", "heavy", "demi"].iter().any(|word| name.contains(word)));
    let descriptor = dict.get::<Dict<'_>>(FONT_DESC).unwrap_or_default();
    let is_stated = descriptor.get::<u32>(FONT_WEIGHT).is_some_and(|weight| weight >= BOLD)
        || descriptor.get::<u32>(FLAGS).is_some_and(|flags| flags & FORCE_BOLD != 0);
    match is_named || is_stated {
        true => Weight::Bold,
        false => Weight::Regular,
    }
}
