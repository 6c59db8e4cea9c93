//! Why a document is rejected: one case for each stable code.

use gristmill_sdk::Outcome;

use crate::pages::Pages;

/// Why a document cannot be read; no retry will help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reject {
    /// The PDF needs a non-empty password or uses an unknown cipher.
    PdfEncrypted,
    /// The PDF has pages but no text on them: a scan.
    PdfNoText {
        /// The pages of the PDF.
        pages: Pages,
    },
    /// The structure of the PDF cannot be followed.
    PdfBroken,
    /// The office document is encrypted.
    OfficeEncrypted,
    /// The office document is damaged; says where.
    OfficeBroken(String),
    /// The text cannot be decoded; names the charset that was tried.
    NotUtf8(String),
    /// The document has only white space.
    Empty,
    /// Neither the media type nor the content is supported; names it.
    Unsupported(String),
    /// The document unpacks to more than this limit, in bytes.
    TooLarge(usize),
}

impl Reject {
    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::PdfEncrypted => "pdf-encrypted",
            Self::PdfNoText { .. } => "pdf-no-text",
            Self::PdfBroken => "pdf-broken",
            Self::OfficeEncrypted => "office-encrypted",
            Self::OfficeBroken(_) => "office-broken",
            Self::NotUtf8(_) => "not-utf8",
            Self::Empty => "empty-document",
            Self::Unsupported(_) => "unsupported-type",
            Self::TooLarge(_) => "too-large",
        }
    }

    /// The message: the thing, the reason and how to fix it.
    pub(crate) fn message(&self) -> String {
        match self {
            Self::PdfEncrypted => {
                "the PDF cannot be decrypted with the empty password: remove its encryption before sending it".into()
            }
            Self::PdfNoText { pages } => {
                format!(
                    "none of the {} pages of the PDF has a text layer: run OCR over the scan before sending it",
                    pages.count
                )
            }
            Self::PdfBroken => "the PDF is too damaged to find its pages: repair it, or send the original again".into(),
            Self::OfficeEncrypted => {
                "the document is an encrypted package: remove its password before sending it".into()
            }
            Self::OfficeBroken(what) => {
                format!("the document is damaged ({what}): save it again and send the new file")
            }
            Self::NotUtf8(charset) => {
                format!(
                    "the text is not {charset}, and no other charset that makes sense: send UTF-8, or name the charset in the content type"
                )
            }
            Self::Empty => "the document has no text: check what the producer sends".into(),
            Self::Unsupported(what) => {
                format!("extract does not read {what}: send PDF, an office document, HTML, a mail or text")
            }
            Self::TooLarge(limit) => {
                format!("the document unpacks to more than {limit} bytes: raise `max_text_bytes` or split the document")
            }
        }
    }
}

impl From<Reject> for Outcome {
    fn from(reject: Reject) -> Self {
        Outcome::reject(reject.code(), reject.message())
    }
}
