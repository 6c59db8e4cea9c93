//! Charts: their titles, and their values as a table with a column for each series.

use std::collections::BTreeMap;

use quick_xml::events::Event;

use crate::block::Block;
use crate::package::{Xml, number, reference};
use crate::reject::Reject;

/// More points and series than a person can see.
const MOST_POINTS: u32 = 2000;
const MOST_SERIES: usize = 100;

#[derive(Debug, Default)]
struct Series {
    name: String,
    categories: BTreeMap<u32, String>,
    values: BTreeMap<u32, String>,
}

/// What the text being read belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Nothing,
    Name,
    Categories,
    Values,
}

/// Reads a chart.
///
/// # Errors
/// The XML is not well-formed, or has too much text.
pub(super) fn read(mut xml: Xml<'_>, limit: usize) -> Result<Vec<Block>, Reject> {
    let mut titles: Vec<String> = Vec::new();
    let mut series: Vec<Series> = Vec::new();
    let (mut of, mut point, mut in_text, mut in_series) = (Of::Nothing, 0, false, false);
    let mut text = String::new();
    let mut size = 0_usize;
    let mut is_full = false;
    while let Some(event) = xml.next()? {
        match event {
            Event::Start(tag) => match tag.local_name().as_ref() {
                "title" | "rich" => text.clear(),
                "ser" | "series" => {
                    in_series = true;
                    is_full = series.len() >= MOST_SERIES;
                    if !is_full {
                        series.push(Series::default());
                    }
                }
                "tx" if in_series => of = Of::Name,
                "cat" | "xVal" | "strDim" => of = Of::Categories,
                "val" | "yVal" | "bubbleSize" | "numDim" => of = Of::Values,
                "pt" => {
                    point = number(&tag, "idx").unwrap_or(0);
                    text.clear();
                    // The chart formats of 2016 have the value in the point itself.
                    in_text = true;
                }
                "v" | "t" => in_text = true,
                "f" | "formatCode" => in_text = false,
                _ => {}
            },
            Event::End(tag) => match tag.local_name().as_ref() {
                "v" | "pt" => {
                    let value = text.split_whitespace().collect::<Vec<_>>().join(" ");
                    if let (false, Some(series)) = (value.is_empty() || is_full, series.last_mut()) {
                        match of {
                            Of::Name => series.name = value,
                            Of::Categories if point < MOST_POINTS => drop(series.categories.insert(point, value)),
                            Of::Values if point < MOST_POINTS => drop(series.values.insert(point, value)),
                            _ => {}
                        }
                    }
                    text.clear();
                    in_text = false;
                }
                "t" => in_text = false,
                "p" if !text.is_empty() => text.push(' '),
                "title" => {
                    let title = text.split_whitespace().collect::<Vec<_>>().join(" ");
                    if !title.is_empty() && !titles.contains(&title) && titles.len() < MOST_SERIES {
                        titles.push(title);
                    }
                    text.clear();
                }
                "tx" | "cat" | "xVal" | "val" | "yVal" | "bubbleSize" | "strDim" | "numDim" => of = Of::Nothing,
                "ser" | "series" => in_series = false,
                _ => {}
            },
            Event::Text(words) if in_text => {
                size += words.len();
                text.push_str(&words.xml10_content());
            }
            Event::GeneralRef(entity) if in_text => text.push_str(&reference(&entity)),
            _ => {}
        }
        if size > limit {
            return Err(Reject::TooLarge(limit));
        }
    }
    let mut blocks: Vec<Block> = titles.into_iter().map(Block::Paragraph).collect();
    blocks.extend(table(&series));
    Ok(blocks)
}

fn table(series: &[Series]) -> Option<Block> {
    let places: Vec<u32> = {
        let mut places: Vec<u32> =
            series.iter().flat_map(|series| series.values.keys().chain(series.categories.keys())).copied().collect();
        places.sort_unstable();
        places.dedup();
        places
    };
    if places.is_empty() {
        return None;
    }
    let head = std::iter::once(String::new()).chain(series.iter().map(|series| series.name.clone())).collect();
    let row = |place: &u32| {
        let category = series.iter().find_map(|series| series.categories.get(place)).cloned().unwrap_or_default();
        let values = series.iter().map(|series| series.values.get(place).cloned().unwrap_or_default());
        std::iter::once(category).chain(values).collect()
    };
    Some(Block::Table(std::iter::once(head).chain(places.iter().map(row)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::sample;

    #[test]
    fn titles_and_values_of_a_chart_are_read() {
        let chart = "<c:chartSpace><c:chart><c:title><c:tx><c:rich><a:p><a:r><a:t>Sales </a:t></a:r><a:r><a:t>2024</a:t></a:r></a:p>\
            </c:rich></c:tx></c:title><c:plotArea><c:barChart><c:ser><c:tx><c:strRef><c:f>A!$B$1</c:f><c:strCache>\
            <c:pt idx='0'><c:v>North</c:v></c:pt></c:strCache></c:strRef></c:tx><c:cat><c:strRef><c:strCache><c:ptCount val='2'/>\
            <c:pt idx='0'><c:v>Q1</c:v></c:pt><c:pt idx='1'><c:v>Q2</c:v></c:pt></c:strCache></c:strRef></c:cat><c:val><c:numRef>\
            <c:numCache><c:formatCode>General</c:formatCode><c:pt idx='0'><c:v>5</c:v></c:pt><c:pt idx='1'><c:v>7</c:v></c:pt>\
            </c:numCache></c:numRef></c:val></c:ser></c:barChart><c:valAx><c:title><c:tx><c:rich><a:p><a:r><a:t>Tonnes</a:t></a:r>\
            </a:p></c:rich></c:tx></c:title></c:valAx></c:plotArea></c:chart></c:chartSpace>";
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        assert_eq!(
            read(sample(chart), 1000).unwrap(),
            [
                Block::Paragraph("Sales 2024".into()),
                Block::Paragraph("Tonnes".into()),
                Block::Table(vec![row(["", "North"]), row(["Q1", "5"]), row(["Q2", "7"])]),
            ]
        );
    }
}
