//! The paths that every document takes, on fictional documents: shared by the benchmarks, which time them, and the
//! example `hot_paths`, whose instructions are counted.

use std::io::Cursor;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use idmill::document::{self, Reading, Side, answer, mrz};
use idmill::event::{Event, Subject};
use idmill::job::{JobId, Metadata};
use idmill::ocr::steps::{self, Decoded, Transcriber};
use idmill::ocr::{LATTICE_ALPHABET, Lattice, Limits, Line, Page, Point, Quad, find_codes};
use idmill::reader::remote::body;
use idmill::reader::{ImageSource, OpenImage};
use image::{DynamicImage, GrayImage, ImageFormat, Luma};
use time::macros::{date, datetime};

/// What is decoded at most.
pub(crate) const LIMITS: Limits = Limits { max_pixels: 25_000_000 };

/// Bytes of one image of [`encode_bodies`].
pub(crate) const IMAGE_BYTES: usize = 256 * 1024;

/// Bytes of one chunk, as an S3 client yields them.
const CHUNK_BYTES: usize = 64 * 1024;

/// A passport's page of data: captions, values, and a zone with the recogniser's probabilities behind it.
pub(crate) fn passport() -> Page {
    let printed = [
        "UTOPIA",
        "PASSPORT / PASSEPORT",
        "Type / Type",
        "P",
        "Country code / Code du pays",
        "UTO",
        "Passport No. / No. du passeport",
        "L898902C3",
        "Surname / Nom",
        "ERIKSSON",
        "Given names / Prénoms",
        "ANNA MARIA",
        "Nationality / Nationalité",
        "UTOPIAN",
        "Date of birth / Date de naissance",
        "12 AUG 1974",
        "Sex / Sexe",
        "F",
        "Place of birth / Lieu de naissance",
        "ZENITH",
        "Date of issue / Date de délivrance",
        "16 APR 2007",
        "Date of expiry / Date d'expiration",
        "15 APR 2012",
        "Authority / Autorité",
        "PASSPORT OFFICE",
    ];
    let zone = ["P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"];
    let line = |row: usize, text: &str, lattice| Line {
        text: text.to_owned(),
        confidence: 0.97,
        quad: Quad::from_edges(60.0, 26.0 * row as f32, 60.0 + 16.0 * text.chars().count() as f32, 26.0 * row as f32 + 18.0),
        lattice,
    };
    let printed_lines = printed.iter().enumerate().map(|(row, text)| line(row, text, None));
    let zone_lines = zone.iter().enumerate().map(|(row, text)| line(printed.len() + row, text, Some(lattice(text))));
    Page { width: 1000, height: 750, lines: printed_lines.chain(zone_lines).collect(), ..Page::default() }
}

/// A national card in two languages, with values beside their captions.
pub(crate) fn card() -> Page {
    let printed = [
        (60.0, 20.0, "REPUBLIKA UTOPIJA"),
        (520.0, 20.0, "IDENTITY CARD"),
        (60.0, 80.0, "Prezime/Surname"),
        (300.0, 80.0, "KOVAČ"),
        (60.0, 120.0, "Ime/Name"),
        (300.0, 120.0, "Ana"),
        (60.0, 160.0, "Spol/Sex"),
        (300.0, 160.0, "Ž/F"),
        (60.0, 200.0, "Datum rođenja/Date of birth"),
        (460.0, 200.0, "01.02.1990"),
        (60.0, 240.0, "Prebivalište/Residence"),
        (460.0, 240.0, "ULICA BREZA 12, NOVI GRAD"),
        (60.0, 280.0, "Broj isprave/Document number"),
        (460.0, 280.0, "112233445"),
        (60.0, 320.0, "Vrijedi do/Date of expiry"),
        (460.0, 320.0, "31.01.2031"),
    ];
    let line = |(left, top, text): &(f32, f32, &str)| Line {
        text: (*text).to_owned(),
        confidence: 0.97,
        quad: Quad::from_edges(*left, *top, left + 14.0 * text.chars().count() as f32, top + 22.0),
        lattice: None,
    };
    Page { width: 1000, height: 640, lines: printed.iter().map(line).collect(), ..Page::default() }
}

/// Time steps and classes of [`recognised_line`], as many as a recogniser has of a line of 30 characters.
const LINE: (usize, usize) = (100, 700);

/// What a recogniser says of a line, and who makes text of it.
pub(crate) fn recognised_line() -> (Transcriber, Vec<f32>) {
    let (n_steps, n_classes) = LINE;
    // Blank and space have classes that no dictionary lists.
    let dictionary: Vec<String> = (' '..).skip(1).take(n_classes - 2).map(String::from).collect();
    let mut probabilities = vec![0.0001; n_steps * n_classes];
    for step in 0..n_steps {
        let class = if step % 3 == 2 { 0 } else { 1 + step / 3 };
        probabilities[step * n_classes + class] = 0.93;
    }
    (Transcriber::new(&dictionary.join("\n")), probabilities)
}

/// A detector's map with 12 lines of text on a card.
pub(crate) fn text_map() -> (Vec<f32>, usize, usize) {
    let (width, height) = (416, 256);
    let is_text = |x: usize, y: usize| y % 20 < 7 && (30..300).contains(&x) && y > 15;
    let map = (0..width * height).map(|at| if is_text(at % width, at / width) { 0.9 } else { 0.01 }).collect();
    (map, width, height)
}

/// Boxes of the lines of a map.
pub(crate) fn text_boxes(map: &[f32], width: usize, height: usize) -> usize {
    steps::text_boxes(map, width, height)
}

/// A card without a code: lines of letters as bars, and the smooth shades of a portrait.
pub(crate) fn picture() -> GrayImage {
    GrayImage::from_fn(640, 400, |x, y| {
        let is_ink = y % 40 < 14 && x > 240 && (x * 7 + y / 40 * 13) % 16 < 5;
        let shade = if x < 200 && y > 100 { 90 + ((x + y) / 8) as u8 } else { 200 };
        Luma([if is_ink { 40 } else { shade }])
    })
}

/// The picture as a JPEG.
pub(crate) fn photo() -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageLuma8(picture()).into_rgb8().write_to(&mut bytes, ImageFormat::Jpeg).expect("an image");
    bytes.into_inner()
}

/// Decodes a photo, and makes its half-sized copies.
pub(crate) fn decode(photo: &[u8]) -> Decoded {
    Decoded::new(photo, LIMITS).expect("an image")
}

/// Straightens a line of the picture that lies a little aslant.
pub(crate) fn crop(image: &Decoded) -> usize {
    let corner = |x, y| Point { x, y };
    steps::crop(image, &Quad([corner(240.0, 82.0), corner(620.0, 78.0), corner(620.0, 96.0), corner(240.0, 100.0)]))
}

/// The number of codes in a picture.
pub(crate) fn codes(picture: &GrayImage) -> usize {
    find_codes(picture).len()
}

/// A recogniser's probabilities of a line it is fairly sure of: each character for two steps, a blank after it, and some
/// of the probability with the character's neighbour.
fn lattice(text: &str) -> Lattice {
    let column = |c: char| LATTICE_ALPHABET.find(c).map_or(0, |at| at + 1);
    let certain = |column: usize, p: f32| {
        let mut step = [0.000_01; 38];
        step[column] = p;
        step[1 + column % 37] = 1.0 - p;
        step
    };
    Lattice { steps: text.chars().flat_map(|c| [certain(column(c), 0.8), certain(column(c), 0.9), certain(0, 0.95)]).collect() }
}

/// Decodes the machine-readable zone of a page.
pub(crate) fn decode_zone(page: &Page) -> bool {
    mrz::read(page, &[page], date!(2026 - 11 - 22)).is_some_and(|zone| zone.is_valid())
}

/// Makes fields of everything on a document's pages, the zone included.
pub(crate) fn parse(pages: &[(Side, Page)]) -> Reading {
    document::read(pages, &[], date!(2026 - 11 - 22))
}

/// Makes the event of a reading.
pub(crate) fn encode_event(reading: &Reading) -> Event {
    let job_id = JobId::parse("8d1c40").expect("an id");
    let metadata = Metadata::default();
    let subject = Subject { job_id: &job_id, replay: 0, metadata: &metadata };
    Event::read(subject, answer::event_data(reading), datetime!(2026-11-22 21:00 UTC))
}

/// An image whose bytes arrive in chunks.
pub(crate) fn image() -> ImageSource {
    let mut bytes = vec![7; IMAGE_BYTES];
    bytes[..4].copy_from_slice(b"\xFF\xD8\xFF\xE0");
    let bytes = Bytes::from(bytes);
    ImageSource::new(move || {
        let bytes = bytes.clone();
        async move {
            let chunks: Vec<_> = (0..IMAGE_BYTES).step_by(CHUNK_BYTES).map(|at| Ok(bytes.slice(at..at + CHUNK_BYTES))).collect();
            Ok(OpenImage { len: IMAGE_BYTES as u64, chunks: stream::iter(chunks).boxed() })
        }
    })
}

/// Streams the request body with the image as both sides, and counts its bytes.
pub(crate) async fn encode_body(image: &ImageSource) -> u64 {
    let open = || body::open_checked(image, u64::MAX);
    let (front, back) = (open().await.expect("an image"), open().await.expect("an image"));
    let mut body = body::body(body::Spelling::Camel, front, Some(back));
    let mut n_bytes = 0;
    while let Some(piece) = body.stream.next().await {
        n_bytes += piece.expect("a piece").len() as u64;
    }
    assert_eq!(n_bytes, body.len);
    n_bytes
}
