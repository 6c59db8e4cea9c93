//! PDF to text: the text layer of every page in reading order, pages separated by form feeds.
//!
//! `hayro-syntax` finds the objects (even in damaged files) and decrypts them; `hayro-font` provides the widths of glyphs
//! and most of their characters. This module interprets the text operators of content streams and lays out the lines.

mod accents;
mod annotations;
mod bidi;
mod clip;
mod columns;
mod content;
mod field;
mod fonts;
mod form;
mod gaps;
mod gutter;
mod hyphens;
mod initials;
mod layers;
mod layout;
mod letters;
mod lines;
mod marks;
mod names;
mod page;
mod radicals;
mod rows;
mod running;
mod scripts;
mod sheet;
mod span;
mod state;
mod strays;
mod stretch;
mod strings;
mod structure;
mod to_unicode;
mod twice;
mod unmapped;
mod unpacked;
mod writer;
mod xfa;

use hayro_syntax::object::Dict;
use hayro_syntax::{DecryptionError, LoadPdfError, Pdf};

use crate::document::Document;
use crate::kind::Kind;
use crate::pages::{Pages, Sight};
use crate::pdf_layout::PdfLayout;
use crate::reject::Reject;
use content::Interpreter;
use layers::Layers;
use sheet::Sheet;

/// Reads a PDF; `limit` bounds the resulting text in bytes, and eight times `limit` each content stream, unpacked.
///
/// # Errors
/// The file is damaged, encrypted or a scan, or has too much text.
pub(crate) fn read(payload: Vec<u8>, layout: PdfLayout, limit: usize) -> Result<Document, Reject> {
    let pdf = Pdf::new(payload).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::InvalidEncryption) => Reject::PdfBroken,
        LoadPdfError::Decryption(_) => Reject::PdfEncrypted,
        LoadPdfError::Invalid => Reject::PdfBroken,
    })?;
    if pdf.pages().is_empty() {
        return Err(Reject::PdfBroken);
    }
    let catalog = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id()).unwrap_or_default();
    let mut interpreter = Interpreter::new(limit, Layers::of_catalog(&catalog));
    let (mut sheets, mut pages, mut length) = (Vec::new(), Pages::default(), 0);
    for page in pdf.pages().iter() {
        let drawn = page::draw(&mut interpreter, page)?;
        let lines = layout::lines(drawn.spans);
        length += lines.iter().map(|line| line.text.len() + 1).sum::<usize>();
        if length > limit {
            return Err(Reject::TooLarge(limit));
        }
        pages.add(Sight {
            has_text: lines.iter().any(|line| line.text.chars().any(is_legible)) || !drawn.notes.comments.is_empty(),
            has_image: drawn.has_image,
            glyphs: drawn.glyphs,
            unmapped: drawn.unmapped,
        });
        sheets.push(Sheet { lines, notes: drawn.notes, height: drawn.height });
    }
    let mut values = form::unseen(&catalog, &interpreter.widgets);
    values.extend(xfa::values(&catalog, interpreter.most));
    if pages.none_has_text() && values.is_empty() {
        return Err(Reject::PdfNoText { pages });
    }
    running::remove(&mut sheets);
    hyphens::join(&mut sheets);
    let text = writer::write(&sheets, layout, &values);
    let title = pdf.metadata().title.as_deref().and_then(strings::title);
    Ok(Document { text, title, pages: Some(pages), kind: Kind::Pdf })
}

fn is_legible(letter: char) -> bool {
    !letter.is_whitespace() && letter != char::REPLACEMENT_CHARACTER
}
