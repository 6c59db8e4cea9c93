//! XML of any kind to text: one line for each element with text of its own.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::content::Content;
use crate::document::Document;
use crate::html::{self, Form};
use crate::kind::Kind;

/// Attributes that say nothing to readers.
const TECHNICAL: &[&str] = &["class", "id", "lang", "role", "schemaLocation", "space", "style", "version"];

/// Reads XML; what is malformed is kept as it is.
pub(crate) fn read(xml: &str, limit: usize) -> Document {
    let text = text(xml, limit).unwrap_or_else(|| xml.trim().to_owned());
    Document { text, title: None, pages: None, kind: Kind::Xml }
}

/// What comes before the next text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    /// Nothing: it is in the same element.
    Same,
    /// The start of an element.
    Start,
    /// The end of an element: text that follows it is mixed with elements, all in one line.
    End,
}

#[derive(Debug)]
struct Lines {
    text: String,
    line: String,
    joint: Joint,
    /// For each open element, whether it has text beside elements.
    mixed: Vec<bool>,
    /// Most bytes of a piece of HTML.
    limit: usize,
}

fn text(xml: &str, limit: usize) -> Option<String> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_unmatched_ends = true;
    let mut lines = Lines { text: String::new(), line: String::new(), joint: Joint::Same, mixed: vec![false], limit };
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                lines.start(&tag);
                lines.mixed.push(false);
            }
            Event::Empty(tag) => {
                lines.start(&tag);
                lines.end();
            }
            Event::End(_) => {
                if lines.mixed.len() > 1 {
                    lines.mixed.pop();
                }
                lines.end();
            }
            Event::Text(words) => lines.add(&words.xml10_content()),
            Event::CData(words) => lines.add(&words.xml10_content()),
            Event::GeneralRef(reference) => lines.add(&resolve(&reference)),
            Event::Eof => break,
            _ => {}
        }
    }
    lines.finish_line();
    Some(lines.text)
}

impl Lines {
    fn start(&mut self, tag: &BytesStart) {
        if self.joint == Joint::Same
            && !self.line.is_empty()
            && let Some(mixed) = self.mixed.last_mut()
        {
            *mixed = true;
        }
        if self.mixed.last().is_some_and(|mixed| *mixed) {
            return;
        }
        self.joint = Joint::Start;
        // Looking for attributes that come twice would take quadratic time.
        for attribute in tag.attributes().with_checks(false).flatten() {
            let name = attribute.key.local_name();
            let name = name.as_ref();
            let is_technical = attribute.key.as_ref().starts_with("xmlns") || TECHNICAL.contains(&name);
            let value = attribute.value.trim();
            if !is_technical && !value.is_empty() {
                self.finish_line();
                self.line = format!("{name}: {}", unescaped(value));
                self.finish_line();
            }
        }
    }

    fn end(&mut self) {
        if self.mixed.last().is_some_and(|mixed| *mixed) {
            return;
        }
        self.joint = match self.joint {
            Joint::Same => Joint::End,
            Joint::Start | Joint::End => Joint::Start,
        };
    }

    fn add(&mut self, text: &str) {
        if text.trim().is_empty() {
            if self.joint != Joint::Start && !self.line.is_empty() && !self.line.ends_with(' ') && !text.is_empty() {
                self.line.push(' ');
            }
            return;
        }
        match self.joint {
            Joint::Same => {}
            Joint::Start => self.finish_line(),
            Joint::End => {
                if let Some(mixed) = self.mixed.last_mut() {
                    *mixed = true;
                }
            }
        }
        self.joint = Joint::Same;
        if text.starts_with(char::is_whitespace) && !self.line.is_empty() && !self.line.ends_with(' ') {
            self.line.push(' ');
        }
        for (index, word) in text.split_whitespace().enumerate() {
            if index > 0 {
                self.line.push(' ');
            }
            self.line.push_str(word);
        }
        if text.ends_with(char::is_whitespace) {
            self.line.push(' ');
        }
    }

    fn finish_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = line.trim();
        if !line.is_empty() {
            if !self.text.is_empty() {
                self.text.push('\n');
            }
            match self.page(line) {
                Some(page) => self.text.push_str(&page),
                None => self.text.push_str(line),
            }
        }
    }

    /// The text of a line that is HTML, as in feeds.
    fn page(&self, line: &str) -> Option<String> {
        let is_html = line.starts_with('<') && line.ends_with('>') && line.contains("</");
        if !is_html {
            return None;
        }
        html::read(line, Form::Html, Content::All, self.limit).ok().map(|page| page.text)
    }
}

/// Entities of a DTD are never expanded.
fn resolve(reference: &BytesRef) -> String {
    if let Ok(Some(letter)) = reference.resolve_char_ref() {
        return letter.to_string();
    }
    let name = reference.xml10_content();
    resolve_xml_entity(&name).map_or_else(|| format!("&{name};"), str::to_owned)
}

fn unescaped(value: &str) -> String {
    quick_xml::escape::unescape(value).map_or_else(|_| value.to_owned(), |value| value.into_owned())
}

#[cfg(test)]
mod tests {
    fn text(xml: &str) -> String {
        super::read(xml, 10_000).text
    }

    #[test]
    fn each_element_is_a_line_and_mixed_text_stays_together() {
        let xml = "<?xml version='1.0'?><order xmlns='u:o' id='7'><name>Ann</name><zip>1100</zip>\
                   <note>Call <b>before</b> noon &amp; <i>ring</i>.</note><item price='5' sku='A&amp;B'/></order>";
        assert_eq!(text(xml), "Ann\n1100\nCall before noon & ring.\nprice: 5\nsku: A&B");
    }

    #[test]
    fn character_data_is_text_and_entities_of_a_dtd_are_not_expanded() {
        let xml = "<!DOCTYPE a [<!ENTITY x \"xxx\">]><a><b><![CDATA[1 < 2]]></b><c>&x; &#8364;</c></a>";
        assert_eq!(text(xml), "1 < 2\n&x; €");
    }

    #[test]
    fn pieces_of_html_are_read_as_such() {
        let xml =
            "<item><title>One</title><description>&lt;p&gt;Hello &lt;b&gt;you&lt;/b&gt;&lt;/p&gt;</description></item>";
        assert_eq!(text(xml), "One\nHello you");
    }

    #[test]
    fn broken_xml_is_kept() {
        assert_eq!(text("<a>x<"), "<a>x<");
        assert_eq!(text("<a>x</b>y"), "xy");
    }
}
