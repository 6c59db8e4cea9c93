//! Characters of composite fonts without a ToUnicode table: from the character collection of East Asian fonts, or from
//! the character map of the embedded font.

use std::collections::BTreeMap;

use hayro_cmap::{BfString, CMap, CMapName, CidFamily, load_embedded};
use hayro_font::{GlyphId, OutlineGlyph};
use hayro_syntax::object::dict::keys::{CIDSYSTEMINFO, DESCENDANT_FONTS, ENCODING, ORDERING, REGISTRY};
use hayro_syntax::object::{Array, Dict, Name, String as PdfString};
use skrifa::{FontRef, MetadataProvider};

/// The characters of one font, as far as they can be derived.
pub(super) struct Unmapped {
    collection: Option<Collection>,
    letters: BTreeMap<u32, char>,
}

/// A numbered character collection, and the mapping from codes to its numbers.
struct Collection {
    encoding: CMap,
    unicode: CMap,
}

impl Unmapped {
    /// Reads the characters of a font from its dictionary and any of its glyphs.
    pub(super) fn new(dict: &Dict<'_>, glyph: &OutlineGlyph) -> Self {
        let composite = dict.contains_key(DESCENDANT_FONTS);
        let collection = Collection::new(dict);
        // Glyphs of simple fonts have names, which have been tried already.
        let letters = match composite && collection.is_none() {
            true => letters(glyph).unwrap_or_default(),
            false => BTreeMap::new(),
        };
        Self { collection, letters }
    }

    /// The characters of a code or, without a collection, of its glyph.
    pub(super) fn unicode(&self, code: u32, glyph: GlyphId) -> Option<BfString> {
        match &self.collection {
            Some(collection) => collection.unicode(code),
            None => self.letters.get(&glyph.to_u32()).map(|letter| BfString::Char(*letter)),
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

    fn unicode(&self, code: u32) -> Option<BfString> {
        let number = (1..=4).find_map(|length| self.encoding.lookup_cid_code(code, length))?;
        self.unicode.lookup_bf_string(number)
    }
}

fn embedded(name: CMapName<'_>) -> Option<CMap> {
    CMap::parse(load_embedded(name)?, load_embedded)
}

/// The first character of each glyph.
fn letters(glyph: &OutlineGlyph) -> Option<BTreeMap<u32, char>> {
    let data = glyph.font_data()?.data;
    let program = FontRef::from_index((*data).as_ref(), 0).ok()?;
    let mut letters = BTreeMap::new();
    for (letter, glyph) in program.charmap().mappings() {
        if let Some(letter) = char::from_u32(letter) {
            letters.entry(glyph.to_u32()).or_insert(letter);
        }
    }
    Some(letters)
}
