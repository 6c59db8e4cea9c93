//! The ZIP archive of a Word file, with a bound on how much is unpacked.

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};
use rawzip::{CompressionMethod, ZipArchive, ZipSliceArchive};

use super::xml;
use crate::charset;
use crate::reject::Reject;
use quick_xml::events::Event;

/// XML may be this many times larger than the limit on text; ordinary files are well below that.
const XML_PER_TEXT: usize = 8;

/// An open package.
pub(super) struct Package<'a> {
    archive: ZipSliceArchive<&'a [u8]>,
    /// The limit on text, for messages.
    limit: usize,
    /// Bytes that may still be unpacked.
    budget: usize,
}

impl<'a> Package<'a> {
    /// Opens the archive.
    ///
    /// # Errors
    /// The payload is not a ZIP archive, or a truncated one.
    pub(super) fn open(payload: &'a [u8], limit: usize) -> Result<Self, Reject> {
        let archive = ZipArchive::from_slice(payload).map_err(broken)?;
        Ok(Self { archive, limit, budget: limit.saturating_mul(XML_PER_TEXT) })
    }

    /// The name of the part that holds the document, from the package's relations.
    ///
    /// # Errors
    /// The relations cannot be read.
    pub(super) fn main_part(&mut self) -> Result<String, Reject> {
        const USUAL: &str = "word/document.xml";
        let Some(relations) = self.part("_rels/.rels")? else {
            return Ok(USUAL.to_owned());
        };
        let mut reader = xml::reader(&relations);
        loop {
            match xml::next(&mut reader)? {
                Event::Start(tag) if tag.local_name().as_ref() == "Relationship" => {
                    let kind = xml::attribute(&tag, "Type").unwrap_or_default();
                    if kind.ends_with("/officeDocument") {
                        let target = xml::attribute(&tag, "Target").unwrap_or_default();
                        return Ok(target.trim_start_matches('/').to_owned());
                    }
                }
                Event::Eof => return Ok(USUAL.to_owned()),
                _ => {}
            }
        }
    }

    /// A part as text; `None` if the package does not have it.
    ///
    /// # Errors
    /// The part is damaged, encrypted or too large.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<String>, Reject> {
        let mut entries = self.archive.entries();
        let entry = loop {
            match entries.next_entry().map_err(broken)? {
                Some(entry) if entry.file_path().as_ref() == name.as_bytes() => break entry,
                Some(_) => {}
                None => return Ok(None),
            }
        };
        if entry.flags().is_encrypted() {
            return Err(Reject::DocxEncrypted);
        }
        let stored = self.archive.get_entry(entry.wayfinder()).map_err(broken)?.data();
        let bytes = match entry.compression_method() {
            CompressionMethod::STORE if stored.len() <= self.budget => stored.to_vec(),
            CompressionMethod::STORE => return Err(Reject::TooLarge(self.limit)),
            CompressionMethod::DEFLATE => {
                decompress_to_vec_with_limit(stored, self.budget).map_err(|error| match error.status {
                    TINFLStatus::HasMoreOutput => Reject::TooLarge(self.limit),
                    _ => Reject::DocxBroken(format!("the part {name} cannot be unpacked")),
                })?
            }
            _ => return Err(Reject::DocxBroken(format!("the part {name} has an unknown compression"))),
        };
        if rawzip::crc32(&bytes) != entry.crc32() {
            return Err(Reject::DocxBroken(format!("the part {name} has a wrong checksum")));
        }
        self.budget -= bytes.len();
        let text =
            charset::decode(&bytes, None).map_err(|_| Reject::DocxBroken(format!("the part {name} is not UTF-8")))?;
        Ok(Some(text.into_owned()))
    }
}

fn broken(error: rawzip::Error) -> Reject {
    Reject::DocxBroken(error.to_string())
}
