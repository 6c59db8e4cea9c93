//! Word files to Markdown: headings by style, lists, tables and notes; layout, headers and footers are left out.

mod body;
mod numbering;
mod package;
mod styles;
mod table;
mod xml;

use crate::document::Document;
use crate::kind::{Kind, is_encrypted_package};
use crate::reject::Reject;
use body::Body;
use numbering::Numbering;
use package::Package;
use styles::Styles;

/// Reads a Word file; `limit` bounds the resulting text in bytes, and eight times `limit` the XML that is unpacked.
///
/// # Errors
/// The file is damaged or encrypted, or unpacks to too much.
pub(crate) fn read(payload: &[u8], limit: usize) -> Result<Document, Reject> {
    if is_encrypted_package(payload) {
        return Err(Reject::DocxEncrypted);
    }
    let mut package = Package::open(payload, limit)?;
    let main = package.main_part()?;
    let Some(document) = package.part(&main)? else {
        return Err(Reject::DocxBroken(format!("the part {main} is missing")));
    };
    let sibling = |name: &str| match main.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{name}"),
        None => name.to_owned(),
    };
    let styles = Styles::read(package.part(&sibling("styles.xml"))?.as_deref())?;
    let numbering = Numbering::read(package.part(&sibling("numbering.xml"))?.as_deref())?;

    let mut body = Body::new(styles, numbering, limit);
    body.read(&document)?;
    for notes in ["footnotes.xml", "endnotes.xml"] {
        if let Some(notes) = package.part(&sibling(notes))? {
            body.read(&notes)?;
        }
    }
    let stated = package.part("docProps/core.xml")?.map(|core| xml::text_of(&core, "title")).transpose()?;
    let title = stated.flatten().or_else(|| body.title());
    Ok(Document { text: body.finish(), title, pages: None, kind: Kind::Docx })
}
