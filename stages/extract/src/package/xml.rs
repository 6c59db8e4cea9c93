//! The XML of a part. Elements and attributes are identified by local name: prefixes are only a convention.

use quick_xml::Reader;
use quick_xml::encoding::DecodingReader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::part::{self, Part};
use crate::reject::Reject;

/// Deeper XML is hostile.
const DEEPEST: usize = 4096;

/// A tag or a text may be this much longer than the limit on text.
const TAG_SLACK: usize = 256 * 1024;

/// The XML of a part, read event by event; `<a/>` is reported as a start and an end.
pub(crate) struct Xml<'a> {
    reader: Reader<DecodingReader<Part<'a>>>,
    buffer: Vec<u8>,
    depth: usize,
    limit: usize,
}

impl<'a> Xml<'a> {
    pub(super) fn new(part: Part<'a>, limit: usize) -> Self {
        let mut reader = Reader::from_reader(DecodingReader::new(part));
        reader.config_mut().expand_empty_elements = true;
        // The end of the part is checked here, and a lone "&" is how some producers write the letter.
        reader.config_mut().allow_dangling_amp = true;
        Self { reader, buffer: Vec::new(), depth: 0, limit }
    }

    /// The next event; `None` at the end of the part.
    ///
    /// # Errors
    /// The XML is not well-formed, ends early, or unpacks to too much.
    pub(crate) fn next(&mut self) -> Result<Option<Event<'_>>, Reject> {
        self.reader.get_mut().get_mut().begin(self.limit.saturating_add(TAG_SLACK));
        self.buffer.clear();
        let event = match self.reader.read_event_into(&mut self.buffer) {
            Ok(event) => event,
            Err(quick_xml::Error::Io(error)) => return Err(part::reject(&error, self.limit)),
            Err(error) => return Err(Reject::OfficeBroken(error.to_string())),
        };
        match event {
            Event::Start(_) => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(Reject::OfficeBroken("its XML is nested too deep".into()));
                }
            }
            Event::End(_) => self.depth = self.depth.saturating_sub(1),
            Event::Eof if self.depth > 0 => return Err(Reject::OfficeBroken("its XML ends early".into())),
            Event::Eof => return Ok(None),
            _ => {}
        }
        Ok(Some(event))
    }
}

/// The attribute with this local name.
pub(crate) fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    // The check for doubled attributes takes quadratic time.
    let found =
        tag.attributes().with_checks(false).flatten().find(|attribute| attribute.key.local_name().as_ref() == name)?;
    match quick_xml::escape::unescape(&found.value) {
        Ok(value) => Some(value.into_owned()),
        Err(_) => Some(found.value.into_owned()),
    }
}

/// The numeric attribute with this local name.
pub(crate) fn number(tag: &BytesStart<'_>, name: &str) -> Option<u32> {
    attribute(tag, name)?.trim().parse().ok()
}

/// Whether a property is switched on: it is unless its value says otherwise.
pub(crate) fn is_on(tag: &BytesStart<'_>) -> bool {
    !matches!(attribute(tag, "val").as_deref(), Some("0" | "false" | "off" | "none"))
}

/// The text of a reference such as `&amp;` or `&#8364;`; entities of a DTD are never expanded.
pub(crate) fn reference(reference: &BytesRef<'_>) -> String {
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
pub(crate) fn text_of(mut xml: Xml<'_>, name: &str) -> Result<Option<String>, Reject> {
    let mut inside = false;
    let mut text = String::new();
    while let Some(event) = xml.next()? {
        match event {
            Event::Start(tag) if tag.local_name().as_ref() == name => inside = true,
            Event::End(tag) if tag.local_name().as_ref() == name => break,
            Event::Text(words) if inside => text.push_str(&words.xml10_content()),
            Event::CData(words) if inside => text.push_str(&words.xml10_content()),
            Event::GeneralRef(entity) if inside => text.push_str(&reference(&entity)),
            _ => {}
        }
    }
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok((!text.is_empty()).then_some(text))
}

/// XML as if it were a part.
#[cfg(test)]
pub(crate) fn sample(text: &str) -> Xml<'_> {
    Xml::new(Part::stored(text.as_bytes(), std::rc::Rc::new(std::cell::Cell::new(usize::MAX))), 1_000_000)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::sample as xml;
    use super::*;

    #[test]
    fn references_are_resolved_and_those_of_a_dtd_are_not() {
        let text = "<!DOCTYPE t [<!ENTITY lol \"lollol\">]><t><dc:title>A &amp; B &#8364; &lol;</dc:title></t>";
        assert_eq!(text_of(xml(text), "title").unwrap().as_deref(), Some("A & B € &lol;"));
    }

    #[test]
    fn malformed_truncated_and_endless_xml_is_a_broken_file() {
        let deep = "<a>".repeat(10_000);
        for text in ["<a><b></a>", "<a><b>", deep.as_str()] {
            assert_eq!(text_of(xml(text), "title").unwrap_err().code(), "office-broken");
        }
    }

    #[test]
    fn a_text_beyond_the_limit_is_too_large_before_it_is_in_memory() {
        let text = format!("<a>{}</a>", "x".repeat(2_000_000));
        assert_eq!(text_of(xml(&text), "a"), Err(Reject::TooLarge(1_000_000)));
    }

    #[test]
    fn attributes_are_unescaped_and_xml_in_16_bits_is_read() {
        let bytes: Vec<u8> = "\u{FEFF}<a v='x &amp; y'>é</a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut xml = Xml::new(Part::stored(&bytes, Rc::new(Cell::new(9999))), 100);
        let Some(Event::Start(tag)) = xml.next().unwrap() else { panic!() };
        assert_eq!(attribute(&tag, "v").as_deref(), Some("x & y"));
        let Some(Event::Text(text)) = xml.next().unwrap() else { panic!() };
        assert_eq!(text.xml10_content(), "é");
    }
}
