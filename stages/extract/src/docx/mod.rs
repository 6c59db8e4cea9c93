//! Word files to Markdown: headings by style, numbers as Word counts them, tables, notes and the text of headers.

mod body;
mod counters;
mod equation;
mod fields;
mod imports;
mod letters;
mod numbering;
mod paragraph;
mod properties;
mod run;
mod shown;
mod sink;
mod styles;

use crate::document::Document;
use crate::kind::{Kind, is_encrypted_package};
use crate::office::Format;
use crate::package::{Package, Relations, Xml, spare, text_of};
use crate::reject::Reject;
use body::Body;
use numbering::Numbering;
use styles::Styles;

/// Whether a document may have others imported into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Imports {
    Read,
    /// It is imported itself.
    LeftOut,
}

/// Reads a Word file; `limit` bounds the resulting text in bytes, and eight times `limit` the XML that is unpacked.
///
/// # Errors
/// The file is damaged or encrypted, or unpacks to too much.
pub(crate) fn read(payload: &[u8], limit: usize) -> Result<Document, Reject> {
    read_with(payload, limit, Imports::Read)
}

/// Reads a Word file that is a part of another.
fn read_import(payload: &[u8], limit: usize) -> Result<Document, Reject> {
    read_with(payload, limit, Imports::LeftOut)
}

fn read_with(payload: &[u8], limit: usize, imports: Imports) -> Result<Document, Reject> {
    if is_encrypted_package(payload) {
        return Err(Reject::OfficeEncrypted);
    }
    let package = Package::open(payload, limit)?;
    let main = main_part(&package)?;
    let Some(document) = package.xml(&main)? else {
        return Err(Reject::OfficeBroken(format!("the part {main} is missing")));
    };
    let relations = spare(package.relations(&main))?;
    let related = |kind: &str| related(&package, &relations, &main, kind);
    let styles = spare(Styles::read(related("styles")?))?;
    let numbering = spare(Numbering::read(related("numbering")?))?;

    let mut body = Body::new(&package, styles, numbering, imports);
    let mut headers: Vec<&str> = relations.of_kind("header").map(|header| header.target.as_str()).collect();
    headers.sort_unstable();
    headers.dedup();
    for header in headers {
        if let Some(xml) = spare(package.xml(header))? {
            spare(body.read_header(xml))?;
        }
    }
    let (footnotes, endnotes) = (related("footnotes")?, related("endnotes")?);
    let stated = spare(package.xml("docProps/core.xml"))?.map(|core| spare(text_of(core, "title"))).transpose()?;
    body.read(document, spare(package.relations(&main))?)?;
    body.read_unshown()?;
    for notes in [footnotes, endnotes].into_iter().flatten() {
        body.read(notes, Relations::default())?;
    }
    let title = stated.flatten().or_else(|| body.title());
    Ok(Document { text: body.finish(), title, pages: None, kind: Kind::Office(Format::Docx) })
}

/// The name of the part that holds the document: the one that the package relates to as such, whatever it is called.
fn main_part(package: &Package<'_>) -> Result<String, Reject> {
    let relations = spare(package.relations(""))?;
    if let Some(main) = relations.first("officeDocument").filter(|main| package.has(main)) {
        return Ok(main.to_owned());
    }
    let found = package.names("word/document").find(|name| name.ends_with(".xml"));
    Ok(found.unwrap_or("word/document.xml").to_owned())
}

/// The part that the document relates to as this kind, or the one with its usual name beside it.
fn related<'a>(
    package: &Package<'a>,
    relations: &Relations,
    main: &str,
    kind: &str,
) -> Result<Option<Xml<'a>>, Reject> {
    if let Some(target) = relations.first(kind) {
        return spare(package.xml(target));
    }
    let folder = main.rsplit_once('/').map(|(folder, _)| format!("{folder}/")).unwrap_or_default();
    spare(package.xml(&format!("{folder}{kind}.xml")))
}
