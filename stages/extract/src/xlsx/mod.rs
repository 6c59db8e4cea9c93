//! Spreadsheets (Office Open XML) to Markdown: each visible sheet under its name, its cells as tables, with their values as they
//! are shown.

mod blocks;
mod date;
mod format;
mod sheet;
mod strings;

use quick_xml::events::Event;

use crate::block::Block;
use crate::document::Document;
use crate::kind::{Kind, is_encrypted_package};
use crate::markdown::Markdown;
use crate::office::Format;
use crate::package::{Package, Relations, attribute, spare, text_of};
use crate::reject::Reject;
use crate::shapes;
use format::Formats;
use strings::Strings;

/// What the workbook says of its sheets.
#[derive(Debug, Default)]
struct Workbook {
    /// Name and relation of each visible sheet.
    sheets: Vec<(String, String)>,
    epoch: date::Epoch,
}

/// Reads a spreadsheet; `limit` bounds the resulting text in bytes.
///
/// # Errors
/// The file is damaged or encrypted, or has too much text.
pub(crate) fn read(payload: &[u8], limit: usize) -> Result<Document, Reject> {
    if is_encrypted_package(payload) {
        return Err(Reject::OfficeEncrypted);
    }
    let package = Package::open(payload, limit)?;
    let stated = spare(package.relations(""))?;
    let main = stated.first("officeDocument").filter(|main| package.has(main)).unwrap_or("xl/workbook.xml").to_owned();
    let workbook = workbook(&package, &main)?;
    let relations = package.relations(&main)?;
    let strings = match relations.first("sharedStrings") {
        Some(part) => Strings::read(package.xml(part)?, limit)?,
        None => Strings::default(),
    };
    let formats = match relations.first("styles") {
        Some(part) => spare(Formats::read(package.xml(part)?))?,
        None => Formats::default(),
    };
    let mut markdown = Markdown::default();
    for (name, id) in &workbook.sheets {
        let Some(part) = relations.target(id) else {
            continue;
        };
        let Some(xml) = package.xml(part)? else {
            continue;
        };
        let values = sheet::Values { strings: &strings, formats: &formats, epoch: workbook.epoch };
        let mut blocks = blocks::of(sheet::read(xml, &values, limit)?);
        blocks.extend(drawings(&package, part)?);
        if blocks.is_empty() {
            continue;
        }
        markdown.heading(1, name);
        for block in blocks {
            block.write(&mut markdown);
            if markdown.len() > limit {
                return Err(Reject::TooLarge(limit));
            }
        }
    }
    let title = match spare(package.xml("docProps/core.xml"))? {
        Some(core) => spare(text_of(core, "title"))?,
        None => None,
    };
    Ok(Document { text: markdown.finish(), title, pages: None, kind: Kind::Office(Format::Xlsx) })
}

fn workbook(package: &Package<'_>, main: &str) -> Result<Workbook, Reject> {
    let Some(mut xml) = package.xml(main)? else {
        return Err(Reject::OfficeBroken(format!("the part {main} is missing")));
    };
    let mut workbook = Workbook::default();
    while let Some(event) = xml.next()? {
        let Event::Start(tag) = event else {
            continue;
        };
        match tag.local_name().as_ref() {
            "workbookPr" if matches!(attribute(&tag, "date1904").as_deref(), Some("1" | "true" | "on")) => {
                workbook.epoch = date::Epoch::Of1904
            }
            "sheet" if !matches!(attribute(&tag, "state").as_deref(), Some("hidden" | "veryHidden")) => {
                let name = attribute(&tag, "name").unwrap_or_default();
                workbook.sheets.push((name, attribute(&tag, "id").unwrap_or_default()));
            }
            _ => {}
        }
    }
    Ok(workbook)
}

/// The charts and diagrams on a sheet.
fn drawings(package: &Package<'_>, sheet: &str) -> Result<Vec<Block>, Reject> {
    let of_sheet: Relations = spare(package.relations(sheet))?;
    let mut blocks = Vec::new();
    for drawing in of_sheet.of_kind("drawing") {
        let relations = spare(package.relations(&drawing.target))?;
        for part in shapes::all(&relations) {
            blocks.extend(shapes::read(package, &relations, &part)?);
        }
    }
    Ok(blocks)
}
