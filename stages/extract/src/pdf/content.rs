//! Interprets the part of a content stream that shows text.

use hayro_font::kurbo::Affine;
use hayro_syntax::content::TypedIter;
use hayro_syntax::content::ops::TypedInstruction;
use hayro_syntax::object::dict::keys::{ANNOTS, AP, AS, BBOX, CONTENTS, F, FONT, MATRIX, N, RECT, RESOURCES, SUBTYPE};
use hayro_syntax::object::{Array, Dict, Name, Object, Rect, Stream, String as PdfString};
use hayro_syntax::page::{Page, Resources};

use super::fonts::{Face, Fonts};
use super::span::{Span, Spans};
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
/// Flags of annotations that are not visible: Hidden and NoView.
const INVISIBLE: u32 = 1 << 1 | 1 << 5;

/// Reads the pages of one file.
pub(super) struct Interpreter<'a> {
    fonts: Fonts<'a>,
    /// The limit on text, for messages.
    limit: usize,
    /// The most bytes that one content stream may unpack to.
    most: usize,
    /// Bytes of forms that may still be interpreted: forms that draw forms could otherwise grow without bound.
    budget: usize,
    spans: Spans,
    /// Whether the current page shows an image.
    has_image: bool,
    /// The current nesting of forms.
    depth: usize,
    /// Number of open pieces of marked content.
    marks: usize,
    replacement: Option<Replacement>,
}

/// What a page shows.
pub(super) struct Drawn {
    /// The text of the page, its form fields and its annotations, in drawing order.
    pub(super) spans: Vec<Span>,
    /// Whether there is an image on it.
    pub(super) has_image: bool,
}

/// Marked content whose glyphs stand for another text.
struct Replacement {
    /// Number of open pieces of marked content, this one included.
    mark: usize,
    /// The text, until it has been placed at the first glyph.
    text: Option<String>,
}

impl<'a> Interpreter<'a> {
    pub(super) fn new(limit: usize) -> Self {
        let most = limit.saturating_mul(CONTENT_PER_TEXT);
        Self {
            fonts: Fonts::new(),
            limit,
            most,
            budget: most,
            spans: Spans::default(),
            has_image: false,
            depth: 0,
            marks: 0,
            replacement: None,
        }
    }

    pub(super) fn page(&mut self, page: &Page<'a>) -> Result<Drawn, Reject> {
        let contents = page.raw().get::<Object<'_>>(CONTENTS);
        let streams: Vec<Stream<'_>> = match contents {
            Some(Object::Stream(stream)) => vec![stream],
            Some(Object::Array(streams)) => streams.iter::<Stream<'_>>().collect(),
            _ => Vec::new(),
        };
        if !streams.iter().all(|stream| unpacked::fits(stream, self.most)) {
            return Err(Reject::TooLarge(self.limit));
        }
        let upright = Affine::new(page.initial_transform(false).as_coeffs());
        (self.marks, self.replacement, self.has_image) = (0, None, false);
        self.run(page.typed_operations(), page.resources(), &State::new(upright))?;
        if let Some(annotations) = page.raw().get::<Array<'_>>(ANNOTS) {
            for annotation in annotations.iter::<Dict<'_>>() {
                self.annotation(&annotation, page.resources(), upright)?;
            }
        }
        Ok(Drawn { spans: std::mem::take(&mut self.spans).into_vec(), has_image: self.has_image })
    }

    fn run(&mut self, mut content: TypedIter<'_>, resources: &Resources<'a>, state: &State<'a>) -> Result<(), Reject> {
        let mut state = state.clone();
        let mut saved: Vec<State<'a>> = Vec::new();
        let mut cursor = Cursor { line: Affine::IDENTITY, at: Affine::IDENTITY };
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
                        state.font = parts.next::<Dict<'_>>().and_then(|dict| self.fonts.face(&dict));
                        state.size = parts.next::<f64>().unwrap_or(state.size);
                    }
                }
                TypedInstruction::XObject(name) => {
                    if let Some(object) = resources.get_x_object(name.0) {
                        self.form(&object, resources, &state)?;
                    }
                }
                TypedInstruction::InlineImage(_) => self.has_image = true,
                TypedInstruction::BeginText(_) => cursor = Cursor { line: Affine::IDENTITY, at: Affine::IDENTITY },
                TypedInstruction::CharacterSpacing(space) => state.letter_space = space.0.as_f64(),
                TypedInstruction::WordSpacing(space) => state.word_space = space.0.as_f64(),
                TypedInstruction::HorizontalScaling(percent) => state.stretch = percent.0.as_f64() / 100.0,
                TypedInstruction::TextLeading(leading) => state.leading = leading.0.as_f64(),
                TypedInstruction::TextRise(rise) => state.rise = rise.0.as_f64(),
                TypedInstruction::TextFont(font) => {
                    state.font = resources.get_font(font.0).and_then(|dict| self.fonts.face(&dict));
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
                TypedInstruction::BeginMarkedContent(_) => self.marks += 1,
                TypedInstruction::BeginMarkedContentWithProperties(mark) => {
                    let properties = match mark.1 {
                        Object::Dict(dict) => Some(dict.clone()),
                        Object::Name(name) => resources.properties.get::<Dict<'_>>(name),
                        _ => None,
                    };
                    self.marks += 1;
                    let text = properties.and_then(|dict| dict.get::<PdfString<'_>>(b"ActualText"));
                    if let (Some(text), None) = (text, &self.replacement) {
                        let text = Some(strings::decode(text.as_bytes()));
                        self.replacement = Some(Replacement { mark: self.marks, text });
                    }
                }
                TypedInstruction::EndMarkedContent(_) => {
                    self.replacement.take_if(|replacement| replacement.mark == self.marks);
                    self.marks = self.marks.saturating_sub(1);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn form(&mut self, object: &Stream<'a>, resources: &Resources<'a>, state: &State<'a>) -> Result<(), Reject> {
        let dict = object.dict();
        let kind = dict.get::<Name<'_>>(SUBTYPE);
        let is = |wanted: &[u8]| kind.as_ref().is_some_and(|kind| kind.as_ref() == wanted);
        self.has_image |= is(b"Image");
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
        let state = State { ctm: state.ctm * matrix, ..state.clone() };
        self.depth += 1;
        let done = self.run(TypedIter::new(&content), own.as_ref().unwrap_or(resources), &state);
        self.depth -= 1;
        done
    }

    /// Draws the appearance of an annotation at the position of the annotation.
    fn annotation(&mut self, annotation: &Dict<'a>, resources: &Resources<'a>, page: Affine) -> Result<(), Reject> {
        let invisible = annotation.get::<u32>(F).unwrap_or(0) & INVISIBLE != 0;
        let kind = annotation.get::<Name<'_>>(SUBTYPE);
        let has_text = kind.is_some_and(|kind| matches!(kind.as_ref(), b"Widget" | b"FreeText" | b"Stamp"));
        if invisible || !has_text {
            return Ok(());
        }
        let appearance = match annotation.get::<Dict<'_>>(AP).and_then(|states| states.get::<Object<'_>>(N)) {
            Some(Object::Stream(stream)) => Some(stream),
            Some(Object::Dict(states)) => {
                annotation.get::<Name<'_>>(AS).and_then(|state| states.get::<Stream<'_>>(state))
            }
            _ => None,
        };
        let (Some(stream), Some(rect)) = (appearance, annotation.get::<Rect>(RECT)) else {
            return Ok(());
        };
        let corner = stream.dict().get::<Rect>(BBOX).map_or((0.0, 0.0), |bbox| (bbox.x0, bbox.y0));
        let place = page * Affine::translate((rect.x0 - corner.0, rect.y0 - corner.1));
        self.form(&stream, resources, &State::new(place))
    }

    fn show(&mut self, shown: &PdfString<'_>, state: &State<'a>, cursor: &mut Cursor) {
        let Some(face) = &state.font else {
            return;
        };
        let font = &face.font;
        let bytes = shown.as_bytes();
        let mut text = String::new();
        let mut offset = 0;
        while offset < bytes.len() {
            let (code, length) = font.read_code(bytes, offset);
            offset += length.max(1);
            text.clear();
            self.unicode(face, code, &mut text);
            let from = cursor.at;
            cursor.advance(code, length, font, state);
            self.spans.push(&text, state.place(from, cursor.at));
        }
    }

    fn unicode(&mut self, face: &Face<'a>, code: u32, text: &mut String) {
        match &mut self.replacement {
            Some(replacement) => text.push_str(&replacement.text.take().unwrap_or_default()),
            None => face.push_unicode(code, text),
        }
    }
}
