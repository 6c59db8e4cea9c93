//! A page before and after it is read.

use super::content::Placed;
use crate::content::Content;

/// How to read a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options<'a> {
    /// What of it is text.
    pub(super) content: Content,
    /// Whether "/>" ends any element.
    pub(super) is_xml: bool,
    /// The start tags of elements that are shown, because their end tag is missing.
    pub(super) unended: &'a [usize],
    /// Most bytes of text.
    pub(super) limit: usize,
}

/// A page that was read.
#[derive(Debug)]
pub(super) struct Page {
    /// Its blocks.
    pub(super) blocks: Vec<Placed>,
    /// Its title, or nothing.
    pub(super) title: String,
    /// How many articles are in it that are not in another.
    pub(super) articles: usize,
    /// The start tag of an element that was left out and has no end, so that the rest of the page was left out with it.
    pub(super) unended: Option<usize>,
}
