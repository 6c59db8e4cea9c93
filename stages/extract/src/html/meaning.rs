//! What an element means for the text in it, by its tag.

use super::surroundings::Part;
use super::tag::Tag;
use crate::words::levels::Level;

/// What an element means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// What its name says to the writer, or nothing.
    Named,
    /// A part of the page.
    Part(Part),
    /// Raised or lowered text.
    Level(Level),
    /// A link.
    Link,
    /// Deleted or inserted text.
    Changed,
    /// How the letters before are pronounced.
    Reading,
    /// Stands apart from the words around it.
    Apart,
    /// Looks like a block.
    Block,
    /// Keeps the line breaks of its source.
    Lines,
}

/// What an element of HTML means.
pub(super) fn of(tag: Tag) -> Meaning {
    match tag.name() {
        b"main" => Meaning::Part(Part::Main),
        b"article" => Meaning::Part(Part::Article),
        _ if tag.is("role", "main") => Meaning::Part(Part::Main),
        _ if tag.is("role", "article") => Meaning::Part(Part::Article),
        b"section" | b"blockquote" => Meaning::Part(Part::Section),
        b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" | b"dt" | b"summary" | b"legend" | b"th" => {
            Meaning::Part(Part::Heading)
        }
        b"sup" => Meaning::Level(Level::Raised),
        b"sub" => Meaning::Level(Level::Lowered),
        b"a" => Meaning::Link,
        b"del" | b"ins" | b"s" | b"strike" => Meaning::Changed,
        b"rt" => Meaning::Reading,
        b"textarea" => Meaning::Lines,
        b"button" | b"label" | b"meter" | b"option" | b"output" | b"progress" | b"select" => Meaning::Apart,
        name if tag.has_attributes() => by_style(tag).or_else(|| by_name(tag)).unwrap_or(if_custom(name)),
        name => if_custom(name),
    }
}

fn by_style(tag: Tag) -> Option<Meaning> {
    let is = |property: &str, values: &[&str]| tag.is_styled(property, values);
    if is("display", &["block", "flex", "grid", "list-item", "table", "table-row"]) {
        Some(Meaning::Block)
    } else if is("white-space", &["pre", "pre-wrap", "pre-line", "break-spaces"]) {
        Some(Meaning::Lines)
    } else if is("vertical-align", &["super"])
        || tag.measures("vertical-align", |length| length > 0.0)
        || is_lifted(tag)
    {
        Some(Meaning::Level(Level::Raised))
    } else if is("vertical-align", &["sub"]) || tag.measures("vertical-align", |length| length < 0.0) {
        Some(Meaning::Level(Level::Lowered))
    } else if is("display", &["inline-block", "inline-flex", "table-cell"]) {
        Some(Meaning::Apart)
    } else {
        None
    }
}

/// Smaller letters above their place.
fn is_lifted(tag: Tag) -> bool {
    tag.is_styled("position", &["relative"])
        && tag.measures("top", |length| length < 0.0)
        && tag.style("font-size", |size| !size.is_empty())
}

/// What an element is by its role or class.
fn by_name(tag: Tag) -> Option<Meaning> {
    let is_role = |roles: &[&str]| roles.iter().any(|role| tag.is("role", role));
    if is_role(&["row", "listitem"]) {
        return Some(Meaning::Block);
    }
    if is_role(&["cell", "gridcell", "columnheader", "rowheader"]) {
        return Some(Meaning::Apart);
    }
    match tag.name() {
        b"span" | b"font" => {}
        _ => return None,
    }
    if tag.any_word("class", |class| matches!(class, "sup" | "super" | "superscript")) {
        Some(Meaning::Level(Level::Raised))
    } else if tag.any_word("class", |class| matches!(class, "sub" | "subscript")) {
        Some(Meaning::Level(Level::Lowered))
    } else {
        None
    }
}

/// Elements that a page defines are most often boxes.
fn if_custom(name: &[u8]) -> Meaning {
    match name.contains(&b'-') {
        true => Meaning::Apart,
        false => Meaning::Named,
    }
}
