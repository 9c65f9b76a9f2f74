//! Finds and decodes PDF417 and QR codes.
//!
//! `rxing` searches a whole picture for hundreds of milliseconds, and finds less in it than in a straight crop of the code.
//! So areas that look like a code are found first, and only they are searched. A picture without such an area costs two
//! passes over its pixels.
//!
//! `zxing-cpp` was the alternative. It compiles C++ with cmake, which this crate keeps out, and of 34 symbols of licences
//! photographed at an angle it decodes 13 by itself where this module decodes 26.

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::{DynamicImage, GrayImage};
use rxing::common::{GlobalHistogramBinarizer, HybridBinarizer};
use rxing::pdf417::PDF417Reader;
use rxing::qrcode::QRCodeReader;
use rxing::qrcode::cpp_port::QrReader;
use rxing::{BarcodeFormat, Binarizer, BinaryBitmap, DecodeHints, Luma8LuminanceSource, RXingResult, Reader};

use super::code_areas;
use super::frame::Frame;
use super::geometry::TurnedRect;
use super::page::{Code, CodeKind, Line, Point, Quad};
use super::picture::{Picture, gray};

/// Long side of what codes are looked for in, in pixels, and half of it: modules that are too wide for the first pass are
/// not for the second.
const MAX_LONG_SIDE: u32 = 1800;
/// Areas that are searched, the largest ones.
const MAX_AREAS: usize = 3;
/// Long side of the first crop of an area at most, in pixels; the second is twice as large.
const MAX_CROP: f32 = 1400.0;
/// How many times longer than high an area is, its margins included, that holds no QR code: those are square.
const LEAST_ASPECT: f32 = 1.5;

/// Confidence from which on a line is print, and no code that was taken for print.
const LEGIBLE: f32 = 0.85;
/// Share of an area that legible lines cover, from which on it is a block of text.
const MOSTLY_TEXT: f32 = 0.3;
/// Points along either side of an area at which it is looked at whether a line covers it.
const N_PROBES: usize = 12;

/// The codes of a picture with these lines, both in the upright frame.
pub(crate) fn on_page(picture: &Picture, frame: &Frame, lines: &[Line]) -> Vec<Code> {
    let legible: Vec<&Quad> = lines.iter().filter(|line| line.confidence >= LEGIBLE).map(|line| &line.quad).collect();
    let is_text = |area: &TurnedRect| share_covered(&frame.from_picture.map_quad(&area.corners()), &legible) > MOSTLY_TEXT;
    let mut codes: Vec<Code> = areas(picture).iter().filter(|area| !is_text(area)).filter_map(|area| read(picture, area)).collect();
    codes.iter_mut().for_each(|code| code.quad = frame.from_picture.map_quad(&code.quad));
    codes
}

/// The codes of a picture, in its own pixels.
pub fn find(gray: &GrayImage) -> Vec<Code> {
    let picture = Picture::new(DynamicImage::ImageLuma8(gray.clone()).into_rgb8());
    areas(&picture).iter().filter_map(|area| read(&picture, area)).collect()
}

/// The share of an area that level boxes cover.
fn share_covered(area: &Quad, boxes: &[&Quad]) -> f32 {
    let [top_left, top_right, _, bottom_left] = area.0;
    let along = |share: usize| (share as f32 + 0.5) / N_PROBES as f32;
    let probes = (0..N_PROBES * N_PROBES).map(|probe| {
        let (u, v) = (along(probe % N_PROBES), along(probe / N_PROBES));
        let x = top_left.x + u * (top_right.x - top_left.x) + v * (bottom_left.x - top_left.x);
        let y = top_left.y + u * (top_right.y - top_left.y) + v * (bottom_left.y - top_left.y);
        boxes.iter().any(|line| (line.left()..line.right()).contains(&x) && (line.top()..line.bottom()).contains(&y))
    });
    probes.filter(|is_covered| *is_covered).count() as f32 / (N_PROBES * N_PROBES) as f32
}

/// Areas that look like a code in either of two sizes of the picture, in pixels of the picture, the largest first.
fn areas(picture: &Picture) -> Vec<TurnedRect> {
    let large = picture.at_most(MAX_LONG_SIDE);
    let small = picture.at_most(large.width().max(large.height()) / 2);
    let mut found: Vec<TurnedRect> = [large, small]
        .into_iter()
        .flat_map(|copy| {
            let scale = picture.full().width() as f32 / copy.width().max(1) as f32;
            let scaled = move |area: TurnedRect| TurnedRect {
                center: Point { x: area.center.x * scale, y: area.center.y * scale },
                width: area.width * scale,
                height: area.height * scale,
                ..area
            };
            code_areas::find(&gray(copy)).into_iter().map(scaled)
        })
        .collect();
    found.sort_by(|a, b| (b.width * b.height).total_cmp(&(a.width * a.height)));
    let mut areas: Vec<TurnedRect> = Vec::new();
    for area in found {
        if areas.len() < MAX_AREAS && !areas.iter().any(|larger| larger.contains(area.center.x, area.center.y)) {
            areas.push(area);
        }
    }
    areas
}

/// Decodes what stands in an area: as it is, then twice as large, then with one threshold for all of it.
fn read(picture: &Picture, area: &TurnedRect) -> Option<Code> {
    let quad = area.corners();
    let long_side = area.width.max(area.height);
    // A large photo has more to give than the copy that was searched.
    let scale = (0..).map(|halvings| 0.5_f32.powi(halvings)).find(|scale| long_side * scale <= MAX_CROP)?;
    let crop = |scale: f32| {
        let pixels = |length: f32| ((length * scale).round() as u32).max(1);
        picture.gray(&quad, pixels(area.width), pixels(area.height))
    };
    let first = crop(scale);
    let shape = if long_side > LEAST_ASPECT * area.width.min(area.height) { Shape::Long } else { Shape::Compact };
    let result = decode(&first, Threshold::Local, shape)
        .or_else(|| decode(&crop(2.0 * scale), Threshold::Local, shape))
        .or_else(|| decode(&first, Threshold::Global, shape))?;
    let kind = match result.getBarcodeFormat() {
        BarcodeFormat::QR_CODE => CodeKind::Qr,
        BarcodeFormat::PDF_417 => CodeKind::Pdf417,
        _ => return None,
    };
    Some(Code { kind, bytes: payload(result.getText()), quad })
}

/// What an area may hold.
#[derive(Clone, Copy)]
enum Shape {
    /// A PDF417.
    Long,
    /// A QR code, or a PDF417 that is cut off or runs into something else.
    Compact,
}

/// How dark is told from light.
enum Threshold {
    /// By what is around: for uneven light.
    Local,
    /// By one level for the whole area: for codes with large modules.
    Global,
}

/// Decodes the code in a crop.
fn decode(crop: &GrayImage, threshold: Threshold, shape: Shape) -> Option<RXingResult> {
    let source = Luma8LuminanceSource::new(crop.as_raw().clone(), crop.width(), crop.height()).ok()?;
    // Some of the decoder's steps take their input for granted: what makes it panic is no code that can be read.
    let attempt = AssertUnwindSafe(|| match threshold {
        Threshold::Local => decode_bits(&mut BinaryBitmap::new(HybridBinarizer::new(source)), shape),
        Threshold::Global => decode_bits(&mut BinaryBitmap::new(GlobalHistogramBinarizer::new(source)), shape),
    });
    catch_unwind(attempt).ok()?
}

fn decode_bits<B: Binarizer>(bits: &mut BinaryBitmap<B>, shape: Shape) -> Option<RXingResult> {
    let hints = DecodeHints { TryHarder: Some(true), ..DecodeHints::default() };
    let qr = match shape {
        Shape::Long => None,
        // The second is of another family, and reads some that the first does not.
        Shape::Compact => QrReader.decode_with_hints(bits, &hints).or_else(|_| QRCodeReader.decode_with_hints(bits, &hints)).ok(),
    };
    qr.or_else(|| PDF417Reader.decode_with_hints(bits, &hints).ok())
}

/// The bytes of a text: one each where all characters are of ISO-8859-1, UTF-8 otherwise.
fn payload(text: &str) -> Vec<u8> {
    let latin1: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    latin1.unwrap_or_else(|| text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use image::imageops;
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

    #[test]
    fn qr_codes_are_read_upright_upside_down_and_blurred() {
        check(&picture(BarcodeFormat::QR_CODE, 3), CodeKind::Qr);
        check(&imageops::blur(&picture(BarcodeFormat::QR_CODE, 3), 1.0), CodeKind::Qr);
        check(&imageops::rotate180(&picture(BarcodeFormat::QR_CODE, 3)), CodeKind::Qr);
    }

    #[test]
    fn pdf417_symbols_are_read_with_wide_and_narrow_modules_and_turned() {
        check(&picture(BarcodeFormat::PDF_417, 2), CodeKind::Pdf417);
        check(&picture(BarcodeFormat::PDF_417, 4), CodeKind::Pdf417);
        check(&imageops::rotate90(&picture(BarcodeFormat::PDF_417, 3)), CodeKind::Pdf417);
        check(&imageops::rotate180(&picture(BarcodeFormat::PDF_417, 3)), CodeKind::Pdf417);
        check(&turned(&picture(BarcodeFormat::PDF_417, 3), 0.12), CodeKind::Pdf417);
    }

    /// The picture turned about its middle by some radians.
    fn turned(picture: &GrayImage, radians: f32) -> GrayImage {
        let (sin, cos) = radians.sin_cos();
        let (middle_x, middle_y) = (picture.width() as f32 / 2.0, picture.height() as f32 / 2.0);
        GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
            let (x, y) = (x as f32 - middle_x, y as f32 - middle_y);
            let (u, v) = (x * cos + y * sin + middle_x, y * cos - x * sin + middle_y);
            picture.get_pixel_checked(u as u32, v as u32).copied().unwrap_or(image::Luma([210]))
        })
    }

    #[test]
    fn the_share_of_an_area_under_lines_is_told() {
        let (upper, lower) = (Quad::from_edges(0.0, 0.0, 200.0, 30.0), Quad::from_edges(50.0, 90.0, 100.0, 120.0));
        assert_eq!(share_covered(&Quad::from_edges(50.0, 0.0, 150.0, 60.0), &[&upper]), 0.5);
        assert_eq!(share_covered(&Quad::from_edges(50.0, 0.0, 150.0, 120.0), &[&upper, &lower]), 0.375);
        assert_eq!(share_covered(&Quad::from_edges(50.0, 60.0, 150.0, 80.0), &[&upper, &lower]), 0.0);
    }

    #[test]
    fn noise_is_no_code_and_no_fault() {
        let mut state = 7_u32;
        let noise = GrayImage::from_fn(700, 500, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            image::Luma([(state >> 24) as u8])
        });
        assert!(!areas(&Picture::new(DynamicImage::ImageLuma8(noise.clone()).into_rgb8())).is_empty());
        assert!(find(&noise).is_empty());
    }
}
