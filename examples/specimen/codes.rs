//! Payloads of two-dimensional codes, and their modules: AAMVA text in PDF417, Aadhaar secure QR.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use rxing::pdf417::PDF417Writer;
use rxing::qrcode::QRCodeWriter;
use rxing::{BarcodeFormat, EncodeHintValue, EncodeHints, Writer};

use crate::chance::Chance;

/// The encoder repeats each row of a PDF417 symbol this often.
const ROW_HEIGHT: usize = 4;

/// Black and white modules, row by row.
pub(crate) struct Modules {
    /// Modules a row.
    pub(crate) width: usize,
    /// Rows.
    pub(crate) height: usize,
    /// True is black.
    pub(crate) black: Vec<bool>,
}

/// A QR code without a quiet zone.
pub(crate) fn qr(text: &str) -> Modules {
    let hints = EncodeHints::default().with(EncodeHintValue::Margin("0".into())).with(EncodeHintValue::ErrorCorrection("L".into()));
    modules(QRCodeWriter.encode_with_hints(text, &BarcodeFormat::QR_CODE, 0, 0, &hints).expect("the payload fits a QR code"))
}

/// A PDF417 symbol without a quiet zone, one row of modules for each of its rows: to be drawn three times as high as wide.
pub(crate) fn pdf417(text: &str) -> Modules {
    let hints = EncodeHints::default()
        .with(EncodeHintValue::Margin("0".into()))
        .with(EncodeHintValue::ErrorCorrection("4".into()))
        .with(EncodeHintValue::Pdf417Dimensions(rxing::pdf417::encoder::Dimensions::new(12, 12, 3, 60)));
    let matrix = PDF417Writer.encode_with_hints(text, &BarcodeFormat::PDF_417, 2, 1, &hints).expect("the payload fits a PDF417 symbol");
    let tall = modules(matrix);
    let black = tall.black.chunks(tall.width).step_by(ROW_HEIGHT).flatten().copied().collect();
    Modules { width: tall.width, height: tall.height / ROW_HEIGHT, black }
}

fn modules(matrix: rxing::common::BitMatrix) -> Modules {
    let (width, height) = (matrix.getWidth(), matrix.getHeight());
    let black = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| matrix.get(x, y)).collect();
    Modules { width: width as usize, height: height as usize, black }
}

/// An AAMVA payload (version 10) with one `DL` subfile of these elements.
pub(crate) fn aamva(elements: &[(&str, String)]) -> String {
    // 999999 is no issuer: the state is fictional.
    let mut subfile = String::from("DL");
    for (id, value) in elements {
        subfile.push_str(&format!("{id}{value}\n"));
    }
    subfile.pop();
    subfile.push('\r');
    let header = |offset: usize| format!("@\n\x1e\rANSI 999999100001DL{offset:04}{:04}", subfile.len());
    let offset = header(0).len();
    header(offset) + &subfile
}

/// The digits of an Aadhaar secure QR (first version, without contact hashes) of these fields: name, birth date, …
///
/// The photo is a few bytes and the signature random, so that no reader can take it for a signed one.
pub(crate) fn secure_qr(chance: &mut Chance, reference: &str, fields: &[&str]) -> String {
    let mut plain = Vec::new();
    for field in ["0", reference].iter().chain(fields) {
        plain.extend(field.bytes());
        plain.push(255);
    }
    plain.extend([0xff, 0x4f, 0xff, 0x51]);
    plain.extend((0..296).map(|_| chance.bits() as u8));
    let mut deflate = ZlibEncoder::new(Vec::new(), Compression::best());
    deflate.write_all(&plain).expect("a vector takes every byte");
    decimal(&deflate.finish().expect("a vector takes every byte"))
}

/// Big-endian bytes as one decimal number.
fn decimal(bytes: &[u8]) -> String {
    // Base 10^9, the least significant limb first.
    const LIMB: u64 = 1_000_000_000;
    let mut limbs = vec![0_u64];
    for byte in bytes {
        let mut carry = u64::from(*byte);
        for limb in &mut limbs {
            carry += *limb * 256;
            *limb = carry % LIMB;
            carry /= LIMB;
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    let mut text = limbs.last().map_or_else(String::new, u64::to_string);
    for limb in limbs.iter().rev().skip(1) {
        text.push_str(&format!("{limb:09}"));
    }
    text
}

/// The digit that makes a number pass Verhoeff's check, as Aadhaar numbers do.
pub(crate) fn verhoeff_digit(number: &str) -> char {
    const PERMUTATION: [usize; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    // The dihedral group of order ten: rotations 0-4, reflections 5-9.
    let times = |a: usize, b: usize| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b) % 5,
        (false, true) => 5 + (a - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let mut sum = 0;
    for (position, digit) in number.bytes().rev().enumerate() {
        let digit = usize::from(digit - b'0');
        let permuted = (0..(position + 1) % 8).fold(digit, |digit, _| PERMUTATION[digit]);
        sum = times(sum, permuted);
    }
    let inverse = if sum < 5 { (5 - sum) % 5 } else { sum };
    char::from(b'0' + inverse as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_digit_of_the_public_test_numbers_is_verhoeffs() {
        assert_eq!(verhoeff_digit("23412341234"), '6');
        assert_eq!(verhoeff_digit("99999999001"), '9');
    }

    #[test]
    fn bytes_become_one_number() {
        assert_eq!(decimal(&[1, 0]), "256");
        assert_eq!(decimal(&[0x3b, 0x9a, 0xca, 0x00]), "1000000000");
        assert_eq!(decimal(&[0xff; 8]), u64::MAX.to_string());
    }

    #[test]
    fn the_subfile_lies_where_the_header_says() {
        let payload = aamva(&[("DAQ", "Z123".into()), ("DCS", "PENHALLOW".into())]);
        let designator = &payload[21..31];
        let (offset, length): (usize, usize) = (designator[2..6].parse().unwrap(), designator[6..10].parse().unwrap());
        assert!(payload[offset..].starts_with("DLDAQZ123\nDCS"));
        assert_eq!(offset + length, payload.len());
    }
}
