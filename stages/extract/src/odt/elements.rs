//! Which elements of an open document are text, and which are not.

use quick_xml::events::BytesStart;

use crate::package::{Package, attribute};

/// Elements that are not part of the text: deletions, comments, programs, readings above words, invitations to fill in, and
/// what a program shows in place of an object.
pub(super) const SKIPPED: &[&str] = &[
    "tracked-changes",
    "annotation",
    "annotation-end",
    "ruby-text",
    "placeholder",
    "forms",
    "scripts",
    "event-listeners",
    "automatic-styles",
    "font-face-decls",
    "note-citation",
    "shapes",
    "settings",
    "date-style",
    "number-style",
];

pub(super) fn is_workbook(package: &Package<'_>) -> bool {
    package.bytes("mimetype").ok().flatten().is_some_and(|kind| kind.trim_ascii_end().ends_with(b"spreadsheet"))
}

pub(super) fn is_header(tag: &BytesStart<'_>) -> bool {
    matches!(tag.local_name().as_ref(), "header" | "header-first" | "header-left")
        && attribute(tag, "display").as_deref() != Some("false")
}

/// Whether an element of a header differs from page to page.
pub(super) fn is_of_page(name: &str) -> bool {
    matches!(name, "page-number" | "page-count" | "chapter" | "date" | "time")
}

pub(super) fn is_hidden(tag: &BytesStart<'_>) -> bool {
    attribute(tag, "is-hidden").as_deref() == Some("true") || attribute(tag, "display").as_deref() == Some("none")
}

/// The name of a slide, if a person gave it one.
pub(super) fn slide_name(tag: &BytesStart<'_>) -> String {
    let name = attribute(tag, "name").unwrap_or_default();
    match name.strip_prefix("page").is_some_and(|rest| rest.chars().all(|letter| letter.is_ascii_digit())) {
        true => String::new(),
        false => name,
    }
}
