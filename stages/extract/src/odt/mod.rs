//! Open documents (ODT, and the sheets and slides of ODS and ODP) to Markdown: headings and lists with their numbers, tables, notes.

mod body;
mod elements;
mod lists;
mod numbers;
mod paragraph;
mod styles;

use crate::document::Document;
use crate::kind::Kind;
use crate::office::Format;
use crate::package::{Package, spare, text_of};
use crate::reject::Reject;
use body::Body;
use styles::Styles;

/// Reads an open document; `limit` bounds the resulting text in bytes.
///
/// # Errors
/// The file is damaged or encrypted, or has too much text.
pub(crate) fn read(payload: &[u8], limit: usize) -> Result<Document, Reject> {
    let package = Package::open(payload, limit)?;
    if let Some(manifest) = spare(package.xml("META-INF/manifest.xml"))?
        && spare(styles::has_element(manifest, "encryption-data"))?
    {
        return Err(Reject::OfficeEncrypted);
    }
    let mut styles = Styles::default();
    for part in ["styles.xml", "content.xml"] {
        if let Some(xml) = package.xml(part)? {
            spare(styles.read(xml))?;
        }
    }
    let Some(content) = package.xml("content.xml")? else {
        return Err(Reject::OfficeBroken("the part content.xml is missing".into()));
    };
    let mut body = Body::new(&package, styles);
    if let Some(pages) = package.xml("styles.xml")? {
        spare(body.read_headers(pages))?;
    }
    body.read(content)?;
    let stated = match spare(package.xml("meta.xml"))? {
        Some(meta) => spare(text_of(meta, "title"))?,
        None => None,
    };
    let title = stated.or_else(|| body.title());
    Ok(Document { text: body.finish(), title, pages: None, kind: Kind::Office(Format::Odt) })
}
