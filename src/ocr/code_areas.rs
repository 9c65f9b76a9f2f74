//! Where a picture may hold a code: areas whose pixels differ from the next one in both directions, much and evenly.

use image::GrayImage;

use super::geometry::TurnedRect;
use super::page::Point;

/// Blocks along the picture's long side: a block of a card that fills the picture holds a few modules of its code.
const N_BLOCKS: u32 = 72;
/// Neighbouring pixels that differ by this much of 255 are an edge.
const EDGE: i32 = 28;
/// Share of a block's pixels at edges, from which on it may be part of a code; running print has less.
const LEAST_EDGE_SHARE: f32 = 0.16;
/// Share of dark and of light pixels that a block of a code has at least.
const LEAST_SHARE_OF_EACH: f32 = 0.12;
/// Smallest code in blocks, along its longer and along its shorter side.
const LEAST_BLOCKS: (f32, f32) = (8.0, 4.0);
/// Share of an area's blocks that look like a code.
const LEAST_FILL: f32 = 0.55;
/// Blocks around an area: the outermost modules may lie in blocks that are mostly quiet.
const MARGIN_BLOCKS: f32 = 2.0;
/// The same along an area's longer side, as a share of it: the guards of a PDF417 have wide bars and few edges.
const MARGIN_SHARE: f32 = 0.08;
/// Squared gradient under which a pixel says nothing about how a code is turned.
const LEAST_GRADIENT: f32 = 400.0;

/// Areas that look like a code, with a quiet zone around, the largest first. Those of long codes lie as the code does.
pub(super) fn find(gray: &GrayImage) -> Vec<TurnedRect> {
    let block = (gray.width().max(gray.height()) / N_BLOCKS).max(6);
    let (n_columns, n_rows) = (gray.width() / block, gray.height() / block);
    let marks: Vec<bool> =
        (0..n_columns * n_rows).map(|idx| is_code_like(gray, idx % n_columns * block, idx / n_columns * block, block)).collect();
    let mut areas: Vec<TurnedRect> = components(&marks, n_columns, n_rows)
        .into_iter()
        .filter_map(|component| {
            let corners: Vec<(u32, u32)> = component.iter().map(|idx| (idx % n_columns * block, idx / n_columns * block)).collect();
            area(gray, &corners, block)
        })
        .collect();
    areas.sort_by(|a, b| (b.width * b.height).total_cmp(&(a.width * a.height)));
    areas
}

/// The rectangle around blocks with these upper left corners, where they are many and fill it.
fn area(gray: &GrayImage, blocks: &[(u32, u32)], block: u32) -> Option<TurnedRect> {
    let size = block as f32;
    if (blocks.len() as f32) < LEAST_FILL * LEAST_BLOCKS.0 * LEAST_BLOCKS.1 {
        return None;
    }
    let fill = |rect: &TurnedRect| blocks.len() as f32 * size * size / (rect.width * rect.height);
    // The squares of a blurred QR code have gradients in all directions; its own reader finds out how it is turned.
    let level = around(blocks, size, 0.0);
    let turned = around(blocks, size, direction(gray, blocks, block));
    let rect = if fill(&turned) > fill(&level) { turned } else { level };
    let (long, short) = (rect.width.max(rect.height), rect.width.min(rect.height));
    if long < LEAST_BLOCKS.0 * size || short < LEAST_BLOCKS.1 * size || fill(&rect) < LEAST_FILL {
        return None;
    }
    let margin = |side: f32| 2.0 * MARGIN_BLOCKS * size + if side == long { 2.0 * MARGIN_SHARE * side } else { 0.0 };
    Some(TurnedRect { width: rect.width + margin(rect.width), height: rect.height + margin(rect.height), ..rect })
}

/// The smallest rectangle of this direction around the blocks' middles, half a block larger on each side.
fn around(blocks: &[(u32, u32)], size: f32, angle: f32) -> TurnedRect {
    let (sin, cos) = angle.sin_cos();
    let (mut along, mut across) = ((f32::MAX, f32::MIN), (f32::MAX, f32::MIN));
    for (left, top) in blocks {
        let (x, y) = (*left as f32 + size / 2.0, *top as f32 + size / 2.0);
        let (u, v) = (x * cos + y * sin, y * cos - x * sin);
        along = (along.0.min(u), along.1.max(u));
        across = (across.0.min(v), across.1.max(v));
    }
    let (u, v) = ((along.0 + along.1) / 2.0, (across.0 + across.1) / 2.0);
    TurnedRect {
        center: Point { x: u * cos - v * sin, y: u * sin + v * cos },
        width: along.1 - along.0 + size,
        height: across.1 - across.0 + size,
        angle,
    }
}

/// The direction of the bars in the blocks, within 45 degrees of level: the mean of the gradients' directions times four,
/// so that all four sides of a bar say the same.
fn direction(gray: &GrayImage, blocks: &[(u32, u32)], block: u32) -> f32 {
    let (width, pixels) = (gray.width() as usize, gray.as_raw());
    let (mut sum_cos, mut sum_sin) = (0.0_f64, 0.0_f64);
    for (left, top) in blocks {
        for y in (*top).max(1)..(top + block).min(gray.height() - 1) {
            for x in (*left).max(1)..(left + block).min(gray.width() - 1) {
                let at = y as usize * width + x as usize;
                let dx = f32::from(pixels[at + 1]) - f32::from(pixels[at - 1]);
                let dy = f32::from(pixels[at + width]) - f32::from(pixels[at - width]);
                let squared = dx * dx + dy * dy;
                if squared >= LEAST_GRADIENT {
                    // Twice the square of a complex number, over its length squared once: four times the angle.
                    let (a, b) = (dx * dx - dy * dy, 2.0 * dx * dy);
                    sum_cos += f64::from((a * a - b * b) / squared);
                    sum_sin += f64::from(2.0 * a * b / squared);
                }
            }
        }
    }
    (sum_sin.atan2(sum_cos) / 4.0) as f32
}

/// Whether a block has the edges of a code, and dark and light in turn.
fn is_code_like(gray: &GrayImage, left: u32, top: u32, block: u32) -> bool {
    let (width, pixels) = (gray.width() as usize, gray.as_raw());
    let (mut n_across, mut n_down, mut sum, mut n) = (0_u32, 0_u32, 0_u32, 0_u32);
    // Every second row is enough, and the last row and column of the picture have no neighbour.
    let rows = (top..(top + block).min(gray.height() - 1)).step_by(2);
    let columns = left as usize..((left + block) as usize).min(width - 1);
    for y in rows.clone() {
        let row = &pixels[y as usize * width..][..width];
        let below = &pixels[(y as usize + 1) * width..][..width];
        for x in columns.clone() {
            let here = i32::from(row[x]);
            n_across += u32::from((here - i32::from(row[x + 1])).abs() > EDGE);
            n_down += u32::from((here - i32::from(below[x])).abs() > EDGE);
            sum += here as u32;
            n += 1;
        }
    }
    // The bars of a PDF417 stand in one direction only, so the sum counts and not the lesser.
    if n == 0 || ((n_across + n_down) as f32) < LEAST_EDGE_SHARE * n as f32 {
        return false;
    }
    let mean = sum / n;
    let (mut n_dark, mut n_light) = (0_u32, 0_u32);
    for y in rows {
        for &pixel in &pixels[y as usize * width..][columns.clone()] {
            n_dark += u32::from(u32::from(pixel) + 20 < mean);
            n_light += u32::from(u32::from(pixel) > mean + 20);
        }
    }
    n_dark.min(n_light) as f32 >= LEAST_SHARE_OF_EACH * n as f32
}

/// Marked blocks that touch, also across a corner.
fn components(marks: &[bool], n_columns: u32, n_rows: u32) -> Vec<Vec<u32>> {
    let mut is_open = marks.to_vec();
    let mut components = Vec::new();
    for start in 0..marks.len() as u32 {
        if !std::mem::take(&mut is_open[start as usize]) {
            continue;
        }
        let mut component = vec![start];
        let mut next = 0;
        while let Some(&idx) = component.get(next) {
            next += 1;
            let (x, y) = (idx % n_columns, idx / n_columns);
            for ny in y.saturating_sub(1)..(y + 2).min(n_rows) {
                for nx in x.saturating_sub(1)..(x + 2).min(n_columns) {
                    let neighbour = ny * n_columns + nx;
                    if std::mem::take(&mut is_open[neighbour as usize]) {
                        component.push(neighbour);
                    }
                }
            }
        }
        components.push(component);
    }
    components
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_and_a_tiny_picture_have_no_areas() {
        assert!(find(&GrayImage::from_pixel(900, 570, image::Luma([200]))).is_empty());
        assert!(find(&GrayImage::new(1, 1)).is_empty());
        assert!(find(&GrayImage::new(0, 0)).is_empty());
        assert!(find(&GrayImage::new(3, 900)).is_empty());
    }

    #[test]
    fn a_field_of_bars_is_found_as_it_lies() {
        let (sin, cos) = 0.1_f32.sin_cos();
        let picture = GrayImage::from_fn(900, 570, |x, y| {
            let (x, y) = (x as f32 - 450.0, y as f32 - 285.0);
            let (u, v) = (x * cos + y * sin, y * cos - x * sin);
            let bars = 125.0 + 85.0 * (u * std::f32::consts::FRAC_PI_4).sin();
            image::Luma([if u.abs() < 300.0 && v.abs() < 80.0 { bars as u8 } else { 210 }])
        });
        let areas = find(&picture);
        let [area] = areas.as_slice() else { panic!("{areas:?}") };
        assert!((area.angle - 0.1).abs() < 0.02, "{area:?}");
        assert!((600.0..800.0).contains(&area.width) && (160.0..260.0).contains(&area.height), "{area:?}");
        assert!(area.contains(450.0, 285.0));
    }
}
