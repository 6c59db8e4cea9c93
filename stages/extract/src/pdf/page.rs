//! What a page shows: its content, its annotations, and what those say beside it.

use hayro_font::kurbo::{Affine, Rect};
use hayro_syntax::object::dict::keys::{ANNOTS, CONTENTS};
use hayro_syntax::object::{Array, Dict, Object, Stream};
use hayro_syntax::page::Page;

use super::annotations::{self, Notes};
use super::clip::Clip;
use super::content::{Interpreter, Seen};
use super::span::{Ink, Span};
use super::state::State;
use super::unpacked;
use crate::reject::Reject;

/// How far beyond its page a glyph may be.
const MARGIN: f64 = 1.0;

/// What a page shows.
pub(super) struct Drawn {
    /// The text of the page, its form fields and its annotations, in drawing order.
    pub(super) spans: Vec<Span>,
    pub(super) notes: Notes,
    /// The height of the page as it is seen.
    pub(super) height: f64,
    /// Whether there is an image on it.
    pub(super) has_image: bool,
    /// How many glyphs were read, and how many of them have no character.
    pub(super) glyphs: usize,
    pub(super) unmapped: usize,
}

/// Draws a page.
///
/// # Errors
/// The content unpacks to too much.
pub(super) fn draw<'a>(interpreter: &mut Interpreter<'a>, page: &Page<'a>) -> Result<Drawn, Reject> {
    let contents = page.raw().get::<Object<'_>>(CONTENTS);
    let streams: Vec<Stream<'_>> = match contents {
        Some(Object::Stream(stream)) => vec![stream],
        Some(Object::Array(streams)) => streams.iter::<Stream<'_>>().collect(),
        _ => Vec::new(),
    };
    if !streams.iter().all(|stream| unpacked::fits(stream, interpreter.most)) {
        return Err(Reject::TooLarge(interpreter.limit));
    }
    let upright = Affine::new(page.initial_transform(false).as_coeffs());
    let (width, height) = page.render_dimensions();
    let (width, height) = (f64::from(width), f64::from(height));
    let clip = Clip::new(Rect::new(-MARGIN, -MARGIN, width + MARGIN, height + MARGIN));
    let state = State::new(upright, clip);
    interpreter.page(page.typed_operations(), page.resources(), &state)?;
    let mut notes = Notes::default();
    if let Some(list) = page.raw().get::<Array<'_>>(ANNOTS) {
        for annotation in list.iter::<Dict<'_>>() {
            annotations::draw(interpreter, &annotation, page.resources(), &state, &mut notes)?;
        }
    }
    let Seen { mut spans, has_image, glyphs, unmapped } = std::mem::take(&mut interpreter.seen);
    let spans = seen(spans.take(), has_image);
    Ok(Drawn { spans, notes, height, has_image, glyphs, unmapped })
}

/// The spans that belong to the page. Text that is not painted is that of a scan, if there is one; beside painted text it
/// is hidden.
fn seen(mut spans: Vec<Span>, has_image: bool) -> Vec<Span> {
    let is_painted = |span: &Span| span.ink == Ink::Painted;
    if !has_image && spans.iter().any(is_painted) {
        spans.retain(is_painted);
    }
    spans
}
