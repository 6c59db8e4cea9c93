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

/// The blocks of the main content: `<main>` if it has a third of the text, or else an `<article>` with two thirds. If neither
/// is there, these are all blocks: pages that mark something else as their main content lose nothing.
pub(super) fn main(mut blocks: Vec<Placed>, articles: usize) -> Vec<Placed> {
    let bytes =
        |zone| blocks.iter().filter(|placed| placed.zone == zone).map(|placed| placed.block.len()).sum::<usize>();
    let (main, article, page) = (bytes(Zone::Main), bytes(Zone::Article), bytes(Zone::Page));
    let zone = match articles {
        _ if main > 0 && main * 2 >= article + page => Zone::Main,
        1 if main == 0 && article > 0 && article >= 2 * page => Zone::Article,
        _ => return blocks,
    };
    // Many pages have their title above their main content.
    let is_title = |block: &Block| matches!(block, Block::Heading(1, _));
    let has_title = blocks.iter().any(|placed| placed.zone == zone && is_title(&placed.block));
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
        main(blocks.iter().map(placed).collect(), 1).iter().map(|placed| placed.block.text_in_cell()).collect()
    }

    #[test]
    fn the_main_content_goes_alone_with_its_title() {
        let page =
            [(Zone::Page, "# Title"), (Zone::Page, "menu"), (Zone::Main, "the story of it"), (Zone::Article, "more")];
        assert_eq!(texts(&page), ["Title", "the story of it"]);
        assert_eq!(texts(&[(Zone::Article, "the long story"), (Zone::Page, "comment")]), ["the long story"]);
    }

    #[test]
    fn a_small_part_is_not_taken_for_the_whole() {
        let page = [(Zone::Main, "app"), (Zone::Page, "a long text outside of it")];
        assert_eq!(texts(&page), ["app", "a long text outside of it"]);
        assert_eq!(texts(&[(Zone::Page, "a"), (Zone::Page, "b")]), ["a", "b"]);
    }
}
