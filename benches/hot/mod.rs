//! The paths that every document takes, on fictional documents: shared by the benchmarks, which time them, and the
//! example `hot_paths`, whose instructions are counted.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use idmill::document::{self, Reading, Side, answer, mrz};
use idmill::event::{Event, Subject};
use idmill::job::{JobId, Metadata};
use idmill::ocr::{LATTICE_ALPHABET, Lattice, Line, Page, Quad};
use idmill::reader::remote::body;
use idmill::reader::{ImageSource, OpenImage};
use time::macros::{date, datetime};

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

/// A recogniser's probabilities of a line it is fairly sure of: each character for two steps, a blank after it, and some
/// of the probability with the character's neighbour.
fn lattice(text: &str) -> Lattice {
    let column = |c: char| LATTICE_ALPHABET.find(c).map_or(0, |at| at + 1);
    let certain = |column: usize, p: f32| {
        let mut step = [0.001; 38];
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
