//! Draws boxes and captions on a picture, for people who want to see what was read where.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};

use super::page::{Point, Quad};

/// A colour: red, green, blue.
pub type Colour = [u8; 3];

/// A picture to draw on.
pub struct Canvas(RgbImage);

impl Canvas {
    /// Starts from a picture.
    pub(crate) fn new(picture: RgbImage) -> Self {
        Self(picture)
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.0.width()
    }

    /// Draws the outline of a quad, `thickness` pixels wide.
    pub fn outline(&mut self, quad: &Quad, colour: Colour, thickness: u32) {
        for (i, from) in quad.0.iter().enumerate() {
            let to = quad.0[(i + 1) % 4];
            let n_steps = (to.x - from.x).abs().max((to.y - from.y).abs()).ceil().clamp(1.0, 20_000.0);
            for step in 0..=n_steps as u32 {
                let share = step as f32 / n_steps;
                let middle = Point { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
                self.square(middle, thickness, colour);
            }
        }
    }

    /// Writes a caption on a coloured ground with its lower left corner at `at`; each dot of a letter takes `scale`
    /// pixels. Letters are shown as capitals; what is neither letter, digit, blank nor `%` is left out.
    pub fn caption(&mut self, at: Point, text: &str, colour: Colour, scale: u32) {
        let glyphs: Vec<[u8; 5]> = text.chars().filter_map(|c| glyph(c.to_ascii_uppercase())).collect();
        let (width, height) = ((glyphs.len() as u32 * 6 + 1) * scale, 9 * scale);
        let left = (at.x.max(0.0) as u32).min(self.0.width().saturating_sub(width));
        let top = (at.y.max(0.0) as u32).saturating_sub(height);
        self.fill(left, top, width, height, colour);
        for (position, columns) in glyphs.iter().enumerate() {
            for (column, bits) in columns.iter().enumerate() {
                for row in (0..7).filter(|row| bits >> row & 1 == 1) {
                    let x = left + (position as u32 * 6 + column as u32 + 1) * scale;
                    self.fill(x, top + (row + 1) * scale, scale, scale, [255; 3]);
                }
            }
        }
    }

    /// The canvas with another one below it.
    pub fn above(self, below: &Self) -> Self {
        let (upper, lower) = (&self.0, &below.0);
        let mut both = RgbImage::from_pixel(upper.width().max(lower.width()), upper.height() + lower.height(), Rgb([255; 3]));
        image::imageops::replace(&mut both, upper, 0, 0);
        image::imageops::replace(&mut both, lower, 0, i64::from(upper.height()));
        Self(both)
    }

    /// The picture as a PNG file; `None` where it is too large for one.
    pub fn to_png(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        self.0.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).ok()?;
        Some(bytes)
    }

    fn square(&mut self, middle: Point, size: u32, colour: Colour) {
        let corner = |v: f32| (v - size as f32 / 2.0).max(0.0) as u32;
        self.fill(corner(middle.x), corner(middle.y), size, size, colour);
    }

    fn fill(&mut self, left: u32, top: u32, width: u32, height: u32, colour: Colour) {
        for y in top..(top + height).min(self.0.height()) {
            for x in left..(left + width).min(self.0.width()) {
                self.0.put_pixel(x, y, Rgb(colour));
            }
        }
    }
}

/// A letter as five columns of seven dots, the lowest bit on top.
fn glyph(c: char) -> Option<[u8; 5]> {
    const LETTERS: [[u8; 5]; 26] = [
        [0x7E, 0x11, 0x11, 0x11, 0x7E],
        [0x7F, 0x49, 0x49, 0x49, 0x36],
        [0x3E, 0x41, 0x41, 0x41, 0x22],
        [0x7F, 0x41, 0x41, 0x22, 0x1C],
        [0x7F, 0x49, 0x49, 0x49, 0x41],
        [0x7F, 0x09, 0x09, 0x09, 0x01],
        [0x3E, 0x41, 0x49, 0x49, 0x7A],
        [0x7F, 0x08, 0x08, 0x08, 0x7F],
        [0x00, 0x41, 0x7F, 0x41, 0x00],
        [0x20, 0x40, 0x41, 0x3F, 0x01],
        [0x7F, 0x08, 0x14, 0x22, 0x41],
        [0x7F, 0x40, 0x40, 0x40, 0x40],
        [0x7F, 0x02, 0x0C, 0x02, 0x7F],
        [0x7F, 0x04, 0x08, 0x10, 0x7F],
        [0x3E, 0x41, 0x41, 0x41, 0x3E],
        [0x7F, 0x09, 0x09, 0x09, 0x06],
        [0x3E, 0x41, 0x51, 0x21, 0x5E],
        [0x7F, 0x09, 0x19, 0x29, 0x46],
        [0x46, 0x49, 0x49, 0x49, 0x31],
        [0x01, 0x01, 0x7F, 0x01, 0x01],
        [0x3F, 0x40, 0x40, 0x40, 0x3F],
        [0x1F, 0x20, 0x40, 0x20, 0x1F],
        [0x3F, 0x40, 0x38, 0x40, 0x3F],
        [0x63, 0x14, 0x08, 0x14, 0x63],
        [0x07, 0x08, 0x70, 0x08, 0x07],
        [0x61, 0x51, 0x49, 0x45, 0x43],
    ];
    const DIGITS: [[u8; 5]; 10] = [
        [0x3E, 0x51, 0x49, 0x45, 0x3E],
        [0x00, 0x42, 0x7F, 0x40, 0x00],
        [0x42, 0x61, 0x51, 0x49, 0x46],
        [0x21, 0x41, 0x45, 0x4B, 0x31],
        [0x18, 0x14, 0x12, 0x7F, 0x10],
        [0x27, 0x45, 0x45, 0x45, 0x39],
        [0x3C, 0x4A, 0x49, 0x49, 0x30],
        [0x01, 0x71, 0x09, 0x05, 0x03],
        [0x36, 0x49, 0x49, 0x49, 0x36],
        [0x06, 0x49, 0x49, 0x29, 0x1E],
    ];
    match c {
        'A'..='Z' => Some(LETTERS[c as usize - 'A' as usize]),
        '0'..='9' => Some(DIGITS[c as usize - '0' as usize]),
        '%' => Some([0x23, 0x13, 0x08, 0x64, 0x62]),
        ' ' => Some([0; 5]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_stays_on_the_canvas() {
        let mut canvas = Canvas::new(RgbImage::new(60, 20));
        canvas.caption(Point { x: 55.0, y: 2.0 }, "id 1", [200, 0, 0], 1);
        assert_eq!(canvas.0.get_pixel(60 - 25, 0).0, [200, 0, 0]);
        // The stem of the I.
        assert!(canvas.0.pixels().any(|pixel| pixel.0 == [255; 3]));
    }

    #[test]
    fn two_canvases_stand_one_above_the_other() {
        let both = Canvas::new(RgbImage::new(30, 20)).above(&Canvas::new(RgbImage::new(40, 10)));
        assert_eq!((both.0.width(), both.0.height()), (40, 30));
        assert!(both.to_png().is_some());
    }

    #[test]
    fn an_outline_is_drawn_on_all_four_sides() {
        let mut canvas = Canvas::new(RgbImage::new(50, 50));
        canvas.outline(&Quad::from_edges(10.0, 10.0, 40.0, 30.0), [0, 9, 0], 1);
        for (x, y) in [(25, 10), (40, 20), (25, 30), (10, 20)] {
            assert!((-1..=1).any(|d| canvas.0.get_pixel((x + d) as u32, y).0 == [0, 9, 0]
                || canvas.0.get_pixel(x as u32, (y as i32 + d) as u32).0 == [0, 9, 0]));
        }
        assert_eq!(canvas.0.get_pixel(25, 20).0, [0; 3]);
    }
}
