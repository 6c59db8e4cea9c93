//! Interprets the part of a content stream that shows text.

use std::collections::HashSet;

use hayro_font::kurbo::{Affine, Point, Rect, Vec2};
use hayro_syntax::content::TypedIter;
use hayro_syntax::content::ops::TypedInstruction;
use hayro_syntax::object::dict::keys::{BBOX, FONT, MATRIX, RESOURCES, SUBTYPE};
use hayro_syntax::object::{
    Array, Dict, Name, Number, Object, ObjectIdentifier, Rect as Box, Stream, String as PdfString,
};
use hayro_syntax::page::Resources;
use unicode_normalization::char::is_combining_mark;

use super::bidi;
use super::clip::Outline;
use super::fonts::Fonts;
use super::layers::Layers;
use super::letters;
use super::marks::Marks;
use super::span::{Place, Spans};
use super::state::{Cursor, State};
use super::strings;
use super::unpacked;
use crate::reject::Reject;

/// Content streams may be this many times larger than the limit on text; ordinary files are well below that.
const CONTENT_PER_TEXT: usize = 8;
/// The maximum nesting of forms within forms; deeper ones draw themselves.
const DEEPEST_FORM: usize = 16;
/// The maximum number of saved states; more are never restored.
const MOST_STATES: usize = 512;
/// How far above the baseline a glyph is looked at to see whether it is clipped, in font sizes.
const MIDDLE: f64 = 0.25;

/// Reads content streams of one file.
pub(super) struct Interpreter<'a> {
    fonts: Fonts<'a>,
    pub(super) layers: Layers,
    /// The limit on text, for messages.
    pub(super) limit: usize,
    /// The most bytes that one content stream may unpack to.
    pub(super) most: usize,
    /// Bytes of forms that may still be interpreted: forms that draw forms could otherwise grow without bound.
    budget: usize,
    pub(super) seen: Seen,
    /// The widgets of form fields on all pages so far.
    pub(super) widgets: HashSet<ObjectIdentifier>,
    /// The current nesting of forms.
    depth: usize,
    marks: Marks,
    /// Where glyphs were drawn over a letter that is still to come, while a text waits for its glyph.
    waiting: Option<Place>,
}

/// What the content of the current page shows.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) spans: Spans,
    /// Whether there is an image.
    pub(super) has_image: bool,
    /// How many glyphs were read, and how many of them have no character.
    pub(super) glyphs: usize,
    pub(super) unmapped: usize,
}

impl<'a> Interpreter<'a> {
    pub(super) fn new(limit: usize, layers: Layers) -> Self {
        let most = limit.saturating_mul(CONTENT_PER_TEXT);
        Self {
            fonts: Fonts::new(),
            layers,
            limit,
            most,
            budget: most,
            seen: Seen::default(),
            widgets: HashSet::new(),
            depth: 0,
            marks: Marks::default(),
            waiting: None,
        }
    }

    /// Interprets the content of a page, on which nothing has been seen yet.
    pub(super) fn page(
        &mut self,
        content: TypedIter<'_>,
        resources: &Resources<'a>,
        state: &State<'a>,
    ) -> Result<(), Reject> {
        self.seen = Seen::default();
        self.marks = Marks::default();
        self.run(content, resources, state)
    }

    fn run(&mut self, mut content: TypedIter<'_>, resources: &Resources<'a>, state: &State<'a>) -> Result<(), Reject> {
        let mut state = state.clone();
        let mut saved: Vec<State<'a>> = Vec::new();
        let mut cursor = Cursor { line: Affine::IDENTITY, at: Affine::IDENTITY };
        let mut outline = Outline::default();
        while let Some(instruction) = content.next() {
            match instruction {
                TypedInstruction::SaveState(_) if saved.len() < MOST_STATES => saved.push(state.clone()),
                TypedInstruction::RestoreState(_) => state = saved.pop().unwrap_or(state),
                TypedInstruction::Transform(m) => {
                    state.ctm *= Affine::new([m.0, m.1, m.2, m.3, m.4, m.5].map(|number| number.as_f64()));
                }
                TypedInstruction::SetGraphicsState(name) => {
                    let font = resources.get_ext_g_state(name.0).and_then(|dict| dict.get::<Array<'_>>(FONT));
                    if let Some(font) = font {
                        let mut parts = font.flex_iter();
                        state.font = self.fonts.face(parts.next::<Dict<'_>>().as_ref());
                        state.size = parts.next::<f64>().unwrap_or(state.size);
                    }
                }
                TypedInstruction::XObject(name) => {
                    if let Some(object) = resources.get_x_object(name.0) {
                        self.form(&object, resources, &state)?;
                    }
                }
                TypedInstruction::InlineImage(_) => self.seen.has_image |= !self.marks.is_hidden(),
                TypedInstruction::MoveTo(to) => outline.point(state.ctm * at(to.0, to.1)),
                TypedInstruction::LineTo(to) => outline.point(state.ctm * at(to.0, to.1)),
                TypedInstruction::CubicTo(to) => {
                    let points = [at(to.0, to.1), at(to.2, to.3), at(to.4, to.5)];
                    points.iter().for_each(|point| outline.point(state.ctm * *point));
                }
                TypedInstruction::CubicStartTo(to) => {
                    [at(to.0, to.1), at(to.2, to.3)].iter().for_each(|point| outline.point(state.ctm * *point));
                }
                TypedInstruction::CubicEndTo(to) => {
                    [at(to.0, to.1), at(to.2, to.3)].iter().for_each(|point| outline.point(state.ctm * *point));
                }
                TypedInstruction::RectPath(rect) => {
                    let (corner, size) = (at(rect.0, rect.1), at(rect.2, rect.3).to_vec2());
                    let rect = Rect::from_points(corner, corner + size);
                    for corner in [(rect.x0, rect.y0), (rect.x1, rect.y0), (rect.x0, rect.y1), (rect.x1, rect.y1)] {
                        outline.point(state.ctm * Point::from(corner));
                    }
                }
                TypedInstruction::ClipNonZero(_) | TypedInstruction::ClipEvenOdd(_) => outline.clip(),
                TypedInstruction::EndPath(_)
                | TypedInstruction::StrokePath(_)
                | TypedInstruction::CloseAndStrokePath(_)
                | TypedInstruction::FillPathNonZero(_)
                | TypedInstruction::FillPathNonZeroCompatibility(_)
                | TypedInstruction::FillPathEvenOdd(_)
                | TypedInstruction::FillAndStrokeNonZero(_)
                | TypedInstruction::FillAndStrokeEvenOdd(_)
                | TypedInstruction::CloseFillAndStrokeNonZero(_)
                | TypedInstruction::CloseFillAndStrokeEvenOdd(_) => outline.end(&mut state.clip),
                TypedInstruction::BeginText(_) => cursor = Cursor { line: Affine::IDENTITY, at: Affine::IDENTITY },
                TypedInstruction::CharacterSpacing(space) => state.letter_space = space.0.as_f64(),
                TypedInstruction::WordSpacing(space) => state.word_space = space.0.as_f64(),
                TypedInstruction::HorizontalScaling(percent) => state.stretch = percent.0.as_f64() / 100.0,
                TypedInstruction::TextLeading(leading) => state.leading = leading.0.as_f64(),
                TypedInstruction::TextRenderingMode(mode) => state.mode = mode.0.as_i64(),
                TypedInstruction::TextRise(rise) => state.rise = rise.0.as_f64(),
                TypedInstruction::TextFont(font) => {
                    state.font = self.fonts.face(resources.get_font(font.0).as_ref());
                    state.size = font.1.as_f64();
                }
                TypedInstruction::NextLine(by) => cursor.next_line(by.0.as_f64(), by.1.as_f64()),
                TypedInstruction::NextLineAndSetLeading(by) => {
                    state.leading = -by.1.as_f64();
                    cursor.next_line(by.0.as_f64(), by.1.as_f64());
                }
                TypedInstruction::SetTextMatrix(m) => {
                    cursor.line = Affine::new([m.0, m.1, m.2, m.3, m.4, m.5].map(|number| number.as_f64()));
                    cursor.at = cursor.line;
                }
                TypedInstruction::NextLineUsingLeading(_) => cursor.next_line(0.0, -state.leading),
                TypedInstruction::ShowText(text) => self.show(text.0, &state, &mut cursor),
                TypedInstruction::NextLineAndShowText(text) => {
                    cursor.next_line(0.0, -state.leading);
                    self.show(text.0, &state, &mut cursor);
                }
                TypedInstruction::ShowTextWithParameters(text) => {
                    state.word_space = text.0.as_f64();
                    state.letter_space = text.1.as_f64();
                    cursor.next_line(0.0, -state.leading);
                    self.show(text.2, &state, &mut cursor);
                }
                TypedInstruction::ShowTexts(parts) => {
                    for part in parts.0.iter::<Object<'_>>() {
                        match part {
                            Object::String(text) => self.show(&text, &state, &mut cursor),
                            Object::Number(back) => cursor.kern(back.as_f64(), &state),
                            _ => {}
                        }
                    }
                }
                TypedInstruction::BeginMarkedContent(_) => self.marks.begin(),
                TypedInstruction::BeginMarkedContentWithProperties(mark) => {
                    let properties = match mark.1 {
                        Object::Dict(dict) => Some(dict.clone()),
                        Object::Name(name) => resources.properties.get::<Dict<'_>>(name),
                        _ => None,
                    };
                    self.begin(mark.0, properties.as_ref());
                }
                TypedInstruction::EndMarkedContent(_) => {
                    if let (Some(text), Some(place)) = (self.marks.end(), self.waiting.take()) {
                        self.seen.spans.push(&text, place);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Begins marked content.
    fn begin(&mut self, tag: &Name<'_>, properties: Option<&Dict<'_>>) {
        self.marks.begin();
        let Some(properties) = properties else { return };
        if tag.as_ref() == b"OC" && self.layers.hides(properties) {
            self.marks.hide();
        }
        if let Some(text) = properties.get::<PdfString<'_>>(b"ActualText") {
            let stated = strings::decode(text.as_bytes());
            let mut text = String::new();
            stated.chars().for_each(|letter| letters::push(letter, &mut text));
            // Control characters alone are no text to put in place of what is seen.
            if stated.is_empty() || !text.is_empty() {
                self.marks.replace(text);
            }
        }
    }

    pub(super) fn form(
        &mut self,
        object: &Stream<'a>,
        resources: &Resources<'a>,
        state: &State<'a>,
    ) -> Result<(), Reject> {
        let dict = object.dict();
        if self.marks.is_hidden() || dict.get::<Dict<'_>>(b"OC").is_some_and(|layer| self.layers.hides(&layer)) {
            return Ok(());
        }
        let kind = dict.get::<Name<'_>>(SUBTYPE);
        let is = |wanted: &[u8]| kind.as_ref().is_some_and(|kind| kind.as_ref() == wanted);
        self.seen.has_image |= is(b"Image");
        if !is(b"Form") || self.depth >= DEEPEST_FORM {
            return Ok(());
        }
        if !unpacked::fits(object, self.budget) {
            return Err(Reject::TooLarge(self.limit));
        }
        let Ok(content) = object.decoded_data() else {
            return Ok(());
        };
        self.budget = self.budget.checked_sub(content.len()).ok_or(Reject::TooLarge(self.limit))?;
        let own = dict.get::<Dict<'_>>(RESOURCES).map(Resources::new);
        let matrix = dict.get::<[f64; 6]>(MATRIX).map_or(Affine::IDENTITY, Affine::new);
        let ctm = state.ctm * matrix;
        let clip = match dict.get::<Box>(BBOX) {
            Some(bounds) => state.clip.within(Rect::new(bounds.x0, bounds.y0, bounds.x1, bounds.y1), ctm),
            None => state.clip,
        };
        let state = State { ctm, clip, ..state.clone() };
        self.depth += 1;
        let done = self.run(TypedIter::new(&content), own.as_ref().unwrap_or(resources), &state);
        self.depth -= 1;
        done
    }

    fn show(&mut self, shown: &PdfString<'_>, state: &State<'a>, cursor: &mut Cursor) {
        let Some(face) = &state.font else {
            return;
        };
        let bytes = shown.as_bytes();
        let mut offset = 0;
        let mut last_is_seen = false;
        while offset < bytes.len() {
            let (code, length) = face.read_code(bytes, offset);
            offset += length.max(1);
            let from = cursor.at;
            let advance = cursor.advance(code, length, face, state);
            if self.marks.is_hidden() {
                continue;
            }
            let place = state.place(face, from, advance);
            let up = Vec2::new(-place.along.y, place.along.x) * (MIDDLE * place.size);
            if !state.clip.shows(place.from.midpoint(place.to) + up) {
                if last_is_seen {
                    self.seen.spans.cut();
                }
                last_is_seen = false;
                continue;
            }
            last_is_seen = true;
            self.seen.glyphs += 1;
            if self.marks.is_waiting() && (is_mark(&face.text(code)) || place.from == place.to) {
                self.waiting = Some(place);
                continue;
            }
            match self.marks.replacement() {
                // The bracket that is seen says which way the text runs.
                Some(text) if !bidi::is_mirrored(&text, &face.text(code)) => self.seen.spans.push(&text, place),
                _ => {
                    let text = face.text(code);
                    self.seen.unmapped += usize::from(text.contains(char::REPLACEMENT_CHARACTER));
                    self.seen.spans.push(&text, place);
                }
            }
        }
    }
}

/// Whether a glyph is drawn over a letter, and has no place of its own on the line.
fn is_mark(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_combining_mark)
}

fn at(x: Number, y: Number) -> Point {
    Point::new(x.as_f64(), y.as_f64())
}
