//! Documents that this stage cannot read, but that others can: branches hand them over as they came.

use gristmill_sdk::{Item, Output};

use crate::document::Document;
use crate::kind::Kind;
use crate::office::Format;
use crate::pages::Pages;
use crate::reject::Reject;

/// The branch of PDFs with pages to be read by OCR.
pub(crate) const NEEDS_OCR: &str = "needs-ocr";
/// The branch of documents that need a password.
pub(crate) const ENCRYPTED: &str = "encrypted";

/// Who can read a document, and what is known of it.
pub(crate) struct HandOver {
    pub(crate) branch: &'static str,
    kind: Kind,
    pages: Option<Pages>,
}

impl HandOver {
    /// Where the document would be in better hands, if anywhere.
    pub(crate) fn of(read: &Result<Document, Reject>) -> Option<Self> {
        let (branch, kind, pages) = match read {
            Ok(Document { kind, pages: Some(pages), .. }) if pages.has_scans => (NEEDS_OCR, *kind, Some(pages)),
            Err(Reject::PdfNoText { pages }) => (NEEDS_OCR, Kind::Pdf, Some(pages)),
            Err(Reject::PdfEncrypted) => (ENCRYPTED, Kind::Pdf, None),
            Err(Reject::OfficeEncrypted) => (ENCRYPTED, Kind::Office(Format::Docx), None),
            Ok(_) | Err(_) => return None,
        };
        Some(Self { branch, kind, pages: pages.cloned() })
    }

    /// The document as it came.
    pub(crate) fn output(&self, item: &Item) -> Output {
        described(Output::from(item), self.kind, self.pages.as_ref())
            .content_type(self.kind.media_type())
            .branch(self.branch)
    }
}

/// The output with attributes that say what the document is.
pub(crate) fn described(output: Output, kind: Kind, pages: Option<&Pages>) -> Output {
    let output = output.attribute("extract.source-type", kind.media_type());
    let Some(pages) = pages else { return output };
    let output = output.attribute("extract.pages", pages.count);
    let output = match pages.without_text.is_empty() {
        true => output,
        false => output.attribute("extract.pages-without-text", &pages.without_text),
    };
    if pages.glyphs_unmapped == 0 {
        return output;
    }
    let output =
        output.attribute("extract.glyphs", pages.glyphs).attribute("extract.glyphs-unmapped", pages.glyphs_unmapped);
    match pages.unmapped.is_empty() {
        true => output,
        false => output.attribute("extract.pages-unmapped", &pages.unmapped),
    }
}
