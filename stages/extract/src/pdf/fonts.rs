//! The part of fonts that text needs: characters and widths.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use hayro_cmap::{BfString, load_embedded};
use hayro_font::{CMapResolverFn, Font, FontCache, FontData, FontGlyph, FontResolverFn};
use hayro_syntax::object::{Dict, ObjectIdentifier};

use super::unmapped::Unmapped;
use crate::whitespace;

/// A font with one empty glyph. It replaces fonts that a file names without embedding them: their characters and widths
/// come from the file and from built-in tables, and nothing is drawn here.
const BLANK: &[u8] = include_bytes!("blank.ttf");

/// The fonts of one file.
pub(super) struct Fonts<'a> {
    cache: FontCache<'a>,
    font_resolver: FontResolverFn,
    cmap_resolver: CMapResolverFn,
    faces: Vec<(ObjectIdentifier, Option<Rc<Face<'a>>>)>,
}

/// A font and its dictionary.
pub(super) struct Face<'a> {
    pub(super) font: Font<'a>,
    dict: Dict<'a>,
    unmapped: OnceCell<Unmapped>,
}

impl<'a> Fonts<'a> {
    pub(super) fn new() -> Self {
        let blank: FontData = Arc::new(BLANK);
        Self {
            cache: FontCache::new(),
            font_resolver: Arc::new(move |_| Some((Arc::clone(&blank), 0))),
            cmap_resolver: Arc::new(load_embedded),
            faces: Vec::new(),
        }
    }

    /// The font of a font dictionary; `None` if it is damaged.
    pub(super) fn face(&mut self, dict: &Dict<'a>) -> Option<Rc<Face<'a>>> {
        let id = dict.obj_id();
        if let Some((_, face)) = self.faces.iter().find(|(known, _)| Some(*known) == id) {
            return face.clone();
        }
        let font = self.cache.font(dict, &self.font_resolver, &self.cmap_resolver);
        let face = font.map(|font| Rc::new(Face { font, dict: dict.clone(), unmapped: OnceCell::new() }));
        self.faces.extend(id.map(|id| (id, face.clone())));
        face
    }
}

impl Face<'_> {
    /// Appends the characters that a code stands for, or U+FFFD if the file does not specify any.
    pub(super) fn push_unicode(&self, code: u32, text: &mut String) {
        let glyph = self.font.glyph(self.font.map_code(code), code);
        let stated = match &glyph {
            FontGlyph::Outline(glyph) => glyph.as_unicode(),
            FontGlyph::Type3(glyph) => glyph.as_unicode(),
        };
        let unicode = stated.or_else(|| match &glyph {
            FontGlyph::Outline(glyph) => {
                let unmapped = self.unmapped.get_or_init(|| Unmapped::new(&self.dict, glyph));
                unmapped.unicode(code, glyph.glyph_id())
            }
            FontGlyph::Type3(_) => None,
        });
        match unicode {
            Some(BfString::Char(letter)) => push_letter(letter, text),
            Some(BfString::String(letters)) => letters.chars().for_each(|letter| push_letter(letter, text)),
            None => text.push(char::REPLACEMENT_CHARACTER),
        }
    }
}

/// Appends a letter. Ligatures are written out, so that a word is found however it was typeset; control characters are
/// not text.
fn push_letter(letter: char, text: &mut String) {
    match letter {
        '\u{FB00}' => text.push_str("ff"),
        '\u{FB01}' => text.push_str("fi"),
        '\u{FB02}' => text.push_str("fl"),
        '\u{FB03}' => text.push_str("ffi"),
        '\u{FB04}' => text.push_str("ffl"),
        '\u{FB05}' | '\u{FB06}' => text.push_str("st"),
        '\t' | '\n' | '\r' => text.push(' '),
        _ if letter.is_control() => {}
        _ => text.push(whitespace::plain(letter)),
    }
}
