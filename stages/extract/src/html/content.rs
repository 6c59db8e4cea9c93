//! The main content of a page: what its author marked as such, if that is most of the page.

use super::block::Block;

/// Where in the page a block stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    /// In `<main>`.
    Main,
    /// In an `<article>`, but not in `<main>`.
    Article,
    /// Elsewhere.
    Page,
}

/// A block of a page.
#[derive(Debug)]
pub(super) struct Placed {
    /// The block.
    pub(super) block: Block,
    /// Where it stands.
    pub(super) zone: Zone,
}

/// The blocks of the main content. Without one, or if it has less than half of the text, these are all blocks: pages that
/// mark something else as their main content lose nothing.
pub(super) fn main(blocks: Vec<Placed>) -> Vec<Placed> {
    let bytes = |zone| blocks.iter().filter(|placed| placed.zone == zone).map(|placed| placed.block.len()).sum::<usize>();
    let (main, article, page) = (bytes(Zone::Main), bytes(Zone::Article), bytes(Zone::Page));
    let zone = match (main, article) {
        (1.., _) => Zone::Main,
        (0, 1..) => Zone::Article,
        (0, 0) => return blocks,
    };
    if main.max(if main > 0 { 0 } else { article }) * 2 < main + article + page {
        return blocks;
    }
    // Many pages have their title above their main content.
    let is_title = |block: &Block| matches!(block, Block::Heading(1, _));
    let has_title = blocks.iter().any(|placed| placed.zone == zone && is_title(&placed.block));
    let mut blocks = blocks;
    blocks.retain(|placed| placed.zone == zone || (!has_title && is_title(&placed.block)));
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(blocks: &[(Zone, &str)]) -> Vec<String> {
        let placed = |(zone, text): &(Zone, &str)| Placed {
            zone: *zone,
            block: match text.strip_prefix("# ") {
                Some(text) => Block::Heading(1, text.to_owned()),
                None => Block::Paragraph((*text).to_owned()),
            },
        };
        main(blocks.iter().map(placed).collect()).iter().map(|placed| placed.block.text_in_cell()).collect()
    }

    #[test]
    fn the_main_content_goes_alone_with_its_title() {
        let page = [(Zone::Page, "# Title"), (Zone::Page, "menu"), (Zone::Main, "the story of it"), (Zone::Article, "more")];
        assert_eq!(texts(&page), ["Title", "the story of it"]);
        assert_eq!(texts(&[(Zone::Article, "the story"), (Zone::Page, "comment")]), ["the story"]);
    }

    #[test]
    fn a_small_part_is_not_taken_for_the_whole() {
        let page = [(Zone::Main, "app"), (Zone::Page, "a long text outside of it")];
        assert_eq!(texts(&page), ["app", "a long text outside of it"]);
        assert_eq!(texts(&[(Zone::Page, "a"), (Zone::Page, "b")]), ["a", "b"]);
    }
}
