//! The values of XFA forms, which are XML beside the pages: a page of such a form may say no more than "Please wait".

use hayro_syntax::object::{Array, Dict, Object, Stream};
use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

use super::unpacked;

/// What the page of a form says to readers that do not know XFA.
const PLACEHOLDER: &str = "If this message is not eventually replaced by the proper contents of the document";

/// The values that were filled in, each with the name of its field: "name: value".
pub(super) fn values(catalog: &Dict<'_>, most: usize) -> Vec<(String, String)> {
    let form = catalog.get::<Dict<'_>>(b"AcroForm").and_then(|form| form.get::<Object<'_>>(b"XFA"));
    let streams: Vec<Stream<'_>> = match form {
        Some(Object::Stream(stream)) => vec![stream],
        Some(Object::Array(parts)) => streams(&parts),
        _ => Vec::new(),
    };
    let mut packets: Vec<u8> = Vec::new();
    for stream in streams {
        if packets.len() < most
            && unpacked::fits(&stream, most)
            && let Ok(packet) = stream.decoded_data()
        {
            packets.extend_from_slice(&packet);
        }
    }
    read(&String::from_utf8_lossy(&packets))
}

/// Whether this is the text of a page that stands for an XFA form.
pub(super) fn is_placeholder(text: &str) -> bool {
    text.contains(PLACEHOLDER)
}

fn streams<'a>(parts: &Array<'a>) -> Vec<Stream<'a>> {
    parts.iter::<Object<'_>>().filter_map(Object::into_stream).collect()
}

/// Reads the elements within `data` that hold text and nothing else.
fn read(packets: &str) -> Vec<(String, String)> {
    let mut reader = Reader::from_str(packets);
    reader.config_mut().check_end_names = false;
    let mut values: Vec<(String, String)> = Vec::new();
    let mut depth: usize = 0;
    let mut element: Option<(String, String)> = None;
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                let name = start.local_name().as_ref().to_owned();
                let is_data = depth == 0 && name == "data";
                if depth > 0 || is_data {
                    depth += 1;
                }
                element = (depth > 1).then(|| (name, String::new()));
            }
            Ok(Event::Text(text)) => {
                if let Some((_, value)) = &mut element {
                    value.push_str(&text.xml10_content());
                }
            }
            Ok(Event::CData(text)) => {
                if let Some((_, value)) = &mut element {
                    value.push_str(&text.xml10_content());
                }
            }
            Ok(Event::GeneralRef(reference)) => {
                if let Some((_, value)) = &mut element {
                    match reference.resolve_char_ref() {
                        Ok(Some(letter)) => value.push(letter),
                        _ => value.extend(resolve_xml_entity(&reference.xml10_content())),
                    }
                }
            }
            Ok(Event::End(_)) => {
                depth = depth.saturating_sub(1);
                if let Some((name, value)) = element.take() {
                    let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
                    if !value.is_empty() {
                        values.push((name, value));
                    }
                }
            }
            Ok(Event::Eof) | Err(_) => return values,
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_the_data_are_read_with_their_names() {
        let xml = "<t><name>no</name></t><d:datasets><d:data><f><name>Ana &amp; Bo</name><empty/><n/> <age>7</age></f></d:data>\
                    </d:datasets><name>no</name>";
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read(xml), [pair("name", "Ana & Bo"), pair("age", "7")]);
    }
}
