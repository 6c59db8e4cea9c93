//! Helpers for the XML reader. Elements and attributes are identified by local name: prefixes are only a convention.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::reject::Reject;

/// A reader that reports `<a/>` as a start and an end.
pub(super) fn reader(xml: &str) -> Reader<&[u8]> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().expand_empty_elements = true;
    reader
}

/// The next event; a fault in the XML is a fault of the file.
///
/// # Errors
/// The XML is not well-formed.
pub(super) fn next<'x>(reader: &mut Reader<&'x [u8]>) -> Result<Event<'x>, Reject> {
    reader.read_event().map_err(|error| Reject::DocxBroken(error.to_string()))
}

/// The attribute with this local name.
pub(super) fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    tag.attributes()
        .flatten()
        .find(|attribute| attribute.key.local_name().as_ref() == name)
        .map(|attribute| attribute.value.into_owned())
}

/// The numeric attribute with this local name.
pub(super) fn number(tag: &BytesStart<'_>, name: &str) -> Option<u32> {
    attribute(tag, name)?.trim().parse().ok()
}

/// The text of a reference such as `&amp;` or `&#8364;`; entities of a DTD are never expanded.
pub(super) fn resolve(reference: &BytesRef<'_>) -> String {
    if let Ok(Some(letter)) = reference.resolve_char_ref() {
        return letter.to_string();
    }
    let name = reference.xml10_content();
    match quick_xml::escape::resolve_xml_entity(&name) {
        Some(text) => text.to_owned(),
        None => format!("&{name};"),
    }
}

/// The text of the first element with this local name, if it has any.
///
/// # Errors
/// The XML is not well-formed.
pub(super) fn text_of(xml: &str, name: &str) -> Result<Option<String>, Reject> {
    let mut reader = reader(xml);
    let mut inside = false;
    let mut text = String::new();
    loop {
        match next(&mut reader)? {
            Event::Start(tag) if tag.local_name().as_ref() == name => inside = true,
            Event::End(tag) if tag.local_name().as_ref() == name => break,
            Event::Text(words) if inside => text.push_str(&words.xml10_content()),
            Event::GeneralRef(reference) if inside => text.push_str(&resolve(&reference)),
            Event::Eof => break,
            _ => {}
        }
    }
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_and_those_of_a_dtd_are_not() {
        let xml = "<!DOCTYPE t [<!ENTITY lol \"lollol\">]><t><dc:title>A &amp; B &#8364; &lol;</dc:title></t>";
        assert_eq!(text_of(xml, "title").unwrap().as_deref(), Some("A & B € &lol;"));
    }

    #[test]
    fn malformed_xml_is_a_broken_file() {
        assert_eq!(text_of("<a><b></a>", "title").unwrap_err().code(), "docx-broken");
    }
}
