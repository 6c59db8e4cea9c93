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

/// Reads a Word file; `limit` bounds the text that comes out, and eight times as much the XML it is made from.
///
/// # Errors
/// A damaged or encrypted file, or one that unpacks to too much.
pub(crate) fn read(payload: &[u8], limit: usize) -> Result<Document, Reject> {
    if is_encrypted_package(payload) {
        return Err(Reject::DocxEncrypted);
    }
    let mut package = Package::open(payload, limit)?;
    let main = package.main_part()?;
    let Some(document) = package.part(&main)? else {
        return Err(Reject::DocxBroken(format!("the part {main} is missing")));
    };
    let beside = |name: &str| match main.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{name}"),
        None => name.to_owned(),
    };
    let styles = Styles::read(package.part(&beside("styles.xml"))?.as_deref())?;
    let numbering = Numbering::read(package.part(&beside("numbering.xml"))?.as_deref())?;

    let mut body = Body::new(styles, numbering, limit);
    body.read(&document)?;
    for notes in ["footnotes.xml", "endnotes.xml"] {
        if let Some(notes) = package.part(&beside(notes))? {
            body.read(&notes)?;
        }
    }
    let stated = package.part("docProps/core.xml")?.map(|core| xml::text_of(&core, "title")).transpose()?;
    let title = stated.flatten().or_else(|| body.title());
    Ok(Document { text: body.finish(), title, pages: None, kind: Kind::Docx })
}
