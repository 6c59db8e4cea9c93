//! The page as it was written: what is ahead of a tag.

use std::borrow::Cow;

use super::tag::Tag;

/// How far a tag looks ahead, in bytes: a bound, because a page may consist of such tags.
const AHEAD: usize = 2048;

/// The elements whose content is not markup.
pub(super) const RAW: [&[u8]; 7] = [b"iframe", b"noembed", b"script", b"style", b"textarea", b"title", b"xmp"];

/// A page.
#[derive(Debug)]
pub(super) struct Source<'a> {
    page: &'a [u8],
    /// Where the last end tag of each of [`RAW`] begins.
    last_ends: [Option<usize>; RAW.len()],
    has_tex: bool,
}

impl<'a> Source<'a> {
    /// Looks for the last end tags.
    pub(super) fn new(text: &'a str) -> Self {
        let page = text.as_bytes();
        let mut last_ends = [None; RAW.len()];
        for (start, _) in page.iter().enumerate().filter(|(_, byte)| **byte == b'<') {
            let Some(tag) = page.get(start + 1..).and_then(|rest| rest.strip_prefix(b"/")) else { continue };
            for (name, last) in RAW.iter().zip(&mut last_ends) {
                if starts_with(tag, name) {
                    *last = Some(start);
                }
            }
        }
        let has_tex = text.contains("math/tex");
        Self { page, last_ends, has_tex }
    }

    /// Whether formulas are there in TeX, beside what a library made of them.
    pub(super) fn has_tex(&self) -> bool {
        self.has_tex
    }

    /// Whether an element whose content is not markup is read as empty: without an end tag it would contain the rest
    /// of the page. The exception is a program in the page, which must not be read as text.
    pub(super) fn is_read_as_empty(&self, tag: Tag) -> bool {
        let name = tag.name();
        let has_end = self.ends_after(name, tag.position());
        match name {
            _ if tag.is_self_closing() => !has_end || self.is_meant_empty(tag),
            b"script" => !has_end && tag.has("src"),
            b"style" | b"title" => false,
            _ => !has_end,
        }
    }

    /// Whether an end tag of the raw element `name` comes after `position`.
    pub(super) fn ends_after(&self, name: &[u8], position: usize) -> bool {
        let last = RAW.iter().zip(self.last_ends).find(|(raw, _)| **raw == name).and_then(|(_, last)| last);
        last.is_some_and(|last| last > position)
    }

    /// Whether a tag ends with "/>" and no text and end tag of its own follow.
    pub(super) fn is_meant_empty(&self, tag: Tag) -> bool {
        if !tag.is_self_closing() {
            return false;
        }
        let behind = self.ahead(tag.position()).splitn(2, |byte| *byte == b'>').nth(1).unwrap_or_default();
        let markup = behind.splitn(2, |byte| *byte == b'<').nth(1).unwrap_or_default();
        let text = &behind[..behind.len().saturating_sub(markup.len() + 1)];
        text.trim_ascii().is_empty() || !markup.strip_prefix(b"/").is_some_and(|end| starts_with(end, tag.name()))
    }

    /// The text between the tag at `position` and the next `end`, without tags, if that is near.
    pub(super) fn text_of(&self, position: usize, end: &[u8]) -> String {
        let inner: Cow<str> = String::from_utf8_lossy(self.until(position, end));
        let mut text = String::new();
        for part in inner.split('<').skip(1) {
            text.push(' ');
            text.push_str(part.split_once('>').map_or("", |(_, text)| text));
        }
        text.trim().to_owned()
    }

    fn until(&self, position: usize, end: &[u8]) -> &'a [u8] {
        let ahead = self.ahead(position);
        let mut markup = ahead.iter().enumerate().filter(|(_, byte)| **byte == b'<').map(|(at, _)| at);
        markup.find(|at| starts_with(&ahead[*at..], end)).map_or(&[], |length| &ahead[..length])
    }

    fn ahead(&self, position: usize) -> &'a [u8] {
        let ahead = self.page.get(position..).unwrap_or_default();
        &ahead[..ahead.len().min(AHEAD)]
    }
}

fn starts_with(tag: &[u8], name: &[u8]) -> bool {
    tag.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

/// An XML page in which sections of character data are written as text, so that it can be read as HTML.
pub(super) fn without_cdata(page: &str) -> Cow<'_, str> {
    const BEGIN: &str = "<![CDATA[";
    let (before, mut rest) = around_declarations(page);
    if before.is_empty() && !page.contains(BEGIN) {
        return Cow::Borrowed(page);
    }
    let mut text = String::with_capacity(page.len());
    text.push_str(before);
    while let Some((before, section)) = rest.split_once(BEGIN) {
        let (data, after) = section.split_once("]]>").unwrap_or((section, ""));
        text.push_str(before);
        text.push_str(&data.replace('&', "&amp;").replace('<', "&lt;"));
        rest = after;
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// What is before and after the declarations in the document type, if there are any: HTML has none.
fn around_declarations(page: &str) -> (&str, &str) {
    let start = page.get(..page.len().min(AHEAD)).and_then(|start| start.find("<!DOCTYPE"));
    let declarations = start.and_then(|start| {
        let open = start + page[start..].find(['[', '>']).filter(|at| page[start + at..].starts_with('['))?;
        Some((open, open + page[open..].find("]>")? + 1))
    });
    declarations.map_or(("", page), |(open, close)| (&page[..open], &page[close..]))
}

/// Whether a page is XML: then "/>" ends an element.
pub(super) fn is_xml(page: &str) -> bool {
    let start = page.trim_start_matches(['\u{FEFF}', ' ', '\t', '\r', '\n']);
    start.starts_with("<?xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_of_a_document_type_are_no_text() {
        assert_eq!(without_cdata("<!DOCTYPE html [<!ENTITY a \"b\">]><p>c"), "<!DOCTYPE html ><p>c");
        assert_eq!(without_cdata("<!DOCTYPE html><p>[c]>"), "<!DOCTYPE html><p>[c]>");
    }

    #[test]
    fn character_data_becomes_text() {
        assert_eq!(without_cdata("a<![CDATA[x < y & z]]>b<![CDATA[c"), "ax &lt; y &amp; zbc");
    }

    #[test]
    fn a_raw_element_ends_only_if_its_end_tag_is_still_to_come() {
        let source = Source::new("<title>a</TITLE><title/>b");
        assert!(source.ends_after(b"title", 0) && !source.ends_after(b"title", 16));
        assert!(!source.ends_after(b"script", 0));
    }

    #[test]
    fn the_label_of_a_button_is_known_before_it_is_read() {
        let source = Source::new("<p><button><b>How</b> so?</button>");
        assert_eq!(source.text_of(3, b"</button"), "How  so?");
    }
}
