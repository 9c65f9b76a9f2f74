//! Points, turned rectangles and homographies. Pure arithmetic.

use super::page::{Point, Quad};

/// A 3x3 homography, row-major, that maps points of one plane to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Homography(pub(crate) [[f64; 3]; 3]);

impl Homography {
    /// Maps every point to itself.
    pub(crate) const IDENTITY: Self = Self([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);

    /// The homography that takes the four points `from` to the four points `to`, or `None` where three of them are in line.
    pub(crate) fn between(from: [Point; 4], to: [Point; 4]) -> Option<Self> {
        let mut rows = [[0.0; 9]; 8];
        for (i, (f, t)) in from.iter().zip(to).enumerate() {
            let (x, y, u, v) = (f64::from(f.x), f64::from(f.y), f64::from(t.x), f64::from(t.y));
            rows[2 * i] = [x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u];
            rows[2 * i + 1] = [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v];
        }
        let [a, b, c, d, e, f, g, h] = solve(rows)?;
        Some(Self([[a, b, c], [d, e, f], [g, h, 1.0]]))
    }

    /// Turns the plane by `radians` (clockwise on screen, where y points down) about the origin.
    pub(crate) fn rotation(radians: f64) -> Self {
        let (sin, cos) = radians.sin_cos();
        Self([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    }

    /// Moves every point by (`dx`, `dy`).
    pub(crate) fn translation(dx: f64, dy: f64) -> Self {
        Self([[1.0, 0.0, dx], [0.0, 1.0, dy], [0.0, 0.0, 1.0]])
    }

    /// The map that applies `self` first and `next` after it.
    pub(crate) fn then(&self, next: &Self) -> Self {
        let mut product = [[0.0; 3]; 3];
        for (row, line) in product.iter_mut().enumerate() {
            for (column, cell) in line.iter_mut().enumerate() {
                *cell = (0..3).map(|k| next.0[row][k] * self.0[k][column]).sum();
            }
        }
        Self(product)
    }

    /// The map back, or `None` where this map folds the plane into a line.
    pub(crate) fn inverse(&self) -> Option<Self> {
        let [[a, b, c], [d, e, f], [g, h, i]] = self.0;
        let determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
        if determinant.abs() < 1e-12 {
            return None;
        }
        let scaled = |x: f64| x / determinant;
        Some(Self([
            [scaled(e * i - f * h), scaled(c * h - b * i), scaled(b * f - c * e)],
            [scaled(f * g - d * i), scaled(a * i - c * g), scaled(c * d - a * f)],
            [scaled(d * h - e * g), scaled(b * g - a * h), scaled(a * e - b * d)],
        ]))
    }

    /// Where a point lands.
    pub(crate) fn map(&self, point: Point) -> Point {
        let (x, y) = (f64::from(point.x), f64::from(point.y));
        let [[a, b, c], [d, e, f], [g, h, i]] = self.0;
        let w = g * x + h * y + i;
        Point { x: ((a * x + b * y + c) / w) as f32, y: ((d * x + e * y + f) / w) as f32 }
    }

    /// Where the four corners land.
    pub(crate) fn map_quad(&self, quad: &Quad) -> Quad {
        Quad(quad.0.map(|corner| self.map(corner)))
    }

    /// The matrix in single precision, as pages carry it.
    pub(crate) fn to_f32(self) -> [[f32; 3]; 3] {
        self.0.map(|row| row.map(|cell| cell as f32))
    }
}

/// Solves eight linear equations in eight unknowns by elimination with pivoting.
fn solve(mut rows: [[f64; 9]; 8]) -> Option<[f64; 8]> {
    for column in 0..8 {
        let pivot = (column..8).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))?;
        if rows[pivot][column].abs() < 1e-9 {
            return None;
        }
        rows.swap(column, pivot);
        let pivot_row = rows[column];
        for (i, row) in rows.iter_mut().enumerate() {
            if i != column {
                let factor = row[column] / pivot_row[column];
                row.iter_mut().zip(pivot_row).for_each(|(cell, above)| *cell -= factor * above);
            }
        }
    }
    Some(std::array::from_fn(|i| rows[i][8] / rows[i][i]))
}

/// A rectangle turned by any angle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TurnedRect {
    /// Middle.
    pub(crate) center: Point,
    /// Extent along `angle`, in pixels.
    pub(crate) width: f32,
    /// Extent across `angle`, in pixels.
    pub(crate) height: f32,
    /// Direction of `width`, in radians, clockwise on screen.
    pub(crate) angle: f32,
}

impl TurnedRect {
    /// The smallest rectangle around these points: one of its sides lies on a side of their convex hull.
    pub(crate) fn around(points: &mut Vec<(i32, i32)>) -> Option<Self> {
        let hull = convex_hull(points);
        let first = *hull.first()?;
        let mut best: Option<(f32, Self)> = None;
        for (i, a) in hull.iter().enumerate() {
            let b = hull.get(i + 1).copied().unwrap_or(first);
            let (dx, dy) = ((b.0 - a.0) as f32, (b.1 - a.1) as f32);
            let length = dx.hypot(dy);
            let (ux, uy) = if length > 0.0 { (dx / length, dy / length) } else { (1.0, 0.0) };
            let mut along = (f32::INFINITY, f32::NEG_INFINITY);
            let mut across = (f32::INFINITY, f32::NEG_INFINITY);
            for p in &hull {
                let (x, y) = (p.0 as f32, p.1 as f32);
                let (s, t) = (x * ux + y * uy, y * ux - x * uy);
                along = (along.0.min(s), along.1.max(s));
                across = (across.0.min(t), across.1.max(t));
            }
            let (width, height) = (along.1 - along.0, across.1 - across.0);
            if best.as_ref().is_none_or(|(area, _)| width * height < *area) {
                let (s, t) = ((along.0 + along.1) / 2.0, (across.0 + across.1) / 2.0);
                let center = Point { x: s * ux - t * uy, y: s * uy + t * ux };
                best = Some((width * height, Self { center, width, height, angle: uy.atan2(ux) }));
            }
        }
        best.map(|(_, rect)| rect)
    }

    /// The same rectangle, described so that `angle` lies within 45 degrees of `direction`.
    pub(crate) fn facing(self, direction: f32) -> Self {
        use std::f32::consts::{FRAC_PI_2, FRAC_PI_4};
        let mut turned = self;
        while turned.angle - direction > FRAC_PI_4 {
            turned = Self { angle: turned.angle - FRAC_PI_2, width: turned.height, height: turned.width, ..turned };
        }
        while turned.angle - direction < -FRAC_PI_4 {
            turned = Self { angle: turned.angle + FRAC_PI_2, width: turned.height, height: turned.width, ..turned };
        }
        turned
    }

    /// The same rectangle with `width` the longer side.
    pub(crate) fn lengthwise(self) -> Self {
        if self.width >= self.height { self } else { self.facing(self.angle + std::f32::consts::FRAC_PI_2) }
    }

    /// The four corners, from the start of the direction `angle`, on its left side first.
    pub(crate) fn corners(&self) -> Quad {
        let (sin, cos) = self.angle.sin_cos();
        let corner = |sx: f32, sy: f32| {
            let (x, y) = (sx * self.width / 2.0, sy * self.height / 2.0);
            Point { x: self.center.x + x * cos - y * sin, y: self.center.y + x * sin + y * cos }
        };
        Quad([corner(-1.0, -1.0), corner(1.0, -1.0), corner(1.0, 1.0), corner(-1.0, 1.0)])
    }

    /// Whether a point lies inside.
    pub(crate) fn contains(&self, x: f32, y: f32) -> bool {
        let (sin, cos) = self.angle.sin_cos();
        let (dx, dy) = (x - self.center.x, y - self.center.y);
        (dx * cos + dy * sin).abs() <= self.width / 2.0 && (dy * cos - dx * sin).abs() <= self.height / 2.0
    }
}

/// Corners of the convex hull (Andrew's monotone chain), without repeating the first; sorts its input.
fn convex_hull(points: &mut Vec<(i32, i32)>) -> Vec<(i32, i32)> {
    points.sort_unstable();
    points.dedup();
    if points.len() < 3 {
        return points.clone();
    }
    let cross = |o: (i32, i32), a: (i32, i32), b: (i32, i32)| {
        i64::from(a.0 - o.0) * i64::from(b.1 - o.1) - i64::from(a.1 - o.1) * i64::from(b.0 - o.0)
    };
    let chain = |ordered: &mut dyn Iterator<Item = (i32, i32)>| {
        let mut hull: Vec<(i32, i32)> = Vec::new();
        for p in ordered {
            while hull.len() >= 2 && cross(hull[hull.len() - 2], hull[hull.len() - 1], p) <= 0 {
                hull.pop();
            }
            hull.push(p);
        }
        hull.pop();
        hull
    };
    let mut hull = chain(&mut points.iter().copied());
    hull.append(&mut chain(&mut points.iter().rev().copied()));
    hull
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: Point, b: Point) -> bool {
        (a.x - b.x).abs() < 1e-2 && (a.y - b.y).abs() < 1e-2
    }

    #[test]
    fn a_homography_takes_the_corners_where_they_belong_and_its_inverse_back() {
        let from = Quad::from_edges(0.0, 0.0, 100.0, 50.0).0;
        let to = [Point { x: 10.0, y: 12.0 }, Point { x: 120.0, y: 5.0 }, Point { x: 130.0, y: 80.0 }, Point { x: 3.0, y: 70.0 }];
        let map = Homography::between(from, to).unwrap();
        let back = map.inverse().unwrap();
        for (f, t) in from.iter().zip(to) {
            assert!(close(map.map(*f), t));
            assert!(close(back.map(t), *f));
        }
    }

    #[test]
    fn three_points_in_line_make_no_homography() {
        let p = |x: f32| Point { x, y: x };
        assert!(Homography::between([p(0.0), p(1.0), p(2.0), p(3.0)], Quad::from_edges(0.0, 0.0, 1.0, 1.0).0).is_none());
    }

    #[test]
    fn a_turn_and_its_reverse_cancel_out() {
        let there = Homography::rotation(0.3).then(&Homography::translation(5.0, -2.0));
        let back = Homography::translation(-5.0, 2.0).then(&Homography::rotation(-0.3));
        let p = Point { x: 7.0, y: 9.0 };
        assert!(close(there.then(&back).map(p), p));
    }

    #[test]
    fn the_smallest_rectangle_around_a_slanted_strip_is_slanted() {
        let mut strip: Vec<(i32, i32)> = (0..100).flat_map(|x| [(x, x / 2), (x - 4, x / 2 + 8)]).collect();
        let rect = TurnedRect::around(&mut strip).unwrap().lengthwise();
        assert!((rect.angle.rem_euclid(std::f32::consts::PI) - 0.5_f32.atan()).abs() < 0.02, "{rect:?}");
        assert!((rect.width - 110.7).abs() < 2.0 && (rect.height - 8.9).abs() < 1.0, "{rect:?}");
    }

    #[test]
    fn a_rectangle_can_be_described_from_each_side() {
        let rect = TurnedRect { center: Point { x: 5.0, y: 5.0 }, width: 10.0, height: 2.0, angle: 0.1 };
        let upright = rect.facing(std::f32::consts::FRAC_PI_2);
        assert_eq!((upright.width, upright.height), (2.0, 10.0));
        assert!(rect.contains(8.0, 5.2) && upright.contains(8.0, 5.2) && !upright.contains(5.0, 8.0));
    }
}
