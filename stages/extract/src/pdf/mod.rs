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
    let pages = pdf.pages();
    if pages.is_empty() {
        return Err(Reject::PdfBroken);
    }
    let mut interpreter = Interpreter::new(limit);
    let mut text = String::new();
    for (index, page) in pages.iter().enumerate() {
        if index > 0 {
            text.push('\x0C');
        }
        text.push_str(&layout::text(interpreter.page(page)?));
        if text.len() > limit {
            return Err(Reject::TooLarge(limit));
        }
    }
    if text.chars().all(|letter| letter.is_whitespace() || letter == char::REPLACEMENT_CHARACTER) {
        return Err(Reject::PdfNoText { pages: pages.len() });
    }
    let title = pdf.metadata().title.as_deref().and_then(strings::title);
    Ok(Document { text, title, pages: Some(pages.len()), kind: Kind::Pdf })
}
