//! Text boxes out of the detector's probability map (differentiable binarisation), without a polygon clipper.
//!
//! The reference grows each region's polygon by an offset; for a rectangle that offset is the rectangle grown by twice
//! the distance on each axis, which is all that a line of print needs.

use super::geometry::TurnedRect;
use super::page::Point;

/// How a probability map becomes boxes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoxParams {
    /// Probability above which a pixel counts as text.
    pub(crate) pixel_threshold: f32,
    /// Mean probability inside a box below which the box is dropped.
    pub(crate) box_threshold: f32,
    /// How far a box grows: its area over its perimeter, times this. The network is trained on shrunken text.
    pub(crate) unclip_ratio: f32,
    /// Boxes whose short side is under this many pixels of the map are noise.
    pub(crate) min_side: f32,
    /// No more boxes than this: an image of noise must not take for ever.
    pub(crate) max_boxes: usize,
}

impl Default for BoxParams {
    /// The published values of the PP-OCRv6 detectors, with a lower box threshold: a faint line costs one recognition, a missed one a field.
    fn default() -> Self {
        Self { pixel_threshold: 0.3, box_threshold: 0.5, unclip_ratio: 1.6, min_side: 2.0, max_boxes: 400 }
    }
}

/// Boxes of text in pixels of the map; `map` is (H, W) row-major, probabilities in 0..=1.
pub(crate) fn text_boxes(map: &[f32], width: usize, height: usize, params: &BoxParams) -> Vec<TurnedRect> {
    let mut seen = vec![false; width * height];
    let mut boxes = Vec::new();
    let mut stack = Vec::new();
    for start in 0..width * height {
        if seen[start] || map[start] <= params.pixel_threshold {
            continue;
        }
        // One region: an eight-connected flood fill that keeps, per row, its outermost pixels, which hold the hull.
        let mut rows: std::collections::BTreeMap<i32, (i32, i32)> = std::collections::BTreeMap::new();
        seen[start] = true;
        stack.push(start);
        while let Some(at) = stack.pop() {
            let (x, y) = (at % width, at / width);
            let span = rows.entry(y as i32).or_insert((x as i32, x as i32));
            *span = (span.0.min(x as i32), span.1.max(x as i32));
            for ny in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for nx in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    let next = ny * width + nx;
                    if !seen[next] && map[next] > params.pixel_threshold {
                        seen[next] = true;
                        stack.push(next);
                    }
                }
            }
        }
        // Pixels are squares: their far edges belong to the region.
        let mut outline: Vec<(i32, i32)> =
            rows.iter().flat_map(|(y, (left, right))| [(*left, *y), (*left, y + 1), (right + 1, *y), (right + 1, y + 1)]).collect();
        let Some(rect) = TurnedRect::around(&mut outline) else { continue };
        let short = rect.width.min(rect.height);
        if short < params.min_side || mean_inside(map, width, height, &rect) < params.box_threshold {
            continue;
        }
        let distance = rect.width * rect.height * params.unclip_ratio / (2.0 * (rect.width + rect.height));
        boxes.push(TurnedRect { width: rect.width + 2.0 * distance, height: rect.height + 2.0 * distance, ..rect });
        if boxes.len() == params.max_boxes {
            break;
        }
    }
    boxes
}

/// Mean probability of the pixels whose middles lie inside the rectangle.
fn mean_inside(map: &[f32], width: usize, height: usize, rect: &TurnedRect) -> f32 {
    let quad = rect.corners();
    let clamp = |value: f32, limit: usize| (value.max(0.0) as usize).min(limit);
    let (left, right) = (clamp(quad.left().floor(), width), clamp(quad.right().ceil(), width));
    let (top, bottom) = (clamp(quad.top().floor(), height), clamp(quad.bottom().ceil(), height));
    let mut sum = 0.0;
    let mut n_pixels = 0_u32;
    for y in top..bottom {
        for x in left..right {
            let middle = Point { x: x as f32 + 0.5, y: y as f32 + 0.5 };
            if rect.contains(middle.x, middle.y) {
                sum += map[y * width + x];
                n_pixels += 1;
            }
        }
    }
    if n_pixels == 0 { 0.0 } else { sum / n_pixels as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map_with(width: usize, height: usize, inside: impl Fn(f32, f32) -> bool) -> Vec<f32> {
        (0..width * height).map(|i| if inside((i % width) as f32, (i / width) as f32) { 0.9 } else { 0.0 }).collect()
    }

    #[test]
    fn a_level_line_becomes_one_box_grown_on_all_sides() {
        let map = map_with(200, 60, |x, y| (20.0..120.0).contains(&x) && (20.0..30.0).contains(&y));
        let boxes = text_boxes(&map, 200, 60, &BoxParams::default());
        assert_eq!(boxes.len(), 1);
        let quad = boxes[0].corners();
        // 100 x 10 grown by 2 * 1000 * 1.6 / 220 on each axis.
        let growth = 2.0 * 1000.0 * 1.6 / 220.0;
        assert!((quad.right() - quad.left() - 100.0 - growth).abs() < 0.1);
        assert!((quad.bottom() - quad.top() - 10.0 - growth).abs() < 0.1);
    }

    #[test]
    fn a_slanted_line_keeps_its_angle() {
        let map = map_with(200, 120, |x, y| (20.0..180.0).contains(&x) && (y - 20.0 - x * 0.2).abs() < 6.0);
        let boxes = text_boxes(&map, 200, 120, &BoxParams::default());
        assert_eq!(boxes.len(), 1);
        assert!((boxes[0].lengthwise().angle.tan() - 0.2).abs() < 0.03);
    }

    #[test]
    fn faint_regions_and_specks_are_dropped() {
        let mut map = map_with(100, 40, |x, y| x == 5.0 && y == 5.0);
        map.iter_mut().skip(20 * 100).take(40).for_each(|p| *p = 0.35);
        map.iter_mut().skip(21 * 100).take(40).for_each(|p| *p = 0.35);
        assert!(text_boxes(&map, 100, 40, &BoxParams::default()).is_empty());
    }

    #[test]
    fn the_number_of_boxes_is_limited() {
        let map = map_with(300, 300, |x, y| x as u32 % 6 < 3 && y as u32 % 6 < 3);
        let params = BoxParams { max_boxes: 7, ..BoxParams::default() };
        assert_eq!(text_boxes(&map, 300, 300, &params).len(), 7);
    }
}
