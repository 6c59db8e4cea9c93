//! The ZIP archive that an office document is, with a bound on how much of it is unpacked.
//!
//! Checksums are not compared: a part is read as long as it unpacks to well-formed XML.

mod part;
mod relations;
mod skipped;
mod xml;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Read;
use std::rc::Rc;

use rawzip::{CompressionMethod, ZipArchive, ZipArchiveEntryWayfinder, ZipSliceArchive};

use crate::reject::Reject;
use part::Part;
pub(crate) use relations::Relations;
pub(crate) use skipped::{Skipped, is_deleted_mark};
#[cfg(test)]
pub(crate) use xml::sample;
pub(crate) use xml::{Xml, attribute, is_on, number, reference, text_of};

/// Parts may unpack to this many times the limit on text; ordinary files are well below that.
const UNPACKED_PER_TEXT: usize = 8;

struct Entry {
    place: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    is_encrypted: bool,
}

/// An open package.
pub(crate) struct Package<'a> {
    archive: ZipSliceArchive<&'a [u8]>,
    /// The parts by their names as [`plain_name`] writes them.
    entries: BTreeMap<String, Entry>,
    /// The limit on text.
    limit: usize,
    /// Bytes that may still be unpacked.
    budget: Rc<Cell<usize>>,
}

impl<'a> Package<'a> {
    /// Opens the archive; `limit` bounds the text of the document in bytes, and eight times `limit` what is unpacked.
    ///
    /// # Errors
    /// The payload is not a ZIP archive, or a truncated one.
    pub(crate) fn open(payload: &'a [u8], limit: usize) -> Result<Self, Reject> {
        let archive = ZipArchive::from_slice(payload).map_err(broken)?;
        let mut entries = BTreeMap::new();
        let mut records = archive.entries();
        while let Some(record) = records.next_entry().map_err(broken)? {
            let name = plain_name(&String::from_utf8_lossy(record.file_path().as_ref()));
            let entry = Entry {
                place: record.wayfinder(),
                method: record.compression_method(),
                is_encrypted: record.flags().is_encrypted(),
            };
            entries.entry(name).or_insert(entry);
        }
        let budget = Rc::new(Cell::new(limit.saturating_mul(UNPACKED_PER_TEXT)));
        Ok(Self { archive, entries, limit, budget })
    }

    /// The limit on text, in bytes.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether there is a part of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.contains_key(&plain_name(name))
    }

    /// The names of the parts within a folder, in order.
    pub(crate) fn names<'s>(&'s self, folder: &'s str) -> impl Iterator<Item = &'s str> {
        self.entries.keys().map(String::as_str).filter(move |name| name.starts_with(folder))
    }

    /// A part as XML; `None` if the package does not have it.
    ///
    /// # Errors
    /// The part is encrypted, or its compression is unknown.
    pub(crate) fn xml(&self, name: &str) -> Result<Option<Xml<'a>>, Reject> {
        Ok(self.part(name)?.map(|part| Xml::new(part, self.limit)))
    }

    /// A part as bytes; `None` if the package does not have it.
    ///
    /// # Errors
    /// The part is damaged, encrypted or too large.
    pub(crate) fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, Reject> {
        let Some(mut part) = self.part(name)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        match part.read_to_end(&mut bytes) {
            Ok(_) => Ok(Some(bytes)),
            Err(error) => Err(part::reject(&error, self.limit)),
        }
    }

    /// The relations of a part, or of the package if `part` is empty.
    ///
    /// # Errors
    /// They cannot be read.
    pub(crate) fn relations(&self, part: &str) -> Result<Relations, Reject> {
        let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
        let separator = if folder.is_empty() { "" } else { "/" };
        match self.xml(&format!("{folder}{separator}_rels/{name}.rels"))? {
            Some(xml) => Relations::read(xml, folder),
            None => Ok(Relations::default()),
        }
    }

    fn part(&self, name: &str) -> Result<Option<Part<'a>>, Reject> {
        let Some(entry) = self.entries.get(&plain_name(name)) else {
            return Ok(None);
        };
        if entry.is_encrypted {
            return Err(Reject::OfficeEncrypted);
        }
        let range = self.archive.get_entry(entry.place).map_err(broken)?.compressed_data_range();
        let bounds = (usize::try_from(range.0).ok(), usize::try_from(range.1).ok());
        let (Some(start), Some(end)) = bounds else {
            return Err(Reject::OfficeBroken(format!("the part {name} lies outside of the archive")));
        };
        let packed: &'a [u8] = self.archive.get_ref();
        let Some(packed) = packed.get(start..end) else {
            return Err(Reject::OfficeBroken(format!("the part {name} lies outside of the archive")));
        };
        match entry.method {
            CompressionMethod::STORE => Ok(Some(Part::stored(packed, Rc::clone(&self.budget)))),
            CompressionMethod::DEFLATE => Ok(Some(Part::deflated(packed, Rc::clone(&self.budget)))),
            _ => Err(Reject::OfficeBroken(format!("the part {name} has an unknown compression"))),
        }
    }
}

/// A name as parts are compared: with slashes, without case, percent signs and dots.
fn plain_name(name: &str) -> String {
    let name = name.replace('\\', "/").to_lowercase();
    let mut folders: Vec<&str> = Vec::new();
    for folder in name.split('/') {
        match folder {
            "" | "." => {}
            ".." => {
                folders.pop();
            }
            _ => folders.push(folder),
        }
    }
    decoded(&folders.join("/"))
}

/// Replaces `%20` and the like.
fn decoded(name: &str) -> String {
    if !name.contains('%') {
        return name.to_owned();
    }
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads a part that the document can do without: if it is damaged, it is as good as absent.
///
/// # Errors
/// Those that are not a damage of this part.
pub(crate) fn spare<T: Default>(read: Result<T, Reject>) -> Result<T, Reject> {
    match read {
        Err(Reject::OfficeBroken(_)) => Ok(T::default()),
        other => other,
    }
}

fn broken(error: rawzip::Error) -> Reject {
    Reject::OfficeBroken(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_backslashes_and_dots() {
        for name in [
            "word/chart 1.xml",
            "/Word/chart%201.XML",
            "word\\chart 1.xml",
            "word/x/../chart 1.xml",
            "./word//chart 1.xml",
        ] {
            assert_eq!(plain_name(name), "word/chart 1.xml");
        }
        assert_eq!(plain_name("../../a%zz%4"), "a%zz%4");
    }

    #[test]
    fn a_damaged_part_that_can_be_spared_is_as_good_as_absent() {
        assert_eq!(spare::<u8>(Err(Reject::OfficeBroken("x".into()))), Ok(0));
        assert_eq!(spare::<u8>(Err(Reject::TooLarge(7))), Err(Reject::TooLarge(7)));
    }
}
