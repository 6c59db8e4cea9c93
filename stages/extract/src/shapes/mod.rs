//! What office documents show: pictures, and charts and diagrams in parts of their own.

mod chart;
mod diagram;
mod picture;

use crate::block::Block;
use crate::package::{Package, Relations, spare};
use crate::reject::Reject;
pub(crate) use picture::Picture;

/// The kinds of relation to a part that this module reads.
const KINDS: &[&str] = &["chart", "chartEx", "diagramData"];

/// The names of all charts and diagrams of a part.
pub(crate) fn all(relations: &Relations) -> Vec<String> {
    KINDS.iter().flat_map(|kind| relations.of_kind(kind)).map(|relation| relation.target.clone()).collect()
}

/// The text of a chart or a diagram; nothing if it is damaged, or neither.
///
/// # Errors
/// It unpacks to too much.
pub(crate) fn read(package: &Package<'_>, relations: &Relations, name: &str) -> Result<Vec<Block>, Reject> {
    let Some(kind) = relations.kind(name).filter(|kind| KINDS.iter().any(|known| known.eq_ignore_ascii_case(kind)))
    else {
        return Ok(Vec::new());
    };
    let Some(xml) = spare(package.xml(name))? else {
        return Ok(Vec::new());
    };
    spare(match kind {
        "diagramData" => diagram::read(xml, package.limit()),
        _ => chart::read(xml, package.limit()),
    })
}
