//! The kinds of document that can be read, and their media types.

use crate::office::Format;
use crate::reject::Reject;

/// The kinds of document that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A PDF file.
    Pdf,
    /// A document of an office program.
    Office(Format),
    /// An HTML page.
    Html,
    /// An XHTML page.
    Xhtml,
    /// Markdown text.
    Markdown,
    /// Comma-separated values.
    Csv,
    /// JSON.
    Json,
    /// XML that is not XHTML.
    Xml,
    /// A mail.
    Mail,
    /// Text without markup.
    Plain,
}

/// The kinds and their media types, in lower case; the first of each kind is its canonical one. Office formats have a list of
/// their own.
const TYPES: &[(Kind, &[&str])] = &[
    (Kind::Pdf, &["application/pdf", "application/x-pdf", "application/acrobat", "text/pdf"]),
    (Kind::Html, &["text/html", "text/x-html"]),
    (Kind::Xhtml, &["application/xhtml+xml"]),
    (Kind::Markdown, &["text/markdown", "text/x-markdown", "application/markdown"]),
    (
        Kind::Csv,
        &["text/csv", "application/csv", "text/x-csv", "text/comma-separated-values", "text/tab-separated-values"],
    ),
    (
        Kind::Json,
        &[
            "application/json",
            "text/json",
            "text/x-json",
            "application/ld+json",
            "application/x-ndjson",
            "application/jsonl",
        ],
    ),
    (Kind::Xml, &["application/xml", "text/xml", "application/rss+xml", "application/atom+xml", "application/rdf+xml"]),
    (Kind::Mail, &["message/rfc822", "multipart/related"]),
    (Kind::Plain, &["text/plain", "application/yaml", "application/x-yaml", "application/toml", "application/x-tex"]),
];

/// Media types that say nothing of the content, or too little.
const UNSPECIFIC: &[&str] = &[
    "application/octet-stream",
    "application/x-octet-stream",
    "binary/octet-stream",
    "application/binary",
    "application/force-download",
    "application/x-download",
    "application/unknown",
    "application/x-unknown",
    "application/zip",
    "application/x-zip-compressed",
    "application/msword",
];

/// The start of the media types of text that has no kind of its own, such as programs.
const TEXT: &str = "text/";

/// The accepted media types, as the descriptor lists them.
pub(crate) fn accepts() -> Vec<&'static str> {
    let known = TYPES.iter().flat_map(|(_, types)| types.iter());
    known.chain(UNSPECIFIC).copied().chain(Format::media_types()).chain(["text/*"]).collect()
}

impl Kind {
    /// The canonical media type.
    pub(crate) fn media_type(self) -> &'static str {
        if let Self::Office(format) = self {
            return format.media_type();
        }
        let types = TYPES.iter().find(|(kind, _)| *kind == self).map(|(_, types)| *types);
        types.and_then(|types| types.first()).copied().unwrap_or("application/octet-stream")
    }

    /// The kind that a media type (bare, in lower case) names; nothing if it does not say what the content is.
    ///
    /// # Errors
    /// The type is not supported.
    pub(crate) fn of_media_type(media_type: &str) -> Result<Option<Self>, Reject> {
        if UNSPECIFIC.contains(&media_type) {
            return Ok(None);
        }
        if let Some(format) = Format::of_media_type(media_type) {
            return Ok(Some(Self::Office(format)));
        }
        match TYPES.iter().find(|(_, types)| types.contains(&media_type)) {
            Some((kind, _)) => Ok(Some(*kind)),
            None if media_type.starts_with(TEXT) => Ok(Some(Self::Plain)),
            None => Err(Reject::Unsupported(format!("the media type {media_type:?}"))),
        }
    }
}

/// The first bytes of an OLE compound file: an encrypted Office package, or a binary file of an old Office version.
pub(crate) const OLE: &[u8] = &[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1];

/// Whether an OLE compound file holds an encrypted Office package: it then contains the name of that stream in UTF-16.
pub(crate) fn is_encrypted_package(payload: &[u8]) -> bool {
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    payload.starts_with(OLE) && payload.windows(name.len()).any(|window| window == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_in_lower_case_and_belong_to_one_kind() {
        let mut types = accepts();
        assert!(types.iter().all(|media_type| !media_type.contains(char::is_uppercase)));
        let all = types.len();
        types.sort_unstable();
        types.dedup();
        assert_eq!(types.len(), all);
    }
}
