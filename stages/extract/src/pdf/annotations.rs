//! Annotations: those that look like a part of the page, and those that say something about it.

use hayro_font::kurbo::{Affine, Point, Rect, Vec2};
use hayro_syntax::object::dict::keys::{AP, AS, BBOX, CONTENTS, F, MATRIX, N, RECT, SUBTYPE};
use hayro_syntax::object::{Dict, Name, Object, Rect as Box, Stream, String as PdfString};
use hayro_syntax::page::Resources;

use super::content::Interpreter;
use super::field::{self, Value};
use super::span::{Ink, Place, Weight};
use super::state::State;
use super::strings;
use crate::reject::Reject;

/// Flags of annotations that are not visible: Hidden and NoView.
pub(super) const INVISIBLE: u32 = 1 << 1 | 1 << 5;
/// The size of text that no appearance states, and its share of the height of its box.
const SIZES: (f64, f64) = (4.0, 12.0);
const SHARE: f64 = 0.7;
/// The average width of a letter and the distance of lines, in font sizes.
const LETTER: f64 = 0.5;
const LEADING: f64 = 1.2;

/// What annotations say beside the page.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) comments: Vec<String>,
    /// Where links lead, outside of the file.
    pub(super) links: Vec<String>,
}

/// Draws an annotation, or notes what it says.
///
/// # Errors
/// Its appearance unpacks to too much.
pub(super) fn draw<'a>(
    interpreter: &mut Interpreter<'a>,
    annotation: &Dict<'a>,
    resources: &Resources<'a>,
    state: &State<'a>,
    notes: &mut Notes,
) -> Result<(), Reject> {
    let Some(kind) = annotation.get::<Name<'_>>(SUBTYPE) else { return Ok(()) };
    if kind.as_ref() == b"Widget" {
        interpreter.widgets.extend(annotation.obj_id());
    }
    let is_off = annotation.get::<Dict<'_>>(b"OC").is_some_and(|layer| interpreter.layers.hides(&layer));
    if is_off || annotation.get::<u32>(F).unwrap_or(0) & INVISIBLE != 0 {
        return Ok(());
    }
    match kind.as_ref() {
        b"Widget" => {
            if !appears(interpreter, annotation, resources, state)? {
                match field::value(annotation) {
                    Value::Text(text) => write(interpreter, annotation, &text, state),
                    Value::Checked => write(interpreter, annotation, "☑", state),
                    Value::Unchecked => write(interpreter, annotation, "☐", state),
                    Value::None => {}
                }
            }
        }
        b"FreeText" => {
            if !appears(interpreter, annotation, resources, state)?
                && let Some(text) = contents(annotation)
            {
                write(interpreter, annotation, &text, state);
            }
        }
        b"Stamp" => {
            if !appears(interpreter, annotation, resources, state)? {
                notes.comments.extend(contents(annotation));
            }
        }
        b"Link" => {
            let action = annotation.get::<Dict<'_>>(b"A");
            let target = action.and_then(|action| action.get::<PdfString<'_>>(b"URI"));
            notes.links.extend(target.map(|target| one_line(&strings::decode(target.as_bytes()))));
        }
        b"Popup" | b"PrinterMark" | b"TrapNet" | b"Watermark" | b"Screen" | b"Movie" | b"3D" => {}
        _ => notes.comments.extend(contents(annotation)),
    }
    Ok(())
}

/// Draws the appearance of an annotation at its place; whether that showed any text.
fn appears<'a>(
    interpreter: &mut Interpreter<'a>,
    annotation: &Dict<'a>,
    resources: &Resources<'a>,
    state: &State<'a>,
) -> Result<bool, Reject> {
    let appearance = match annotation.get::<Dict<'_>>(AP).and_then(|states| states.get::<Object<'_>>(N)) {
        Some(Object::Stream(stream)) => Some(stream),
        Some(Object::Dict(states)) => annotation.get::<Name<'_>>(AS).and_then(|name| states.get::<Stream<'_>>(name)),
        _ => None,
    };
    let (Some(stream), Some(rect)) = (appearance, annotation.get::<Box>(RECT)) else {
        return Ok(false);
    };
    let place = stream.dict().get::<Box>(BBOX).and_then(|bounds| {
        let matrix = stream.dict().get::<[f64; 6]>(MATRIX).map_or(Affine::IDENTITY, Affine::new);
        fit(matrix.transform_rect_bbox(Rect::new(bounds.x0, bounds.y0, bounds.x1, bounds.y1)), &rect)
    });
    let place = place.unwrap_or_else(|| Affine::translate((rect.x0, rect.y0)));
    let before = interpreter.seen.glyphs;
    let state = State::new(state.ctm * place, state.clip);
    interpreter.form(&stream, resources, &state)?;
    Ok(interpreter.seen.glyphs > before)
}

/// The matrix that fits the bounds of an appearance into the box of its annotation.
fn fit(bounds: Rect, rect: &Box) -> Option<Affine> {
    let scale = Vec2::new((rect.x1 - rect.x0) / bounds.width(), (rect.y1 - rect.y0) / bounds.height());
    let is_useful = scale.is_finite() && scale.x > 0.0 && scale.y > 0.0;
    is_useful.then(|| {
        Affine::translate((rect.x0, rect.y0))
            * Affine::scale_non_uniform(scale.x, scale.y)
            * Affine::translate((-bounds.x0, -bounds.y0))
    })
}

/// Writes text into the box of an annotation that has no appearance.
fn write(interpreter: &mut Interpreter<'_>, annotation: &Dict<'_>, text: &str, state: &State<'_>) {
    let Some(rect) = annotation.get::<Box>(RECT) else { return };
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let height = rect.y1 - rect.y0;
    let size = (height * SHARE / lines.len().max(1) as f64).clamp(SIZES.0, SIZES.1);
    // One line is in the middle of its box; more begin at its top.
    let first = match lines.len() {
        1 => (rect.y0 + rect.y1) / 2.0 - 0.35 * size,
        _ => rect.y1 - size,
    };
    for (number, line) in lines.iter().enumerate() {
        let from = Point::new(rect.x0 + 2.0, first - number as f64 * LEADING * size);
        let width = (line.chars().count() as f64 * LETTER * size).min((rect.x1 - rect.x0 - 4.0).max(size));
        let place = Place {
            from: state.ctm * from,
            to: state.ctm * (from + Vec2::new(width, 0.0)),
            along: along(state.ctm),
            size,
            spacing: 0.0,
            weight: Weight::Regular,
            ink: Ink::Painted,
        };
        interpreter.seen.glyphs += 1;
        interpreter.seen.spans.push_text(line, place);
    }
}

fn along(ctm: Affine) -> Vec2 {
    let along = ctm * Point::new(1.0, 0.0) - ctm * Point::ZERO;
    along / along.hypot()
}

/// What the author of an annotation wrote.
fn contents(annotation: &Dict<'_>) -> Option<String> {
    let contents = annotation.get::<PdfString<'_>>(CONTENTS)?;
    let text = strings::decode(contents.as_bytes()).replace("\r\n", "\n").replace('\r', "\n");
    (!text.trim().is_empty()).then(|| text.trim().to_owned())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
