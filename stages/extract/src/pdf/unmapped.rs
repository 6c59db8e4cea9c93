//! Characters of fonts without a ToUnicode table: from the character collection of East Asian fonts, or from the character
//! map of the embedded font.

use std::collections::BTreeMap;

use hayro_cmap::{BfString, CMap, CMapName, CidFamily, load_embedded};
use hayro_font::{GlyphId, OutlineGlyph};
use hayro_syntax::object::dict::keys::{
    BASE_FONT, CIDSYSTEMINFO, DESCENDANT_FONTS, ENCODING, ORDERING, REGISTRY, SUBTYPE, TRUE_TYPE,
};
use hayro_syntax::object::{Array, Dict, Name, String as PdfString};
use skrifa::{FontRef, MetadataProvider};

use super::names;

/// Families of fonts whose glyphs are pictures, whatever letters their codes would be.
const PICTURES: [&str; 4] = ["wingdings", "webdings", "dingbats", "symbol"];

/// The characters of one font, as far as they can be derived.
pub(super) struct Unmapped {
    kind: Kind,
}

enum Kind {
    /// A composite font of a numbered character collection.
    Collection(Box<Collection>),
    /// A composite font whose glyphs have these characters.
    Letters(BTreeMap<u32, char>),
    /// An embedded simple font that states no encoding, so that the codes are those of its own tables.
    OwnCodes(OwnCodes),
    /// A simple font whose glyphs have names.
    Names,
}

/// A numbered character collection, and the mapping from codes to its numbers.
struct Collection {
    encoding: CMap,
    unicode: CMap,
}

/// What the character map of a font says of its codes.
enum OwnCodes {
    Letters(BTreeMap<u32, char>),
    Windows,
    Macintosh,
    Pictures,
}

impl Unmapped {
    /// Reads the characters of a font from its dictionary and any of its glyphs.
    pub(super) fn new(dict: &Dict<'_>, glyph: &OutlineGlyph) -> Self {
        let kind = match (dict.contains_key(DESCENDANT_FONTS), Collection::new(dict)) {
            (true, Some(collection)) => Kind::Collection(Box::new(collection)),
            (true, None) => Kind::Letters(with_program(glyph, letters).unwrap_or_default()),
            (false, _) => own_codes(dict, glyph).map_or(Kind::Names, Kind::OwnCodes),
        };
        Self { kind }
    }

    pub(super) fn is_composite(&self) -> bool {
        matches!(self.kind, Kind::Collection(_) | Kind::Letters(_))
    }

    /// The characters of a code of a font that relies on its own tables.
    pub(super) fn of_program(&self, code: u32, glyph: GlyphId) -> Option<String> {
        let Kind::OwnCodes(own) = &self.kind else { return None };
        let code = u8::try_from(code).ok()?;
        match own {
            OwnCodes::Letters(letters) => letters.get(&glyph.to_u32()).map(char::to_string),
            OwnCodes::Windows => names::windows(code),
            OwnCodes::Macintosh => names::macintosh(code),
            OwnCodes::Pictures => char::from_u32(0xF000 | u32::from(code)).map(String::from),
        }
    }

    /// The characters of a code of a composite font or, without a collection, of its glyph.
    pub(super) fn guess(&self, code: u32, glyph: GlyphId) -> Option<String> {
        match &self.kind {
            Kind::Collection(collection) => collection.unicode(code),
            Kind::Letters(letters) => letters.get(&glyph.to_u32()).map(char::to_string),
            Kind::OwnCodes(_) | Kind::Names => None,
        }
    }
}

impl Collection {
    fn new(dict: &Dict<'_>) -> Option<Self> {
        let descendant = dict.get::<Array<'_>>(DESCENDANT_FONTS)?.iter::<Dict<'_>>().next()?;
        let encoding = match CMapName::from_bytes(dict.get::<Name<'_>>(ENCODING)?.as_ref()) {
            CMapName::IdentityH | CMapName::IdentityV => CMap::identity_h(),
            name => embedded(name)?,
        };
        let family = match &encoding.metadata().character_collection {
            Some(collection) if collection.family != CidFamily::AdobeIdentity => collection.family.clone(),
            _ => {
                let info = descendant.get::<Dict<'_>>(CIDSYSTEMINFO)?;
                let registry = info.get::<PdfString<'_>>(REGISTRY)?;
                let ordering = info.get::<PdfString<'_>>(ORDERING)?;
                CidFamily::from_registry_ordering(registry.as_bytes(), ordering.as_bytes())
            }
        };
        Some(Self { encoding, unicode: embedded(family.ucs2_cmap()?)? })
    }

    fn unicode(&self, code: u32) -> Option<String> {
        let number = (1..=4).find_map(|length| self.encoding.lookup_cid_code(code, length))?;
        match self.unicode.lookup_bf_string(number)? {
            BfString::Char(letter) => Some(letter.to_string()),
            BfString::String(letters) => Some(letters),
        }
    }
}

fn embedded(name: CMapName<'_>) -> Option<CMap> {
    CMap::parse(load_embedded(name)?, load_embedded)
}

/// How the codes of an embedded simple font relate to characters, if its dictionary does not say.
fn own_codes(dict: &Dict<'_>, glyph: &OutlineGlyph) -> Option<OwnCodes> {
    let is_true_type = dict.get::<Name<'_>>(SUBTYPE).is_some_and(|kind| kind.as_ref() == TRUE_TYPE);
    if !is_true_type || dict.contains_key(ENCODING) {
        return None;
    }
    let name = dict.get::<Name<'_>>(BASE_FONT).map(|name| String::from_utf8_lossy(name.as_ref()).to_ascii_lowercase());
    let is_pictures = name.is_some_and(|name| PICTURES.iter().any(|family| name.contains(family)));
    with_program(glyph, |program| {
        let map = program.charmap();
        match (map.has_map(), map.is_symbol()) {
            (_, true) if is_pictures => OwnCodes::Pictures,
            (_, true) => OwnCodes::Windows,
            (true, false) => OwnCodes::Letters(letters(program)),
            (false, false) => OwnCodes::Macintosh,
        }
    })
}

fn with_program<T>(glyph: &OutlineGlyph, read: impl FnOnce(&FontRef<'_>) -> T) -> Option<T> {
    let data = glyph.font_data()?.data;
    let program = FontRef::from_index((*data).as_ref(), 0).ok()?;
    Some(read(&program))
}

/// The first character of each glyph.
fn letters(program: &FontRef<'_>) -> BTreeMap<u32, char> {
    let mut letters = BTreeMap::new();
    for (letter, glyph) in program.charmap().mappings() {
        if let Some(letter) = char::from_u32(letter) {
            letters.entry(glyph.to_u32()).or_insert(letter);
        }
    }
    letters
}
