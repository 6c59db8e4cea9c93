//! PDF to plain text: the text layer of every page in reading order, pages separated by form feeds.
//!
//! `hayro-syntax` finds the objects (even in damaged files) and decrypts them; `hayro-font` provides the characters and
//! widths of glyphs. This module interprets the text operators of content streams and lays out the lines.

mod columns;
mod content;
mod fonts;
mod layout;
mod span;
mod state;
mod strings;
mod unmapped;
mod unpacked;

use hayro_syntax::{DecryptionError, LoadPdfError, Pdf};

use crate::document::Document;
use crate::kind::Kind;
use crate::pages::Pages;
use crate::reject::Reject;
use content::Interpreter;

/// Reads a PDF; `limit` bounds the resulting text in bytes, and eight times `limit` each content stream, unpacked.
///
/// # Errors
/// The file is damaged, encrypted or a scan, or has too much text.
pub(crate) fn read(payload: Vec<u8>, limit: usize) -> Result<Document, Reject> {
    let pdf = Pdf::new(payload).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::InvalidEncryption) => Reject::PdfBroken,
        LoadPdfError::Decryption(_) => Reject::PdfEncrypted,
        LoadPdfError::Invalid => Reject::PdfBroken,
    })?;
    if pdf.pages().is_empty() {
        return Err(Reject::PdfBroken);
    }
    let mut interpreter = Interpreter::new(limit);
    let (mut text, mut pages) = (String::new(), Pages::default());
    for page in pdf.pages().iter() {
        if pages.count > 0 {
            text.push('\x0C');
        }
        let drawn = interpreter.page(page)?;
        let own = layout::text(drawn.spans);
        pages.add(own.chars().any(is_legible), drawn.has_image);
        text.push_str(&own);
        if text.len() > limit {
            return Err(Reject::TooLarge(limit));
        }
    }
    if pages.none_has_text() {
        return Err(Reject::PdfNoText { pages });
    }
    let title = pdf.metadata().title.as_deref().and_then(strings::title);
    Ok(Document { text, title, pages: Some(pages), kind: Kind::Pdf })
}

fn is_legible(letter: char) -> bool {
    !letter.is_whitespace() && letter != char::REPLACEMENT_CHARACTER
}
