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

/// Brightness of the median pixel from which on the paper itself is white, and nothing can be said about glare.
const WHITE_PAPER: u8 = 235;

/// Mean difference between the channels of a pixel under which there is next to no colour.
const GREY: f32 = 5.0;

/// Lines nearer to the picture's edge than this share of its long side say that the card is cut off.
const EDGE: f32 = 0.004;

/// Measures a picture whose lines stand at `quads`, in pixels of the picture.
pub(crate) fn measure(picture: &Picture, frame: &Frame, quads: &[Quad]) -> Quality {
    let (width, height) = picture.full().dimensions();
    let colours = colours(&text_area(picture, quads));
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

/// The part of the picture that holds its lines, in the smallest copy: what lies around a card is nothing of it.
fn text_area(picture: &Picture, quads: &[Quad]) -> RgbImage {
    let small = picture.smallest();
    if quads.is_empty() {
        return small.clone();
    }
    let scale = small.width() as f32 / picture.full().width() as f32;
    let least = |edge: fn(&Quad) -> f32| (quads.iter().map(edge).fold(f32::MAX, f32::min) * scale).max(0.0) as u32;
    let most = |edge: fn(&Quad) -> f32| (quads.iter().map(edge).fold(0.0, f32::max) * scale) as u32 + 1;
    let (left, top) = (least(Quad::left).min(small.width() - 1), least(Quad::top).min(small.height() - 1));
    let (right, bottom) = (most(Quad::right).min(small.width()), most(Quad::bottom).min(small.height()));
    image::imageops::crop_imm(small, left, top, right - left, bottom - top).to_image()
}

struct Colours {
    /// Share of burnt-out pixels; 0 on white paper.
    glare: f32,
    /// Mean difference between the strongest and the weakest channel.
    difference: f32,
}

fn colours(area: &RgbImage) -> Colours {
    let n = (area.width() * area.height()).max(1) as usize;
    // How many pixels have a weakest channel of each brightness.
    let (mut n_of_brightness, mut difference) = ([0_usize; 256], 0.0);
    for pixel in area.pixels() {
        let [r, g, b] = pixel.0;
        let (low, high) = (r.min(g).min(b), r.max(g).max(b));
        n_of_brightness[usize::from(low)] += 1;
        difference += f32::from(high - low);
    }
    let n_from = |brightness: u8| n_of_brightness[usize::from(brightness)..].iter().sum::<usize>();
    let glare = if 2 * n_from(WHITE_PAPER) > n { 0.0 } else { n_from(BURNT_OUT) as f32 / n as f32 };
    Colours { glare, difference: difference / n as f32 }
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
        // A lamp on tinted paper, and paper as white as the lamp.
        let half = RgbImage::from_fn(10, 10, |x, _| image::Rgb(if x < 4 { [255; 3] } else { [200, 210, 190] }));
        assert_eq!((colours(&half).glare, of([255; 3]).glare, of([200; 3]).glare), (0.4, 0.0, 0.0));
    }

    #[test]
    fn what_lies_around_the_card_is_no_colour_of_it() {
        let desk = |x: u32, y: u32| !(200..600).contains(&x) || !(200..400).contains(&y);
        let picture = Picture::new(RgbImage::from_fn(800, 600, |x, y| image::Rgb(if desk(x, y) { [200, 90, 30] } else { [180; 3] })));
        let lines = [Quad::from_edges(220.0, 220.0, 500.0, 240.0), Quad::from_edges(220.0, 350.0, 580.0, 380.0)];
        assert!(measure(&picture, &Frame::whole(800, 600), &lines).grey);
        assert!(!measure(&picture, &Frame::whole(800, 600), &[]).grey);
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
