//! The strings that cells share.

use quick_xml::events::Event;

use crate::package::{Xml, attribute, reference};
use crate::reject::Reject;
use crate::words::levels::Level;
use crate::words::scripted::Scripted;

/// The strings, one after another in a single text: there may be millions.
#[derive(Debug, Default)]
pub(super) struct Strings {
    text: String,
    ends: Vec<u32>,
}

impl Strings {
    /// Reads the part; a workbook without numbers only need not have it.
    ///
    /// # Errors
    /// The XML is not well-formed, or has too much text.
    pub(super) fn read(xml: Option<Xml<'_>>, limit: usize) -> Result<Self, Reject> {
        let mut strings = Self::default();
        let Some(mut xml) = xml else {
            return Ok(strings);
        };
        // Readings of Japanese words stand beside the string.
        let (mut in_text, mut in_reading) = (false, false);
        let mut string = Scripted::default();
        let mut script = Level::Line;
        while let Some(event) = xml.next()? {
            match event {
                Event::Start(tag) => match tag.local_name().as_ref() {
                    "t" => in_text = !in_reading,
                    "rPh" => in_reading = true,
                    "r" => script = Level::Line,
                    "vertAlign" => {
                        script = match attribute(&tag, "val").as_deref() {
                            Some("superscript") => Level::Raised,
                            Some("subscript") => Level::Lowered,
                            _ => Level::Line,
                        };
                    }
                    _ => {}
                },
                Event::End(tag) => match tag.local_name().as_ref() {
                    "t" => in_text = false,
                    "rPh" => in_reading = false,
                    "r" => script = Level::Line,
                    "si" => {
                        strings.text.push_str(&std::mem::take(&mut string).finish());
                        strings.ends.push(u32::try_from(strings.text.len()).map_err(|_| Reject::TooLarge(limit))?);
                    }
                    _ => {}
                },
                Event::Text(words) if in_text => string.push(&words.xml10_content(), script),
                Event::CData(words) if in_text => string.push(&words.xml10_content(), script),
                Event::GeneralRef(entity) if in_text => string.push(&reference(&entity), script),
                _ => {}
            }
            if strings.text.len().saturating_add(string.len()) > limit || strings.ends.len() > limit / 4 {
                return Err(Reject::TooLarge(limit));
            }
        }
        Ok(strings)
    }

    /// The string with this number.
    pub(super) fn get(&self, number: usize) -> Option<&str> {
        let end = *self.ends.get(number)?;
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.text.get(start as usize..end as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::sample;

    #[test]
    fn strings_are_found_by_number_without_their_readings() {
        let part = "<sst><si><t>one</t></si><si/><si><r><t>t</t></r><r><t>wo</t></r><rPh><t>reading</t></rPh></si>\
            <si><r><t>m</t></r><r><rPr><vertAlign val='superscript'/></rPr><t>2</t></r></si></sst>";
        let strings = Strings::read(Some(sample(part)), 1000).unwrap();
        assert_eq!(
            [0, 1, 2, 3, 4].map(|number| strings.get(number)),
            [Some("one"), Some(""), Some("two"), Some("m^2"), None]
        );
    }
}
