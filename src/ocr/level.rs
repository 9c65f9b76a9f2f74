//! How the text lies in a picture: the turn and the perspective that make its lines level and parallel. Pure.

use super::geometry::{Homography, TurnedRect};
use super::page::Point;

/// How the lines of a picture lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Slant {
    /// Direction in which the text runs in the middle of the picture, in radians, clockwise on screen, between -pi/2 and pi/2.
    pub(crate) angle: f32,
    /// How fast the direction changes across the lines: radians per pixel. 0 when the camera looks straight down.
    pub(crate) convergence: f32,
}

/// Weight of the belief that lines are parallel, as a number of long lines that say so; it keeps the noise of a few
/// short lines from bending a flat scan.
const PARALLEL_LINES: f32 = 1.0;

/// Lines that disagree with the others by more than this many radians are stamps, signatures and print on its side.
const OUTLIER: f32 = 0.06;

impl Slant {
    /// Fits the slant of a picture of this size to boxes of text; long lines count most. Level without any.
    pub(crate) fn of(rects: &[TurnedRect], width: f32, height: f32) -> Self {
        let long: Vec<TurnedRect> = rects.iter().map(|rect| rect.lengthwise()).filter(|rect| rect.width > 2.5 * rect.height).collect();
        // Doubled angles, so that both ends of a line say the same.
        let (sin, cos) = long.iter().fold((0.0, 0.0), |(sin, cos), rect| {
            let (s, c) = (2.0 * rect.angle).sin_cos();
            (sin + rect.width * s, cos + rect.width * c)
        });
        let mut slant = Self { angle: sin.atan2(cos) / 2.0, convergence: 0.0 };
        for _ in 0..3 {
            slant = slant.refined(&long, width, height);
        }
        slant
    }

    /// One step of a least-squares fit of `angle + convergence * distance` to the lines that are not outliers.
    fn refined(self, long: &[TurnedRect], width: f32, height: f32) -> Self {
        let (sin, cos) = self.angle.sin_cos();
        let size = width.max(height);
        // Normal equations of the weighted regression, distances in units of the picture's long side.
        let (mut n, mut sum_t, mut sum_tt, mut sum_d, mut sum_td) = (1e-6, 0.0, PARALLEL_LINES * 0.02, 0.0, 0.0);
        for rect in long {
            let (x, y) = (rect.center.x - width / 2.0, rect.center.y - height / 2.0);
            let across = (y * cos - x * sin) / size;
            let deviation = half_turn(rect.angle - self.angle);
            if (deviation - self.convergence * across * size).abs() > OUTLIER.max(2.0 * rect.height / rect.width * 0.1) {
                continue;
            }
            let weight = (rect.width / size).powi(2);
            n += weight;
            sum_t += weight * across;
            sum_tt += weight * across * across;
            sum_d += weight * deviation;
            sum_td += weight * across * deviation;
        }
        let determinant = n * sum_tt - sum_t * sum_t;
        if determinant < 1e-9 {
            return self;
        }
        let turn = (sum_d * sum_tt - sum_t * sum_td) / determinant;
        let convergence = (n * sum_td - sum_t * sum_d) / determinant / size;
        Self { angle: half_turn(self.angle + turn), convergence }
    }

    /// The map that levels the picture's text, about the picture's middle, which becomes the origin; `upside_down` turns it over.
    pub(crate) fn leveller(&self, width: f32, height: f32, upside_down: bool) -> Homography {
        let levelled = Homography::translation(f64::from(-width / 2.0), f64::from(-height / 2.0))
            .then(&Homography::rotation(f64::from(-self.angle)))
            .then(&Homography([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [f64::from(self.convergence), 0.0, 1.0]]));
        if upside_down { levelled.then(&Homography::rotation(std::f64::consts::PI)) } else { levelled }
    }

    /// The direction of text at a point of the picture.
    pub(crate) fn direction_at(&self, point: Point, width: f32, height: f32) -> f32 {
        let (sin, cos) = self.angle.sin_cos();
        self.angle + self.convergence * ((point.y - height / 2.0) * cos - (point.x - width / 2.0) * sin)
    }
}

/// The angle modulo half a turn, between -pi/2 and pi/2.
fn half_turn(angle: f32) -> f32 {
    use std::f32::consts::{FRAC_PI_2, PI};
    (angle + FRAC_PI_2).rem_euclid(PI) - FRAC_PI_2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(x: f32, y: f32, width: f32, angle: f32) -> TurnedRect {
        TurnedRect { center: Point { x, y }, width, height: 12.0, angle }
    }

    #[test]
    fn parallel_lines_give_their_angle_and_no_convergence() {
        let lines: Vec<_> = (0..6).map(|i| line(200.0, 50.0 * i as f32, 200.0, 0.1)).collect();
        let slant = Slant::of(&lines, 400.0, 300.0);
        assert!((slant.angle - 0.1).abs() < 1e-3 && slant.convergence.abs() < 1e-6, "{slant:?}");
    }

    #[test]
    fn print_on_its_side_does_not_turn_the_picture() {
        let mut lines: Vec<_> = (0..6).map(|i| line(200.0, 50.0 * i as f32, 200.0, -0.05)).collect();
        lines.push(line(390.0, 150.0, 150.0, std::f32::consts::FRAC_PI_2 - 0.05));
        let slant = Slant::of(&lines, 400.0, 300.0);
        assert!((slant.angle + 0.05).abs() < 1e-2, "{slant:?}");
    }

    #[test]
    fn converging_lines_become_level() {
        // Lines through a far point on the right, as of a card whose right side is farther away.
        let (vx, vy) = (3000.0, 150.0);
        let lines: Vec<_> = (0..7)
            .map(|i| {
                let y = 20.0 + 45.0 * i as f32;
                line(200.0, y, 250.0, ((vy - y) / (vx - 200.0_f32)).atan())
            })
            .collect();
        let slant = Slant::of(&lines, 400.0, 300.0);
        let level = slant.leveller(400.0, 300.0, false);
        for rect in &lines {
            let (sin, cos) = rect.angle.sin_cos();
            let end = |s: f32| level.map(Point { x: rect.center.x + s * 125.0 * cos, y: rect.center.y + s * 125.0 * sin });
            let (a, b) = (end(-1.0), end(1.0));
            assert!(((b.y - a.y) / (b.x - a.x)).abs() < 0.01, "{slant:?} {a:?} {b:?}");
        }
    }

    #[test]
    fn upside_down_text_is_turned_over() {
        let level = Slant { angle: 0.0, convergence: 0.0 }.leveller(400.0, 300.0, true);
        let p = level.map(Point { x: 0.0, y: 0.0 });
        assert!((p.x - 200.0).abs() < 1e-3 && (p.y - 150.0).abs() < 1e-3);
    }
}
