//! What a part refers to: pictures, notes, styles and the like.

use std::collections::BTreeMap;

use quick_xml::events::Event;

use super::xml::{Xml, attribute};
use crate::reject::Reject;

/// One relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relation {
    /// What the part calls it.
    pub(crate) id: String,
    /// The last word of its type: "header", "chart".
    pub(crate) kind: String,
    /// The name of the other part.
    pub(crate) target: String,
}

/// The relations of a part to others of the package, in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Relations {
    all: Vec<Relation>,
    by_id: BTreeMap<String, usize>,
    by_target: BTreeMap<String, usize>,
}

impl Relations {
    pub(super) fn read(mut xml: Xml<'_>, folder: &str) -> Result<Self, Reject> {
        let mut relations = Self::default();
        while let Some(event) = xml.next()? {
            let Event::Start(tag) = event else {
                continue;
            };
            if tag.local_name().as_ref() != "Relationship"
                || attribute(&tag, "TargetMode").as_deref() == Some("External")
            {
                continue;
            }
            let kind = attribute(&tag, "Type").unwrap_or_default();
            let target = attribute(&tag, "Target").unwrap_or_default().replace('\\', "/");
            relations.push(Relation {
                id: attribute(&tag, "Id").unwrap_or_default(),
                kind: kind.rsplit('/').next().unwrap_or_default().to_owned(),
                target: match target.starts_with('/') || folder.is_empty() {
                    true => target,
                    false => format!("{folder}/{target}"),
                },
            });
        }
        Ok(relations)
    }

    fn push(&mut self, relation: Relation) {
        self.by_id.entry(relation.id.clone()).or_insert(self.all.len());
        self.by_target.entry(relation.target.clone()).or_insert(self.all.len());
        self.all.push(relation);
    }

    /// The part with this id.
    pub(crate) fn target(&self, id: &str) -> Option<&str> {
        self.by_id.get(id).and_then(|place| self.all.get(*place)).map(|relation| relation.target.as_str())
    }

    /// What kind of part this one is.
    pub(crate) fn kind(&self, target: &str) -> Option<&str> {
        self.by_target.get(target).and_then(|place| self.all.get(*place)).map(|relation| relation.kind.as_str())
    }

    /// The parts of a kind.
    pub(crate) fn of_kind<'s, 'k>(&'s self, kind: &'k str) -> impl Iterator<Item = &'s Relation> + use<'s, 'k> {
        self.all.iter().filter(move |relation| relation.kind.eq_ignore_ascii_case(kind))
    }

    /// The first part of a kind.
    pub(crate) fn first(&self, kind: &str) -> Option<&str> {
        self.of_kind(kind).next().map(|relation| relation.target.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::super::xml::sample as xml;
    use super::*;

    #[test]
    fn targets_are_names_of_parts_and_external_ones_are_left_out() {
        let relations = Relations::read(
            xml("<R><Relationship Id='a' Type='http://x/chart' Target='charts\\c.xml'/>\
                 <Relationship Id='b' Type='http://x/image' Target='/media/i.png'/>\
                 <Relationship Id='c' Type='http://x/hyperlink' Target='http://y' TargetMode='External'/></R>"),
            "word",
        )
        .unwrap();
        assert_eq!(relations.first("chart"), Some("word/charts/c.xml"));
        assert_eq!(relations.target("b"), Some("/media/i.png"));
        assert_eq!(relations.target("c"), None);
    }
}
