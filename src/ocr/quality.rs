//! What a picture is like: sharpness, glare, colour, size. Data for whoever decides, never a verdict.

use image::RgbImage;

use super::frame::Frame;
use super::page::{Quad, Quality};
use super::picture::{Picture, Range};

/// Lines that sharpness is measured on.
const N_LINES: usize = 8;

/// Height in pixels that lines are brought to before their sharpness is measured, so that large and small pictures compare.
const LINE_HEIGHT: usize = 48;

/// Brightness from which on all channels count as burnt out.
const BURNT_OUT: u8 = 252;

/// Mean difference between the channels of a pixel under which there is next to no colour.
const GREY: f32 = 5.0;

/// Lines nearer to the picture's edge than this share of its long side say that the card is cut off.
const EDGE: f32 = 0.004;

/// Measures a picture whose lines stand at `quads`, in pixels of the picture.
pub(crate) fn measure(picture: &Picture, frame: &Frame, quads: &[Quad]) -> Quality {
    let (width, height) = picture.full().dimensions();
    let colours = colours(picture.smallest());
    let edge = EDGE * width.max(height) as f32;
    let at_edge =
        |quad: &Quad| quad.left() < edge || quad.top() < edge || quad.right() > width as f32 - edge || quad.bottom() > height as f32 - edge;
    Quality {
        sharpness: sharpness(picture, quads),
        glare: colours.glare,
        card_long_side_px: frame.width.max(frame.height),
        // One line at the edge is noise as often as not.
        cropped: quads.iter().filter(|quad| at_edge(quad)).count() >= 2,
        grey: colours.difference < GREY,
    }
}

/// Mean variance of the Laplacian over the longest lines, each brought to the same height; 0 without lines.
fn sharpness(picture: &Picture, quads: &[Quad]) -> f32 {
    let mut longest: Vec<&Quad> = quads.iter().filter(|quad| quad.text_width() > 2.0 * quad.text_height()).collect();
    longest.sort_by(|a, b| b.text_width().total_cmp(&a.text_width()));
    longest.truncate(N_LINES);
    let of_line = |quad: &&Quad| {
        let width = ((LINE_HEIGHT as f32 * quad.text_width() / quad.text_height().max(1.0)) as usize).clamp(LINE_HEIGHT, 480);
        let range = Range { factor: [1.0; 3], offset: [0.0; 3] };
        let planes = picture.crop_planes(quad, width, LINE_HEIGHT, &range);
        laplacian_variance(&planes[width * LINE_HEIGHT..2 * width * LINE_HEIGHT], width)
    };
    if longest.is_empty() { 0.0 } else { longest.iter().map(of_line).sum::<f32>() / longest.len() as f32 }
}

/// Variance of the four-neighbour Laplacian of a plane with rows of `width` values.
fn laplacian_variance(plane: &[f32], width: usize) -> f32 {
    let rows: Vec<&[f32]> = plane.chunks_exact(width).collect();
    let (mut sum, mut sum_of_squares, mut n) = (0.0, 0.0, 0.0);
    for three in rows.windows(3) {
        for x in 1..width - 1 {
            let value = three[0][x] + three[2][x] + three[1][x - 1] + three[1][x + 1] - 4.0 * three[1][x];
            sum += value;
            sum_of_squares += value * value;
            n += 1.0;
        }
    }
    if n == 0.0 { 0.0 } else { sum_of_squares / n - (sum / n) * (sum / n) }
}

struct Colours {
    /// Share of burnt-out pixels.
    glare: f32,
    /// Mean difference between the strongest and the weakest channel.
    difference: f32,
}

fn colours(small: &RgbImage) -> Colours {
    let n = (small.width() * small.height()).max(1) as f32;
    let (mut n_burnt_out, mut difference) = (0.0, 0.0);
    for pixel in small.pixels() {
        let [r, g, b] = pixel.0;
        let (low, high) = (r.min(g).min(b), r.max(g).max(b));
        n_burnt_out += if low >= BURNT_OUT { 1.0 } else { 0.0 };
        difference += f32::from(high - low);
    }
    Colours { glare: n_burnt_out / n, difference: difference / n }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripes(period: u32) -> Picture {
        Picture::new(RgbImage::from_fn(400, 300, |x, _| image::Rgb(if (x / period).is_multiple_of(2) { [0; 3] } else { [200; 3] })))
    }

    #[test]
    fn edges_make_a_picture_sharp() {
        let line = [Quad::from_edges(50.0, 100.0, 350.0, 148.0)];
        assert!(sharpness(&stripes(6), &line) > 500.0);
        assert!(sharpness(&stripes(1000), &line) < 1.0);
        assert_eq!(sharpness(&stripes(6), &[]), 0.0);
    }

    #[test]
    fn a_grey_copy_and_a_burnt_out_one_are_told() {
        let of = |pixel: [u8; 3]| colours(&RgbImage::from_pixel(10, 10, image::Rgb(pixel)));
        assert!(of([90, 91, 92]).difference < GREY && of([90, 60, 30]).difference > GREY);
        assert_eq!((of([255; 3]).glare, of([200; 3]).glare), (1.0, 0.0));
    }

    #[test]
    fn lines_at_the_edge_mean_a_cut_card() {
        let picture = stripes(6);
        let frame = Frame::whole(400, 300);
        let inside = Quad::from_edges(50.0, 100.0, 350.0, 148.0);
        let outside = Quad::from_edges(0.0, 200.0, 350.0, 248.0);
        assert!(!measure(&picture, &frame, &[inside, outside]).cropped);
        assert!(measure(&picture, &frame, &[outside, outside]).cropped);
    }
}
