//! The part of a page that is seen: its own box, and the paths that content is clipped to.

use hayro_font::kurbo::{Affine, Point, Rect};

/// The bounds of what is seen. A path that is no rectangle shows less than its bounds; what that hides is still read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clip(Rect);

/// The bounds of the path that is being drawn, and whether it becomes a clip.
#[derive(Debug, Default)]
pub(super) struct Outline {
    bounds: Option<Rect>,
    clips: bool,
}

impl Clip {
    pub(super) fn new(bounds: Rect) -> Self {
        Self(bounds)
    }

    /// What is seen of this within a rectangle that this matrix places.
    pub(super) fn within(self, rect: Rect, matrix: Affine) -> Self {
        let bounds = matrix.transform_rect_bbox(rect);
        match bounds.is_finite() {
            true => self.both(bounds),
            false => self,
        }
    }

    pub(super) fn shows(self, point: Point) -> bool {
        let Rect { x0, y0, x1, y1 } = self.0;
        (x0..=x1).contains(&point.x) && (y0..=y1).contains(&point.y)
    }

    fn both(self, bounds: Rect) -> Self {
        let (a, b) = (self.0, bounds);
        Self(Rect { x0: a.x0.max(b.x0), y0: a.y0.max(b.y0), x1: a.x1.min(b.x1), y1: a.y1.min(b.y1) })
    }
}

impl Outline {
    pub(super) fn point(&mut self, point: Point) {
        if point.is_finite() {
            let bounds = self.bounds.unwrap_or_else(|| Rect::from_points(point, point));
            self.bounds = Some(bounds.union_pt(point));
        }
    }

    /// The path becomes a clip once it ends.
    pub(super) fn clip(&mut self) {
        self.clips = true;
    }

    /// Ends the path.
    pub(super) fn end(&mut self, clip: &mut Clip) {
        let done = std::mem::take(self);
        if let (true, Some(bounds)) = (done.clips, done.bounds) {
            *clip = clip.both(bounds);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_clips_once_it_ends_and_only_if_it_was_told_to() {
        let mut clip = Clip::new(Rect::new(0.0, 0.0, 100.0, 100.0));
        let mut outline = Outline::default();
        let corners = [Point::new(20.0, 20.0), Point::new(40.0, 40.0)];
        corners.iter().for_each(|corner| outline.point(*corner));
        outline.end(&mut clip);
        assert!(clip.shows(Point::new(50.0, 50.0)));
        corners.iter().for_each(|corner| outline.point(*corner));
        outline.clip();
        assert!(clip.shows(Point::new(50.0, 50.0)));
        outline.end(&mut clip);
        assert!(!clip.shows(Point::new(50.0, 50.0)) && clip.shows(Point::new(30.0, 30.0)));
    }

    #[test]
    fn clips_that_share_nothing_show_nothing() {
        let clip = Clip::new(Rect::new(0.0, 0.0, 10.0, 10.0));
        let clip = clip.within(Rect::new(0.0, 0.0, 10.0, 10.0), Affine::translate((20.0, 0.0)));
        assert!(![5.0, 15.0, 25.0].iter().any(|x| clip.shows(Point::new(*x, 5.0))));
    }
}
