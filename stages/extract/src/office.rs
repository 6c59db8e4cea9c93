//! The formats of office programs: which of them a document is, and the reader of each.

use crate::document::Document;
use crate::reject::Reject;
use crate::{docx, epub, odt, pptx, rtf, xlsx};

/// A format of office programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A Word file (Office Open XML), with or without macros, or a template.
    Docx,
    /// A spreadsheet (Office Open XML), with or without macros, or a template.
    Xlsx,
    /// A presentation (Office Open XML), with or without macros, a template or a show.
    Pptx,
    /// A book.
    Epub,
    /// An open document: a text, a spreadsheet or a presentation.
    Odt,
    /// A rich text.
    Rtf,
}

/// The accepted media types of each format; the first is the canonical one.
const TYPES: &[(Format, &[&str])] = &[
    (
        Format::Docx,
        &[
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.template",
            "application/vnd.ms-word.document.macroenabled.12",
            "application/vnd.ms-word.template.macroenabled.12",
        ],
    ),
    (
        Format::Xlsx,
        &[
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.template",
            "application/vnd.ms-excel.sheet.macroenabled.12",
            "application/vnd.ms-excel.template.macroenabled.12",
        ],
    ),
    (
        Format::Pptx,
        &[
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            "application/vnd.openxmlformats-officedocument.presentationml.template",
            "application/vnd.openxmlformats-officedocument.presentationml.slideshow",
            "application/vnd.ms-powerpoint.presentation.macroenabled.12",
            "application/vnd.ms-powerpoint.template.macroenabled.12",
            "application/vnd.ms-powerpoint.slideshow.macroenabled.12",
        ],
    ),
    (Format::Epub, &["application/epub+zip"]),
    (
        Format::Odt,
        &[
            "application/vnd.oasis.opendocument.text",
            "application/vnd.oasis.opendocument.text-template",
            "application/vnd.oasis.opendocument.spreadsheet",
            "application/vnd.oasis.opendocument.presentation",
        ],
    ),
    (Format::Rtf, &["application/rtf", "text/rtf", "application/x-rtf", "text/richtext"]),
];

impl Format {
    /// The canonical media type.
    pub(crate) fn media_type(self) -> &'static str {
        let types = TYPES.iter().find(|(format, _)| *format == self).and_then(|(_, types)| types.first());
        types.copied().unwrap_or("application/octet-stream")
    }

    /// All accepted media types.
    pub(crate) fn media_types() -> impl Iterator<Item = &'static str> {
        TYPES.iter().flat_map(|(_, types)| types.iter().copied())
    }

    /// The format of a media type (bare, in lower case).
    pub(crate) fn of_media_type(media_type: &str) -> Option<Self> {
        TYPES.iter().find(|(_, types)| types.contains(&media_type)).map(|(format, _)| *format)
    }

    /// The format of a ZIP archive, by the names of its files.
    pub(crate) fn of_archive(payload: &[u8]) -> Option<Self> {
        let holds = |name: &[u8]| payload.windows(name.len()).any(|window| window == name);
        if holds(b"word/") || holds(b"word\\") {
            return Some(Self::Docx);
        }
        if holds(b"xl/workbook") || holds(b"xl\\workbook") {
            return Some(Self::Xlsx);
        }
        if holds(b"ppt/presentation") || holds(b"ppt\\presentation") {
            return Some(Self::Pptx);
        }
        if holds(b"application/vnd.oasis.opendocument.") {
            return Some(Self::Odt);
        }
        if holds(b"META-INF/container.xml") {
            return Some(Self::Epub);
        }
        None
    }

    /// Reads a document of this format; `limit` bounds the resulting text in bytes.
    ///
    /// # Errors
    /// The document is damaged or encrypted, or unpacks to too much.
    pub(crate) fn read(self, payload: &[u8], limit: usize) -> Result<Document, Reject> {
        match self {
            Self::Docx => docx::read(payload, limit),
            Self::Xlsx => xlsx::read(payload, limit),
            Self::Pptx => pptx::read(payload, limit),
            Self::Epub => epub::read(payload, limit),
            Self::Odt => odt::read(payload, limit),
            Self::Rtf => rtf::read(payload, limit),
        }
    }
}
