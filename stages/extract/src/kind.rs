//! Decides what kind of document an item is: by its media type, or by its content if that is not specific.

use crate::office::Format;
use crate::reject::Reject;

/// The kinds of document that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A PDF file.
    Pdf,
    /// A document of an office program.
    Office(Format),
    /// An HTML or XHTML page.
    Html,
    /// Markdown text.
    Markdown,
    /// Text without markup.
    Plain,
}

/// The accepted media types, as the descriptor lists them.
pub(crate) fn accepts() -> Vec<&'static str> {
    ACCEPTS.iter().copied().chain(Format::media_types()).collect()
}

/// The accepted media types of what is no office format.
const ACCEPTS: &[&str] = &[
    "application/pdf",
    "application/x-pdf",
    "text/html",
    "application/xhtml+xml",
    "text/markdown",
    "text/x-markdown",
    "text/plain",
    "application/msword",
    "application/octet-stream",
];

/// The first bytes of an OLE compound file: an encrypted Office package, or a binary file of an old Office version.
const OLE: &[u8] = &[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1];

/// How far into a file PDF readers look for its header.
const PDF_HEADER_WITHIN: usize = 1024;

impl Kind {
    /// The canonical media type.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Office(format) => format.media_type(),
            Self::Html => "text/html",
            Self::Markdown => "text/markdown",
            Self::Plain => "text/plain",
        }
    }

    /// Decides by `media_type` (bare, in lower case), or by content if it is absent or only says "bytes".
    ///
    /// # Errors
    /// The type, declared or detected, is not supported.
    pub(crate) fn decide(media_type: Option<&str>, payload: &[u8]) -> Result<Self, Reject> {
        match media_type {
            // Rich texts and new Word files are sent as files of the old Word, too.
            None | Some("application/octet-stream" | "application/msword") => Self::sniff(payload),
            Some("application/pdf" | "application/x-pdf") => Ok(Self::Pdf),
            Some("text/html" | "application/xhtml+xml") => Ok(Self::Html),
            Some("text/markdown" | "text/x-markdown") => Ok(Self::Markdown),
            Some("text/plain") => Ok(Self::Plain),
            Some(other) => match Format::of_media_type(other) {
                Some(format) => Ok(Self::Office(format)),
                None => Err(Reject::Unsupported(format!("the media type {other:?}"))),
            },
        }
    }

    /// Markdown cannot be distinguished from plain text by its bytes, so text without a media type is plain.
    fn sniff(payload: &[u8]) -> Result<Self, Reject> {
        if payload.is_empty() {
            return Err(Reject::Empty);
        }
        if contains(&payload[..payload.len().min(PDF_HEADER_WITHIN)], b"%PDF-") {
            return Ok(Self::Pdf);
        }
        if payload.starts_with(b"{\\rtf") {
            return Ok(Self::Office(Format::Rtf));
        }
        if payload.starts_with(b"PK\x03\x04") {
            return match Format::of_archive(payload) {
                Some(format) => Ok(Self::Office(format)),
                None => Err(Reject::Unsupported("a ZIP archive without a document".into())),
            };
        }
        if payload.starts_with(OLE) {
            return match is_encrypted_package(payload) {
                true => Err(Reject::OfficeEncrypted),
                false => Err(Reject::Unsupported("a binary file of an old Office version".into())),
            };
        }
        if looks_like_html(payload) {
            return Ok(Self::Html);
        }
        let utf16 = payload.starts_with(&[0xFF, 0xFE]) || payload.starts_with(&[0xFE, 0xFF]);
        match utf16 || !payload.contains(&0) {
            true => Ok(Self::Plain),
            false => Err(Reject::Unsupported("binary content of unknown format".into())),
        }
    }
}

/// Whether an OLE compound file holds an encrypted Office package: it then contains the name of that stream in UTF-16.
pub(crate) fn is_encrypted_package(payload: &[u8]) -> bool {
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    payload.starts_with(OLE) && contains(payload, &name)
}

fn looks_like_html(payload: &[u8]) -> bool {
    let text = payload.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(payload).trim_ascii_start();
    ["<!doctype html", "<html", "<head", "<body"]
        .iter()
        .any(|opening| text.get(..opening.len()).is_some_and(|start| start.eq_ignore_ascii_case(opening.as_bytes())))
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_decides_if_there_is_one() {
        assert_eq!(Kind::decide(Some("text/markdown"), b"%PDF-1.7"), Ok(Kind::Markdown));
        assert_eq!(Kind::decide(Some("application/x-pdf"), b""), Ok(Kind::Pdf));
        assert_eq!(Kind::decide(Some("image/png"), b"hello").unwrap_err().code(), "unsupported-type");
    }

    #[test]
    fn the_content_decides_if_the_media_type_is_not_specific() {
        let bytes = Some("application/octet-stream");
        assert_eq!(Kind::decide(bytes, b"\n%PDF-1.4\n"), Ok(Kind::Pdf));
        assert_eq!(Kind::decide(None, b"PK\x03\x04....word/document.xml"), Ok(Kind::Office(Format::Docx)));
        assert_eq!(Kind::decide(None, b"\xEF\xBB\xBF \n<!DOCTYPE HTML><p>"), Ok(Kind::Html));
        assert_eq!(Kind::decide(None, b"# Dear reader"), Ok(Kind::Plain));
        assert_eq!(Kind::decide(None, &[0xFF, 0xFE, b'h', 0]), Ok(Kind::Plain));
    }

    #[test]
    fn unknown_binary_content_is_unsupported() {
        for payload in [&b"\x89PNG\r\n\x1a\n\0\0"[..], b"PK\x03\x04....other/file.xml", OLE] {
            assert_eq!(Kind::decide(None, payload).unwrap_err().code(), "unsupported-type");
        }
        assert_eq!(Kind::decide(None, b""), Err(Reject::Empty));
    }

    #[test]
    fn an_encrypted_office_package_is_recognised() {
        let mut payload = OLE.to_vec();
        payload.extend("..EncryptedPackage..".encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(Kind::decide(None, &payload), Err(Reject::OfficeEncrypted));
    }
}
