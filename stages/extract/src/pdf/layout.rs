//! Arranges the spans of a page as lines of text.

use hayro_font::kurbo::Vec2;

use super::columns;
use super::initials;
use super::lines::{Break, Lie, Line, line};
use super::rows::rows;
use super::scripts;
use super::span::Span;
use super::strays;
use super::twice;

/// Lines this many times further apart than usual are different paragraphs.
const PARAGRAPH: f64 = 1.35;
/// Sizes of text that differ by this share are not those of one paragraph.
const OTHER_SIZE: f64 = 0.1;
/// Directions of text that differ by fewer degrees are one: pages are scanned askew.
const SAME_DIRECTION: f64 = 3.0;
/// The maximum number of directions of a page.
const MOST_DIRECTIONS: usize = 90;

/// Text of one direction.
struct Direction {
    /// Degrees from the horizontal, counterclockwise.
    angle: f64,
    length: usize,
    spans: Vec<Span>,
}

/// The lines of a page: each direction of text separately, the most frequent first.
pub(super) fn lines(spans: Vec<Span>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for direction in directions(spans) {
        let (angle, lie) = match direction.angle.abs() <= SAME_DIRECTION {
            true => (direction.angle, Lie::Upright),
            false => (direction.angle, Lie::Turned),
        };
        let along = Vec2::from_angle(angle.to_radians());
        let mut spans = direction.spans;
        spans.iter_mut().for_each(|span| span.turn(along));
        let mut spans = twice::removed(spans);
        strays::join(&mut spans);
        scripts::mark(&mut spans);
        initials::join(&mut spans);
        let mut own = paragraphs(&spans, lie);
        if let Some(first) = own.first_mut() {
            first.before = Break::Paragraph;
        }
        lines.append(&mut own);
    }
    lines
}

fn directions(spans: Vec<Span>) -> Vec<Direction> {
    let mut directions: Vec<Direction> = Vec::new();
    for span in spans {
        let angle = span.along.angle().to_degrees();
        let near = directions.iter().position(|known| turn(known.angle, angle).abs() <= SAME_DIRECTION);
        // More directions than anybody draws are read as one.
        let known = near.or((directions.len() >= MOST_DIRECTIONS).then_some(0));
        match known.and_then(|known| directions.get_mut(known)) {
            Some(direction) => {
                // The longest text says best which way it runs.
                let length = direction.length + span.text.len();
                direction.angle += turn(direction.angle, angle) * span.text.len() as f64 / length as f64;
                direction.length = length;
                direction.spans.push(span);
            }
            None => directions.push(Direction { angle, length: span.text.len(), spans: vec![span] }),
        }
    }
    directions.sort_by_key(|direction| std::cmp::Reverse(direction.length));
    directions
}

/// How far to turn from one angle to another, in degrees.
fn turn(from: f64, to: f64) -> f64 {
    (to - from + 540.0).rem_euclid(360.0) - 180.0
}

fn paragraphs(spans: &[Span], lie: Lie) -> Vec<Line> {
    let page = rows(spans.iter().collect());
    let mut blocks: Vec<Vec<Line>> = Vec::new();
    for block in columns::blocks(spans.iter().collect()) {
        let lines =
            (0..block.len()).map(|number| line(&block, number, &page, lie)).filter(|line| !line.text.is_empty());
        blocks.push(lines.collect());
    }
    let usual = usual_leading(&blocks);
    let mut lines: Vec<Line> = blocks.into_iter().flatten().collect();
    for number in 1..lines.len() {
        let (last, line) = (&lines[number - 1], &lines[number]);
        let down = last.base - line.base;
        // At the start of a new column the position moves up: a paragraph may continue there, but not as a heading.
        let is_other = down < 0.0 && (last.size - line.size).abs() > OTHER_SIZE * line.size;
        if is_other || down > (usual * PARAGRAPH).max(last.size.min(line.size) * PARAGRAPH) {
            lines[number].before = Break::Paragraph;
        }
    }
    lines
}

/// The median distance between consecutive lines.
fn usual_leading(blocks: &[Vec<Line>]) -> f64 {
    let mut steps: Vec<f64> = blocks
        .iter()
        .flat_map(|lines| lines.windows(2).map(|pair| pair[0].base - pair[1].base))
        .filter(|step| *step > 0.0)
        .collect();
    steps.sort_by(f64::total_cmp);
    steps.get(steps.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_runs_askew_is_read_along_its_own_lines() {
        let along = Vec2::from_angle(30.0_f64.to_radians());
        let spans: Vec<Span> = ["first", "second"]
            .iter()
            .enumerate()
            .map(|(number, text)| {
                let mut span = Span::sample(text, (0.0, 40.0), 0.0);
                span.origin = (Vec2::new(along.y, -along.x) * (20.0 * number as f64)).to_point();
                span.along = along;
                span
            })
            .chain([Span::sample("level text that is longer", (0.0, 100.0), 300.0)])
            .collect();
        let texts: Vec<String> = lines(spans).into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["level text that is longer", "first", "second"]);
    }

    #[test]
    fn angles_are_compared_across_the_turn_of_the_circle() {
        assert!((turn(179.0, -179.0) - 2.0).abs() < 1e-9);
        assert!((turn(10.0, 350.0) + 20.0).abs() < 1e-9);
    }
}
