//! Books (EPUB) to Markdown: their chapters in reading order, by the reader of HTML pages.

use std::collections::BTreeMap;

use quick_xml::events::Event;

use crate::charset;
use crate::content::Content;
use crate::document::Document;
use crate::html::{self, Form};
use crate::kind::Kind;
use crate::markdown::Markdown;
use crate::office::Format;
use crate::package::{Package, Xml, attribute, reference, spare};
use crate::reject::Reject;

/// What a book says of itself.
#[derive(Debug, Default)]
struct Book {
    title: Option<String>,
    /// The files of the chapters, in reading order.
    chapters: Vec<String>,
}

/// Reads a book; `limit` bounds the resulting text in bytes.
///
/// # Errors
/// The file is damaged or its text is encrypted, or it has too much text.
pub(crate) fn read(payload: &[u8], limit: usize) -> Result<Document, Reject> {
    let package = Package::open(payload, limit)?;
    if let Some(encryption) = spare(package.xml("META-INF/encryption.xml"))?
        && spare(is_text_encrypted(encryption))?
    {
        return Err(Reject::OfficeEncrypted);
    }
    let description = match package.xml("META-INF/container.xml")? {
        Some(container) => attribute_of(container, "rootfile", "full-path")?,
        None => None,
    };
    let Some(description) = description else {
        return Err(Reject::OfficeBroken("it does not say where the book is".into()));
    };
    let Some(xml) = package.xml(&description)? else {
        return Err(Reject::OfficeBroken(format!("the part {description} is missing")));
    };
    let folder = description.rsplit_once('/').map(|(folder, _)| format!("{folder}/")).unwrap_or_default();
    let book = Book::read(xml, &folder)?;
    let mut markdown = Markdown::default();
    for chapter in &book.chapters {
        let Some(page) = spare(package.bytes(chapter))? else {
            continue;
        };
        match html::read(&charset::page(&page, None), Form::Xml, Content::All, limit) {
            Ok(page) => markdown.paragraph(&page.text),
            Err(Reject::TooLarge(limit)) => return Err(Reject::TooLarge(limit)),
            Err(_) => {}
        }
        if markdown.len() > limit {
            return Err(Reject::TooLarge(limit));
        }
    }
    Ok(Document { text: markdown.finish(), title: book.title, pages: None, kind: Kind::Office(Format::Epub) })
}

impl Book {
    fn read(mut xml: Xml<'_>, folder: &str) -> Result<Self, Reject> {
        let mut book = Self::default();
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        let (mut title, mut in_title) = (String::new(), false);
        while let Some(event) = xml.next()? {
            match event {
                Event::Start(tag) => match tag.local_name().as_ref() {
                    "title" => in_title = title.is_empty(),
                    "item" => {
                        let is_page = attribute(&tag, "media-type").is_some_and(|kind| kind.contains("html"));
                        let is_contents = attribute(&tag, "properties")
                            .is_some_and(|all| all.split_whitespace().any(|one| one == "nav"));
                        if let (Some(id), Some(href), true, false) =
                            (attribute(&tag, "id"), attribute(&tag, "href"), is_page, is_contents)
                        {
                            let href = href.split('#').next().unwrap_or_default();
                            files.insert(id, format!("{folder}{href}"));
                        }
                    }
                    "itemref" => book.chapters.extend(attribute(&tag, "idref").and_then(|id| files.remove(&id))),
                    _ => {}
                },
                Event::End(tag) if tag.local_name().as_ref() == "title" => in_title = false,
                Event::Text(words) if in_title => title.push_str(&words.xml10_content()),
                Event::GeneralRef(entity) if in_title => title.push_str(&reference(&entity)),
                _ => {}
            }
        }
        let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
        book.title = (!title.is_empty()).then_some(title);
        Ok(book)
    }
}

fn attribute_of(mut xml: Xml<'_>, element: &str, name: &str) -> Result<Option<String>, Reject> {
    while let Some(event) = xml.next()? {
        if let Event::Start(tag) = event
            && tag.local_name().as_ref() == element
        {
            return Ok(attribute(&tag, name));
        }
    }
    Ok(None)
}

/// Whether more than the fonts is encrypted.
fn is_text_encrypted(mut xml: Xml<'_>) -> Result<bool, Reject> {
    while let Some(event) = xml.next()? {
        if let Event::Start(tag) = event
            && tag.local_name().as_ref() == "CipherReference"
        {
            let file = attribute(&tag, "URI").unwrap_or_default().to_lowercase();
            if [".html", ".xhtml", ".htm", ".xml", ".opf"].iter().any(|ending| file.ends_with(ending)) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
