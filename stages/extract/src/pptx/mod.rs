//! Presentations (Office Open XML) to Markdown: the shown slides in order, each under its title, with its notes after it.

mod lists;
mod slide;

use quick_xml::events::Event;

use crate::block::Block;
use crate::document::Document;
use crate::kind::{Kind, is_encrypted_package};
use crate::markdown::Markdown;
use crate::office::Format;
use crate::package::{Package, spare, text_of};
use crate::reject::Reject;
use crate::shapes;
use slide::{Slide, Which};

/// Reads a presentation; `limit` bounds the resulting text in bytes.
///
/// # Errors
/// The file is damaged or encrypted, or has too much text.
pub(crate) fn read(payload: &[u8], limit: usize) -> Result<Document, Reject> {
    if is_encrypted_package(payload) {
        return Err(Reject::OfficeEncrypted);
    }
    let package = Package::open(payload, limit)?;
    let stated = spare(package.relations(""))?;
    let main =
        stated.first("officeDocument").filter(|main| package.has(main)).unwrap_or("ppt/presentation.xml").to_owned();
    let mut markdown = Markdown::default();
    let mut title = None;
    for part in slides(&package, &main)? {
        let Some(xml) = package.xml(&part)? else {
            continue;
        };
        let relations = spare(package.relations(&part))?;
        let slide = Slide::read(xml, &relations, Which::Slide, limit)?;
        if slide.is_hidden {
            continue;
        }
        title = title.or_else(|| slide.title.clone());
        let mut blocks = slide.blocks;
        for part in slide.shown {
            blocks.extend(shapes::read(&package, &relations, &part)?);
        }
        if let Some(notes) = relations.first("notesSlide").map(|notes| spare(package.xml(notes))).transpose()?.flatten()
        {
            blocks.extend(spare(Slide::read(notes, &relations, Which::Notes, limit))?.blocks);
        }
        write(&blocks, &mut markdown, limit)?;
    }
    let stated = match spare(package.xml("docProps/core.xml"))? {
        Some(core) => spare(text_of(core, "title"))?,
        None => None,
    };
    // What PowerPoint calls a presentation that nobody has named.
    let stated = stated.filter(|title| title != "PowerPoint Presentation");
    Ok(Document { text: markdown.finish(), title: stated.or(title), pages: None, kind: Kind::Office(Format::Pptx) })
}

fn write(blocks: &[Block], markdown: &mut Markdown, limit: usize) -> Result<(), Reject> {
    for block in blocks {
        block.write(markdown);
        if markdown.len() > limit {
            return Err(Reject::TooLarge(limit));
        }
    }
    Ok(())
}

/// The parts of the slides, in the order of the presentation.
fn slides(package: &Package<'_>, main: &str) -> Result<Vec<String>, Reject> {
    let relations = package.relations(main)?;
    let Some(mut xml) = package.xml(main)? else {
        return Err(Reject::OfficeBroken(format!("the part {main} is missing")));
    };
    let mut slides = Vec::new();
    while let Some(event) = xml.next()? {
        let Event::Start(tag) = event else {
            continue;
        };
        if tag.local_name().as_ref() == "sldId" {
            // Its own number has the same local name as its relation.
            let mut attributes = tag.attributes();
            let ids =
                attributes.with_checks(false).flatten().filter(|attribute| attribute.key.local_name().as_ref() == "id");
            let targets = ids.filter_map(|id| relations.target(&id.value).map(str::to_owned));
            slides.extend(targets.last());
        }
    }
    Ok(slides)
}
