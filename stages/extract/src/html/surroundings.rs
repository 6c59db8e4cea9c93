//! Which parts of the page the current position is in.

use super::content::Zone;
use super::visible::Place;

/// The number of open elements of each kind.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// Headings, terms, summaries.
    headings: usize,
    /// Sections and quotations.
    sections: usize,
    mains: usize,
    articles: usize,
    /// How many articles there were that are not in another.
    outer_articles: usize,
}

/// A part of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// A heading, a term or a summary.
    Heading,
    /// A section or a quotation.
    Section,
    /// The main content.
    Main,
    /// An article.
    Article,
}

impl Surroundings {
    /// A part begins.
    pub(super) fn enter(&mut self, part: Part) {
        self.outer_articles += usize::from(part == Part::Article && self.articles == 0);
        *self.count(part) += 1;
    }

    /// A part ends.
    pub(super) fn leave(&mut self, part: Part) {
        let count = self.count(part);
        *count = count.saturating_sub(1);
    }

    /// How many articles there were that are not in another.
    pub(super) fn outer_articles(&self) -> usize {
        self.outer_articles
    }

    /// What matters of this for a tag.
    pub(super) fn place(&self) -> Place {
        match (self.headings, self.sections + self.mains + self.articles) {
            (1.., _) => Place::Heading,
            (0, 1..) => Place::Content,
            (0, 0) => Place::Page,
        }
    }

    /// What matters of this for text.
    pub(super) fn zone(&self) -> Zone {
        match (self.mains, self.articles) {
            (1.., _) => Zone::Main,
            (0, 1..) => Zone::Article,
            (0, 0) => Zone::Page,
        }
    }

    fn count(&mut self, part: Part) -> &mut usize {
        match part {
            Part::Heading => &mut self.headings,
            Part::Section => &mut self.sections,
            Part::Main => &mut self.mains,
            Part::Article => &mut self.articles,
        }
    }
}
