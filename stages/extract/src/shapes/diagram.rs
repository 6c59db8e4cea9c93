//! Diagrams (SmartArt): the text of each of their points.

use quick_xml::events::Event;

use crate::block::Block;
use crate::package::{Xml, attribute, reference};
use crate::reject::Reject;

/// Reads the data of a diagram.
///
/// # Errors
/// The XML is not well-formed, or has too much text.
pub(super) fn read(mut xml: Xml<'_>, limit: usize) -> Result<Vec<Block>, Reject> {
    let mut blocks = Vec::new();
    let mut text = String::new();
    let (mut in_text, mut is_content) = (false, false);
    let mut size = 0_usize;
    while let Some(event) = xml.next()? {
        match event {
            Event::Start(tag) => match tag.local_name().as_ref() {
                "pt" => {
                    is_content = matches!(attribute(&tag, "type").as_deref(), None | Some("node" | "asst"));
                    text.clear();
                }
                "t" => in_text = is_content,
                "br" => text.push(' '),
                _ => {}
            },
            Event::End(tag) => match tag.local_name().as_ref() {
                "t" => in_text = false,
                "p" => text.push(' '),
                "pt" => {
                    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
                    size = size.saturating_add(words.len());
                    if !words.is_empty() {
                        blocks.push(Block::Item { depth: 0, label: "-".into(), text: words });
                    }
                    text.clear();
                }
                _ => {}
            },
            // The element of a point's text has the name of that of a run, too, and no text of its own but white space.
            Event::Text(words) if in_text => text.push_str(&words.xml10_content()),
            Event::GeneralRef(entity) if in_text => text.push_str(&reference(&entity)),
            _ => {}
        }
        if size.saturating_add(text.len()) > limit {
            return Err(Reject::TooLarge(limit));
        }
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::sample;

    #[test]
    fn each_point_of_a_diagram_is_an_item() {
        let data = "<dgm:dataModel><dgm:ptLst><dgm:pt modelId='1' type='doc'/><dgm:pt modelId='2'><dgm:t><a:p><a:r><a:t>Plan</a:t></a:r>\
            <a:r><a:t> it</a:t></a:r></a:p></dgm:t></dgm:pt><dgm:pt modelId='3' type='pres'><dgm:t><a:p><a:r><a:t>no</a:t></a:r></a:p>\
            </dgm:t></dgm:pt></dgm:ptLst></dgm:dataModel>";
        let item = Block::Item { depth: 0, label: "-".into(), text: "Plan it".into() };
        assert_eq!(read(sample(data), 1000).unwrap(), [item]);
    }
}
