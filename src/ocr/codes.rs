//! Finds and decodes PDF417 and QR codes.
//!
//! `rxing` searches a whole picture for hundreds of milliseconds, and finds less in it than in a crop of the code. So areas
//! that look like a code are found first, by how many of their pixels differ from the next one in both directions and how
//! evenly, and only they are searched. A picture without such an area costs one pass over its pixels.
//!
//! `zxing-cpp` was the alternative: it compiles C++ with cmake, which this crate keeps out.

use std::collections::HashSet;

use image::GrayImage;
use image::imageops::{self, FilterType};
use rxing::common::{GlobalHistogramBinarizer, HybridBinarizer};
use rxing::{BarcodeFormat, BinaryBitmap, DecodeHints, Luma8LuminanceSource, MultiFormatReader, RXingResult, Reader};

use super::frame::Frame;
use super::page::{Code, CodeKind, Point, Quad};
use super::picture::Picture;

/// Blocks along the picture's long side: a block of a card that fills the picture holds a few modules of its code.
const N_BLOCKS: u32 = 72;
/// Neighbouring pixels that differ by this much of 255 are an edge.
const EDGE: i32 = 28;
/// Share of a block's pixels at edges, from which on it may be part of a code; running print has less.
const LEAST_EDGE_SHARE: f32 = 0.16;
/// Share of dark and of light pixels that a block of a code has at least.
const LEAST_SHARE_OF_EACH: f32 = 0.12;
/// Smallest code in blocks, along its longer and along its shorter side.
const LEAST_BLOCKS: (u32, u32) = (8, 4);
/// Share of an area's blocks that look like a code.
const LEAST_FILL: f32 = 0.55;
/// Areas that are searched, the largest ones.
const MAX_AREAS: usize = 3;
/// Codes smaller than this are enlarged before a second attempt, in pixels of the longer side.
const ENLARGE_BELOW: u32 = 1400;

/// Long side of what codes are looked for in, in pixels: a module of a licence's code still has two of them.
const MAX_LONG_SIDE: u32 = 1800;

/// The codes of a page, in its upright frame.
///
/// The whole picture is searched first, since a code may stand beside all text; the straightened frame second.
pub(crate) fn on_page(picture: &Picture, frame: &Frame) -> Vec<Code> {
    let whole = picture.at_most(MAX_LONG_SIDE);
    let scale = picture.full().width() as f32 / whole.width() as f32;
    let mut codes = find(&imageops::grayscale(whole));
    codes.iter_mut().for_each(|code| code.quad = frame.from_picture.map_quad(&scaled(&code.quad, scale)));
    if codes.is_empty() && !frame.is_whole() {
        let scale = (frame.width.max(frame.height) as f32 / MAX_LONG_SIDE as f32).max(1.0);
        let (width, height) = ((frame.width as f32 / scale) as u32, (frame.height as f32 / scale) as u32);
        codes = find(&imageops::grayscale(&picture.straightened(&frame.corners(), width.max(1), height.max(1))));
        codes.iter_mut().for_each(|code| code.quad = scaled(&code.quad, scale));
    }
    codes
}

fn scaled(quad: &Quad, scale: f32) -> Quad {
    Quad(quad.0.map(|point| Point { x: point.x * scale, y: point.y * scale }))
}

/// The codes of an upright picture, in its own pixels.
pub fn find(gray: &GrayImage) -> Vec<Code> {
    areas(gray).into_iter().filter_map(|area| read(gray, area)).collect()
}

/// A rectangle in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Area {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

/// Areas that look like a code, with a quiet zone around, the largest first.
fn areas(gray: &GrayImage) -> Vec<Area> {
    let block = (gray.width().max(gray.height()) / N_BLOCKS).max(6);
    let (n_columns, n_rows) = (gray.width() / block, gray.height() / block);
    if n_columns < LEAST_BLOCKS.1 || n_rows < LEAST_BLOCKS.1 {
        return Vec::new();
    }
    let marks: Vec<bool> =
        (0..n_columns * n_rows).map(|idx| is_code_like(gray, idx % n_columns * block, idx / n_columns * block, block)).collect();
    let mut found: Vec<(usize, Area)> = components(&marks, n_columns, n_rows)
        .into_iter()
        .filter_map(|blocks| {
            let columns = || blocks.iter().map(|idx| idx % n_columns);
            let rows = || blocks.iter().map(|idx| idx / n_columns);
            let (left, right) = (columns().min()?, columns().max()?);
            let (top, bottom) = (rows().min()?, rows().max()?);
            let (wide, high) = (right - left + 1, bottom - top + 1);
            let is_large = wide.max(high) >= LEAST_BLOCKS.0 && wide.min(high) >= LEAST_BLOCKS.1;
            let is_full = blocks.len() as f32 >= LEAST_FILL * (wide * high) as f32;
            // The outermost modules may lie in blocks that are mostly quiet.
            let margin = 2 * block;
            let (x, y) = ((left * block).saturating_sub(margin), (top * block).saturating_sub(margin));
            let area = Area {
                left: x,
                top: y,
                width: ((right + 1) * block + margin).min(gray.width()) - x,
                height: ((bottom + 1) * block + margin).min(gray.height()) - y,
            };
            (is_large && is_full).then_some((blocks.len(), area))
        })
        .collect();
    found.sort_by_key(|&(n_blocks, _)| std::cmp::Reverse(n_blocks));
    found.into_iter().take(MAX_AREAS).map(|(_, area)| area).collect()
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

/// Decodes what stands in an area: as it is, then enlarged, then with one threshold for all of it.
fn read(gray: &GrayImage, area: Area) -> Option<Code> {
    let crop = imageops::crop_imm(gray, area.left, area.top, area.width, area.height).to_image();
    let result = decode(&crop, Threshold::Local).or_else(|| {
        let long_side = crop.width().max(crop.height());
        let enlarged =
            (long_side < ENLARGE_BELOW).then(|| imageops::resize(&crop, crop.width() * 2, crop.height() * 2, FilterType::CatmullRom));
        let larger = enlarged.as_ref().unwrap_or(&crop);
        enlarged
            .as_ref()
            .and_then(|larger| decode(larger, Threshold::Local))
            .or_else(|| decode(larger, Threshold::Global))
            .or_else(|| decode(&imageops::blur(larger, 1.0), Threshold::Local))
    })?;
    let kind = match result.getBarcodeFormat() {
        BarcodeFormat::QR_CODE => CodeKind::Qr,
        BarcodeFormat::PDF_417 => CodeKind::Pdf417,
        _ => return None,
    };
    let (right, bottom) = ((area.left + area.width) as f32, (area.top + area.height) as f32);
    Some(Code { kind, bytes: payload(result.getText()), quad: Quad::from_edges(area.left as f32, area.top as f32, right, bottom) })
}

/// How dark is told from light.
enum Threshold {
    /// By what is around: for uneven light.
    Local,
    /// By one level for the whole area: for codes with large modules.
    Global,
}

fn decode(crop: &GrayImage, threshold: Threshold) -> Option<RXingResult> {
    let source = Luma8LuminanceSource::new(crop.as_raw().clone(), crop.width(), crop.height()).ok()?;
    let hints = DecodeHints {
        PossibleFormats: Some(HashSet::from([BarcodeFormat::QR_CODE, BarcodeFormat::PDF_417])),
        TryHarder: Some(true),
        ..DecodeHints::default()
    };
    let mut reader = MultiFormatReader::default();
    match threshold {
        Threshold::Local => reader.decode_with_hints(&mut BinaryBitmap::new(HybridBinarizer::new(source)), &hints).ok(),
        Threshold::Global => reader.decode_with_hints(&mut BinaryBitmap::new(GlobalHistogramBinarizer::new(source)), &hints).ok(),
    }
}

/// The bytes of a text: one each where all characters are of ISO-8859-1, UTF-8 otherwise.
fn payload(text: &str) -> Vec<u8> {
    let latin1: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    latin1.unwrap_or_else(|| text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use rxing::{MultiFormatWriter, Writer};

    use super::*;

    const TEXT: &str = "SPECIMEN 0123456789 OF A FICTIONAL STATE, ISSUED TO NOBODY, VALID NOWHERE AND NEVER";

    /// A picture of a card with a code of `scale` pixels a module in its middle.
    fn picture(format: BarcodeFormat, scale: u32) -> GrayImage {
        let matrix = MultiFormatWriter.encode(TEXT, &format, 0, 0).expect("the text fits");
        let (width, height) = (matrix.getWidth() * scale, matrix.getHeight() * scale);
        let (card_width, card_height) = (width * 3 / 2, (height * 2).max(width));
        GrayImage::from_fn(card_width, card_height, |x, y| {
            let (u, v) = (x.wrapping_sub((card_width - width) / 2), y.wrapping_sub((card_height - height) / 2));
            let is_dark = u < width && v < height && matrix.get(u / scale, v / scale);
            image::Luma([if is_dark { 40 } else { 210 }])
        })
    }

    fn check(picture: &GrayImage, kind: CodeKind) {
        let codes = find(picture);
        assert_eq!(codes.iter().map(|code| (code.kind, code.bytes.as_slice())).collect::<Vec<_>>(), [(kind, TEXT.as_bytes())]);
    }

    // PDF417 is tested on whole rendered licences, in tests/it/engine.rs: `rxing` does not find one in a picture this bare.
    #[test]
    fn qr_codes_are_read_upright_upside_down_and_blurred() {
        check(&picture(BarcodeFormat::QR_CODE, 3), CodeKind::Qr);
        check(&imageops::blur(&picture(BarcodeFormat::QR_CODE, 3), 1.0), CodeKind::Qr);
        check(&imageops::rotate180(&picture(BarcodeFormat::QR_CODE, 3)), CodeKind::Qr);
    }

    #[test]
    fn an_empty_and_a_tiny_picture_have_no_areas() {
        assert!(areas(&GrayImage::from_pixel(900, 570, image::Luma([200]))).is_empty());
        assert!(areas(&GrayImage::new(1, 1)).is_empty());
        assert!(areas(&GrayImage::new(0, 0)).is_empty());
        assert!(areas(&GrayImage::new(3, 900)).is_empty());
    }
}
