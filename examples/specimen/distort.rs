//! What cameras, desks and compression do to a picture, repeatably.

use image::{Rgb, RgbImage};

use crate::chance::Chance;

/// How badly a picture is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Distortion {
    /// As a scanner delivers it.
    None,
    /// A little turned, out of square and soft, compressed at quality 60.
    Mild,
    /// A photo on a busy desk: turned by any quarter and some degrees, uneven light, motion blur, noise, quality 40.
    Hard,
}

impl Distortion {
    /// The treated picture.
    pub(crate) fn apply(self, image: RgbImage, chance: &mut Chance) -> RgbImage {
        match self {
            Self::None => image,
            Self::Mild => mild(&image, chance),
            Self::Hard => hard(image, chance),
        }
    }

    /// Quality of the JPEG file.
    pub(crate) fn jpeg_quality(self) -> u8 {
        match self {
            Self::None => 92,
            Self::Mild => 60,
            Self::Hard => 40,
        }
    }
}

fn mild(image: &RgbImage, chance: &mut Chance) -> RgbImage {
    let tilt = chance.between(-3.0, 3.0);
    let placement = Placement::new(image, tilt, 0.012, 1.02, chance);
    let desk: [f32; 3] = std::array::from_fn(|_| chance.between(90.0, 235.0));
    let laid = placement.lay(image, |_, _| desk);
    image::imageops::blur(&laid, 0.6)
}

fn hard(image: RgbImage, chance: &mut Chance) -> RgbImage {
    let image = match chance.below(4) {
        0 => image,
        1 => image::imageops::rotate90(&image),
        2 => image::imageops::rotate180(&image),
        _ => image::imageops::rotate270(&image),
    };
    let tilt = chance.between(-8.0, 8.0);
    let placement = Placement::new(&image, tilt, 0.03, 1.22, chance);
    let colour: [f32; 3] = std::array::from_fn(|_| chance.between(50.0, 190.0));
    let (grain, direction) = (chance.between(0.02, 0.08), chance.between(0.0, 1.0));
    let desk = |x: f32, y: f32| {
        let along = x * direction + y * (1.0 - direction);
        let wood = 22.0 * (along * grain + 2.0 * (x * 0.006).sin()).sin() + 9.0 * (along * grain * 5.3).sin();
        colour.map(|channel| channel + wood)
    };
    let mut laid = placement.lay(&image, desk);

    let (width, height) = (laid.width() as f32, laid.height() as f32);
    let (slope_x, slope_y) = (chance.between(-0.3, 0.3), chance.between(-0.3, 0.3));
    let (lamp_x, lamp_y) = (chance.between(0.0, 1.0), chance.between(0.0, 1.0));
    for (x, y, pixel) in laid.enumerate_pixels_mut() {
        let (u, v) = (x as f32 / width, y as f32 / height);
        let spot = (-((u - lamp_x) / 0.35).powi(2) - ((v - lamp_y) / 0.35).powi(2)).exp();
        let light = 0.85 + slope_x * (u - 0.5) + slope_y * (v - 0.5) + 0.25 * spot;
        let noise = 4.0 * chance.normal();
        pixel.0 = pixel.0.map(|channel| (f32::from(channel) * light + noise).clamp(0.0, 255.0) as u8);
    }
    // The hand that moves: 0.3 % of the long side.
    let reach = (0.003 * width.max(height)).round().max(2.0);
    let angle = chance.between(0.0, std::f32::consts::PI);
    motion_blur(&laid, reach * angle.cos(), reach * angle.sin())
}

/// Mean along a line of this length, in pixels.
fn motion_blur(image: &RgbImage, reach_x: f32, reach_y: f32) -> RgbImage {
    const N_STEPS: i32 = 5;
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let mut sum = [0.0_f32; 3];
        for step in 0..N_STEPS {
            let share = step as f32 / (N_STEPS - 1) as f32 - 0.5;
            let sample =
                sample(image, x as f32 + share * reach_x, y as f32 + share * reach_y).unwrap_or(image.get_pixel(x, y).0.map(f32::from));
            for (total, channel) in sum.iter_mut().zip(sample) {
                *total += channel;
            }
        }
        Rgb(sum.map(|total| (total / N_STEPS as f32) as u8))
    })
}

/// Where a card lies on the desk.
struct Placement {
    /// From desk pixels to card pixels, row-major.
    to_card: [f32; 9],
    /// Size of the desk in pixels.
    desk: (u32, u32),
}

impl Placement {
    /// Turned by `tilt` degrees, each corner moved by up to `jitter` of the size, with a desk of `room` times the card.
    fn new(image: &RgbImage, tilt: f32, jitter: f32, room: f32, chance: &mut Chance) -> Self {
        let (width, height) = (image.width() as f32, image.height() as f32);
        let (sin, cos) = tilt.to_radians().sin_cos();
        let corners = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)].map(|(u, v)| {
            let (x, y) = ((u + chance.between(-jitter, jitter)) * width, (v + chance.between(-jitter, jitter)) * height);
            (x * cos - y * sin, x * sin + y * cos)
        });
        let extent = |values: [f32; 4]| {
            let (low, high) = values.iter().fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
            (low, (high - low) * room)
        };
        let (left, desk_width) = extent(corners.map(|corner| corner.0));
        let (top, desk_height) = extent(corners.map(|corner| corner.1));
        let (spare_x, spare_y) = (desk_width * (1.0 - 1.0 / room), desk_height * (1.0 - 1.0 / room));
        let (shift_x, shift_y) = (spare_x * chance.between(0.3, 0.7) - left, spare_y * chance.between(0.3, 0.7) - top);
        let on_desk = corners.map(|(x, y)| (x + shift_x, y + shift_y));
        let on_card = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)];
        Self { to_card: homography(on_desk, on_card), desk: (desk_width as u32, desk_height as u32) }
    }

    /// The card on the desk, whose colour the closure knows.
    fn lay(&self, card: &RgbImage, desk: impl Fn(f32, f32) -> [f32; 3]) -> RgbImage {
        let h = &self.to_card;
        RgbImage::from_fn(self.desk.0, self.desk.1, |x, y| {
            let (x, y) = (x as f32, y as f32);
            let depth = h[6] * x + h[7] * y + h[8];
            let on_card = sample(card, (h[0] * x + h[1] * y + h[2]) / depth, (h[3] * x + h[4] * y + h[5]) / depth);
            Rgb(on_card.unwrap_or_else(|| desk(x, y)).map(|channel| channel.clamp(0.0, 255.0) as u8))
        })
    }
}

/// Bilinear sample, or `None` outside of the picture.
fn sample(image: &RgbImage, x: f32, y: f32) -> Option<[f32; 3]> {
    let (x0, y0) = (x.floor(), y.floor());
    if x0 < 0.0 || y0 < 0.0 || x0 + 1.0 >= image.width() as f32 || y0 + 1.0 >= image.height() as f32 {
        return None;
    }
    let (u, v) = (x - x0, y - y0);
    let at = |dx: u32, dy: u32| image.get_pixel(x0 as u32 + dx, y0 as u32 + dy).0;
    let (a, b, c, d) = (at(0, 0), at(1, 0), at(0, 1), at(1, 1));
    Some(std::array::from_fn(|i| {
        let [a, b, c, d] = [a, b, c, d].map(|pixel| f32::from(pixel[i]));
        (a * (1.0 - u) + b * u) * (1.0 - v) + (c * (1.0 - u) + d * u) * v
    }))
}

/// The projective map, row-major, that takes the four points of `from` to those of `to`.
fn homography(from: [(f32, f32); 4], to: [(f32, f32); 4]) -> [f32; 9] {
    let mut rows = [[0.0_f64; 9]; 8];
    for (i, ((x, y), (u, v))) in from.into_iter().zip(to).enumerate() {
        let (x, y, u, v) = (f64::from(x), f64::from(y), f64::from(u), f64::from(v));
        rows[2 * i] = [x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u];
        rows[2 * i + 1] = [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v];
    }
    // Gauss-Jordan with row pivoting.
    for column in 0..8 {
        let pivot = (column..8).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs())).unwrap_or(column);
        rows.swap(column, pivot);
        let lead = rows[column][column];
        rows[column].iter_mut().for_each(|value| *value /= lead);
        let solved = rows[column];
        for (row_idx, row) in rows.iter_mut().enumerate() {
            let factor = row[column];
            if row_idx != column {
                row.iter_mut().zip(solved).for_each(|(value, solved)| *value -= factor * solved);
            }
        }
    }
    std::array::from_fn(|i| if i < 8 { rows[i][8] as f32 } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_land_where_they_should() {
        let from = [(3.0, 5.0), (90.0, 2.0), (95.0, 61.0), (1.0, 58.0)];
        let to = [(0.0, 0.0), (100.0, 0.0), (100.0, 60.0), (0.0, 60.0)];
        let h = homography(from, to);
        for ((x, y), (u, v)) in from.into_iter().zip(to) {
            let depth = h[6] * x + h[7] * y + h[8];
            assert!(((h[0] * x + h[1] * y + h[2]) / depth - u).abs() < 0.01);
            assert!(((h[3] * x + h[4] * y + h[5]) / depth - v).abs() < 0.01);
        }
    }
}
