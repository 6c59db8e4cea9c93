//! Decides what kind of document an item is: by its media type, or by its first bytes if that says nothing.

use std::borrow::Cow;

use crate::charset;
use crate::kind::{Kind, OLE, is_encrypted_package};
use crate::office::Format;
use crate::reject::Reject;

/// How far into a file PDF readers look for its header.
const PDF_HEADER_WITHIN: usize = 1024;
/// How much of a text is looked at.
const TEXT_WITHIN: usize = 8192;

/// Elements that a piece of a page may begin with.
const ELEMENTS: &[&str] = &[
    "a",
    "abbr",
    "address",
    "article",
    "aside",
    "b",
    "base",
    "blockquote",
    "body",
    "br",
    "center",
    "code",
    "dd",
    "del",
    "details",
    "div",
    "dl",
    "dt",
    "em",
    "fieldset",
    "figure",
    "font",
    "footer",
    "form",
    "frameset",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "i",
    "iframe",
    "img",
    "ins",
    "label",
    "li",
    "link",
    "main",
    "mark",
    "menu",
    "meta",
    "nav",
    "noscript",
    "ol",
    "p",
    "picture",
    "pre",
    "q",
    "s",
    "script",
    "section",
    "small",
    "span",
    "strong",
    "style",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "template",
    "th",
    "thead",
    "title",
    "tr",
    "tt",
    "u",
    "ul",
    "video",
];

/// The kind of a document: that of its `media_type` (bare, in lower case), or what its content looks like.
///
/// # Errors
/// The type, declared or detected, is not supported.
pub(crate) fn decide(media_type: Option<&str>, payload: &[u8]) -> Result<Kind, Reject> {
    let declared = match media_type {
        Some(media_type) => Kind::of_media_type(media_type)?,
        None => None,
    };
    match declared {
        Some(Kind::Xml) if is_xhtml(payload) => Ok(Kind::Xhtml),
        Some(kind) => Ok(kind),
        None => kind(payload),
    }
}

/// The kind of a document. Markdown cannot be distinguished from plain text by its bytes, so it is plain.
///
/// # Errors
/// It is empty, or of no kind that can be read.
fn kind(payload: &[u8]) -> Result<Kind, Reject> {
    if payload.is_empty() {
        return Err(Reject::Empty);
    }
    if contains(&payload[..payload.len().min(PDF_HEADER_WITHIN)], b"%PDF-") {
        return Ok(Kind::Pdf);
    }
    if payload.starts_with(b"{\\rtf") {
        return Ok(Kind::Office(Format::Rtf));
    }
    if payload.starts_with(b"PK\x03\x04") {
        return match Format::of_archive(payload) {
            Some(format) => Ok(Kind::Office(format)),
            None => Err(Reject::Unsupported("a ZIP archive without a document".into())),
        };
    }
    if payload.starts_with(OLE) {
        return match is_encrypted_package(payload) {
            true => Err(Reject::OfficeEncrypted),
            false => Err(Reject::Unsupported("a binary file of an old Office version".into())),
        };
    }
    let start = start_of_text(payload);
    match kind_of_text(&start) {
        Some(kind) => Ok(kind),
        None if start.contains('\0') || (is_bytes(payload) && payload.contains(&0)) => {
            Err(Reject::Unsupported("binary content of unknown format".into()))
        }
        None => Ok(Kind::Plain),
    }
}

/// Whether XML is a page: its root is `<html>`.
fn is_xhtml(payload: &[u8]) -> bool {
    kind_of_text(&start_of_text(payload)).is_some_and(|kind| matches!(kind, Kind::Xhtml | Kind::Html))
}

/// The start of a payload as text, if it is text.
fn start_of_text(payload: &[u8]) -> Cow<'_, str> {
    let start = &payload[..payload.len().min(TEXT_WITHIN)];
    match is_bytes(payload) {
        true => String::from_utf8_lossy(start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start)),
        false => charset::page(start, None),
    }
}

/// Whether characters of ASCII are one byte.
fn is_bytes(payload: &[u8]) -> bool {
    let is_utf16 = payload.starts_with(&[0xFF, 0xFE]) || payload.starts_with(&[0xFE, 0xFF]);
    !is_utf16 && charset::utf16_without_mark(payload).is_none()
}

fn kind_of_text(text: &str) -> Option<Kind> {
    let text = text.trim_start();
    if text.starts_with('<') {
        return kind_of_markup(text);
    }
    if is_mail(text) {
        return Some(Kind::Mail);
    }
    let end = text.trim_end();
    let is_json =
        ["{\"", "{ \"", "{\n", "{\r\n", "[{", "[\"", "[\n", "{}", "[]"].iter().any(|start| text.starts_with(start));
    (is_json && (text.len() >= TEXT_WITHIN / 2 || end.ends_with(['}', ']']))).then_some(Kind::Json)
}

fn kind_of_markup(text: &str) -> Option<Kind> {
    let is_xml = text.starts_with("<?xml");
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("<!--") {
            match comment.split_once("-->") {
                Some((_, after)) => rest = after,
                None => return None,
            }
        } else if rest.starts_with("<?") {
            rest = rest.split_once("?>")?.1;
        } else if starts_with(rest, "<!doctype") {
            if starts_with(rest["<!doctype".len()..].trim_start(), "html") {
                return Some(if is_xml { Kind::Xhtml } else { Kind::Html });
            }
            // A document type may declare entities in brackets.
            let (head, after) = rest.split_once('>')?;
            rest = match head.contains('[') {
                true => rest.split_once("]>").or_else(|| rest.split_once("] >"))?.1,
                false => after,
            };
        } else {
            break;
        }
    }
    let tag = rest.strip_prefix('<')?;
    let length =
        tag.find(|letter: char| letter.is_ascii_whitespace() || matches!(letter, '>' | '/')).unwrap_or(tag.len());
    let name = tag[..length].to_ascii_lowercase();
    let is_name = name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
    match name.as_str() {
        "html" if is_xml => Some(Kind::Xhtml),
        _ if is_xml => Some(Kind::Xml),
        _ if ELEMENTS.contains(&name.as_str()) => Some(Kind::Html),
        // Without a declaration it is XML if it says so, or if its root element ends.
        _ if is_name && length < tag.len() && (tag.contains(" xmlns") || tag.contains("</")) => Some(Kind::Xml),
        _ => None,
    }
}

/// Whether text begins with the header of a mail: several of its fields, and one that only mail programs write.
fn is_mail(text: &str) -> bool {
    const FIELDS: &[&str] = &["from", "to", "subject", "date", "cc", "reply-to", "return-path", "delivered-to"];
    const TECHNICAL: &[&str] =
        &["message-id", "mime-version", "received", "content-type", "dkim-signature", "x-mailer"];
    let (mut fields, mut technical) = (0, 0);
    // Mailboxes put a line before each mail.
    let envelope = usize::from(text.starts_with("From "));
    for line in text.lines().skip(envelope).take_while(|line| !line.is_empty()) {
        if line.starts_with([' ', '\t']) {
            continue;
        }
        let Some((name, _)) = line.split_once(':') else { return false };
        let name = name.to_ascii_lowercase();
        fields += usize::from(FIELDS.contains(&name.as_str()));
        technical += usize::from(TECHNICAL.contains(&name.as_str()));
        if name.is_empty() || name.contains(' ') {
            return false;
        }
    }
    fields >= 2 && technical >= 1
}

fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start))
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_decides_if_there_is_one() {
        assert_eq!(decide(Some("text/markdown"), b"%PDF-1.7"), Ok(Kind::Markdown));
        assert_eq!(decide(Some("application/x-pdf"), b""), Ok(Kind::Pdf));
        assert_eq!(
            decide(Some("application/vnd.ms-word.document.macroenabled.12"), b""),
            Ok(Kind::Office(Format::Docx))
        );
        assert_eq!(decide(Some("image/png"), b"hello").unwrap_err().code(), "unsupported-type");
    }

    #[test]
    fn the_content_decides_if_the_media_type_is_not_specific() {
        for bytes in [None, Some("application/octet-stream"), Some("binary/octet-stream"), Some("application/zip")] {
            assert_eq!(decide(bytes, b"\n%PDF-1.4\n"), Ok(Kind::Pdf));
        }
    }

    #[test]
    fn a_page_that_is_sent_as_xml_is_a_page() {
        assert_eq!(decide(Some("text/xml"), b"<?xml version='1.0'?><!DOCTYPE html><html/>"), Ok(Kind::Xhtml));
        assert_eq!(decide(Some("text/xml"), b"<order/>"), Ok(Kind::Xml));
    }

    #[test]
    fn documents_are_known_by_their_first_bytes() {
        assert_eq!(kind(b"PK\x03\x04....word/document.xml"), Ok(Kind::Office(Format::Docx)));
        assert_eq!(kind(b"\xEF\xBB\xBF \n<!DOCTYPE HTML><p>"), Ok(Kind::Html));
        assert_eq!(kind(b"# Dear reader"), Ok(Kind::Plain));
        assert_eq!(kind(&[0xFF, 0xFE, b'h', 0]), Ok(Kind::Plain));
    }

    #[test]
    fn pages_are_known_by_any_start() {
        for page in ["<div class=\"x\">a</div>", "<!-- saved --><p>", "<BR/>", "<b>x</b> y", "<title>T</title>"] {
            assert_eq!(kind(page.as_bytes()), Ok(Kind::Html), "{page}");
        }
        let utf16: Vec<u8> = "<html><p>x".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(kind(&utf16), Ok(Kind::Html));
        let xhtml = b"<?xml version=\"1.0\"?>\n<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.1//EN\" \"x\">\n<html>";
        assert_eq!((kind(xhtml), kind(b"<?xml version='1.0'?><html>")), (Ok(Kind::Xhtml), Ok(Kind::Xhtml)));
    }

    #[test]
    fn xml_json_and_mails_are_known() {
        assert_eq!(kind(b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x \"y\">]><a>"), Ok(Kind::Xml));
        assert_eq!(kind(b"<order xmlns=\"u:x\"/>"), Ok(Kind::Xml));
        assert_eq!(kind(b"{\"a\": 1}\n"), Ok(Kind::Json));
        assert_eq!(kind(b"From: a@b.example\nTo: c@d.example\nMIME-Version: 1.0\n\nhi"), Ok(Kind::Mail));
        assert_eq!(
            kind(b"From a Mon Jun 2\nFrom: a@b.example\nTo: c@d.example\nMIME-Version: 1.0\n\nhi"),
            Ok(Kind::Mail)
        );
    }

    #[test]
    fn text_with_signs_of_others_is_text() {
        for text in ["<3 you all", "<Ann> hello\n<Bob> hi", "From: me\nTo: you\n\nhi", "[note] x", "{x}", "Dear: <p>"] {
            assert_eq!(kind(text.as_bytes()), Ok(Kind::Plain), "{text}");
        }
    }

    #[test]
    fn unknown_binary_content_is_unsupported() {
        for payload in [&b"\x89PNG\r\n\x1a\n\0\0"[..], b"PK\x03\x04....other/file.xml", OLE] {
            assert_eq!(kind(payload).unwrap_err().code(), "unsupported-type");
        }
        assert_eq!(kind(b""), Err(Reject::Empty));
    }

    #[test]
    fn an_encrypted_office_package_is_recognised() {
        let mut payload = OLE.to_vec();
        payload.extend("..EncryptedPackage..".encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(kind(&payload), Err(Reject::OfficeEncrypted));
    }
}
