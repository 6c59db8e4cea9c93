//! The parts of a page that are not its text: code, navigation, controls and hidden elements.

use html5gum::StartTag;

/// Elements whose content is skipped.
const CLUTTER: &[&[u8]] = &[
    b"audio",
    b"button",
    b"canvas",
    b"iframe",
    b"math",
    b"nav",
    b"noscript",
    b"object",
    b"script",
    b"select",
    b"style",
    b"svg",
    b"template",
    b"textarea",
    b"video",
];

/// Elements that cannot have content.
const VOID: &[&[u8]] = &[
    b"area", b"base", b"br", b"col", b"embed", b"hr", b"img", b"input", b"link", b"meta", b"source", b"track", b"wbr",
];

/// Elements that begin the content of a page: an unclosed `<nav>` before them ends there.
const CONTENT: &[&[u8]] = &[b"article", b"main"];

/// The element being skipped, if any.
#[derive(Debug, Default)]
pub(super) struct Skip {
    name: Vec<u8>,
    /// Number of open elements of that name.
    depth: usize,
}

impl Skip {
    /// Whether text is skipped at this position.
    pub(super) fn is_skipping(&self) -> bool {
        self.depth > 0
    }

    /// Processes a start tag; true if it is skipped.
    pub(super) fn start(&mut self, tag: &StartTag<()>) -> bool {
        let name = tag.name.as_slice();
        let hidden = tag.attributes.contains_key(b"hidden".as_slice());
        if self.is_skipping() && self.name == b"nav" && CONTENT.contains(&name) {
            self.depth = 0;
        }
        if self.is_skipping() {
            self.depth += usize::from(self.name == name);
        } else if !VOID.contains(&name) && (hidden || CLUTTER.contains(&name)) {
            self.name = name.to_owned();
            self.depth = 1;
        }
        self.is_skipping()
    }

    /// Processes an end tag; true if it is skipped.
    pub(super) fn end(&mut self, name: &[u8]) -> bool {
        let skipped = self.is_skipping();
        if skipped && self.name == name {
            self.depth -= 1;
        }
        skipped
    }
}
