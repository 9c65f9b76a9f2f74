//! Aadhaar's QR codes: the secure one (digits that inflate to counted text fields, a photo and a signature), and the XML
//! of cards before 2019, which anyone can write.

use std::io::Read;

use super::field::{Candidate, Check, FieldName, Side, Source};
use super::number;
use super::signer_key::SignerKey;
use crate::ocr::{Code, CodeKind, Quad};

/// A secure code holds at most some seven thousand digits: three kilobytes.
const MAX_DIGITS: usize = 8_000;
/// Text, photo and signature come to a few kilobytes; a payload that inflates to more is an attack.
const MAX_INFLATED: u64 = 64 * 1024;
/// RSA with 2048 bits.
const SIGNATURE_LEN: usize = 256;
/// Between the text fields; the photo behind them holds it too, so only counted fields are split.
const SEPARATOR: u8 = 255;
/// Text fields of the first version; later ones begin with their name and end with four digits of the mobile number.
const N_FIELDS_V1: usize = 16;
const N_FIELDS_V2: usize = 18;
/// Confidence of a code whose signature holds, of one that could not be verified, and of one that has none.
const CONFIDENCE_SIGNED: f32 = 1.0;
const CONFIDENCE_UNVERIFIED: f32 = 0.95;

/// What a code says.
#[derive(Clone)]
pub(crate) struct AadhaarQr {
    /// The signature holds under one of the given keys; `None` where the code has no signature.
    pub(crate) is_signed: Option<bool>,
    values: Vec<(FieldName, String)>,
    quad: Quad,
}

impl AadhaarQr {
    /// The code's fields as candidates for fusing.
    pub(crate) fn candidates(&self, side: Side) -> Vec<Candidate> {
        let (source, confidence) = match self.is_signed {
            Some(true) => (Source::SignedQr, CONFIDENCE_SIGNED),
            Some(false) | None => (Source::Qr, CONFIDENCE_UNVERIFIED),
        };
        let candidate = |(name, value): &(FieldName, String)| Candidate {
            name: *name,
            value: value.clone(),
            raw: value.clone(),
            source,
            side,
            confidence,
            quad: Some(self.quad),
            checks: if self.is_signed == Some(true) { vec![Check::SignatureOk] } else { Vec::new() },
        };
        self.values.iter().map(candidate).collect()
    }
}

/// Reads a code; `None` where it is none of Aadhaar's.
pub(crate) fn read(code: &Code, keys: &[SignerKey]) -> Option<AadhaarQr> {
    if code.kind != CodeKind::Qr {
        return None;
    }
    let text = std::str::from_utf8(&code.bytes).ok()?.trim();
    let (values, is_signed) = if text.contains("PrintLetterBarcodeData") {
        (xml_values(text), None)
    } else {
        let inflated = inflate(&decimal_to_bytes(text)?)?;
        let (signed, signature) = inflated.split_at_checked(inflated.len().checked_sub(SIGNATURE_LEN)?)?;
        let is_signed = keys.iter().any(|key| key.has_signed(signed, signature));
        (secure_values(signed)?, Some(is_signed))
    };
    (!values.is_empty()).then_some(AadhaarQr { is_signed, values, quad: code.quad })
}

/// The big-endian bytes of a decimal number; `None` where it is none or too long.
fn decimal_to_bytes(text: &str) -> Option<Vec<u8>> {
    if text.len() < 100 || text.len() > MAX_DIGITS || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // Little-endian limbs, nine digits at a time.
    let mut limbs: Vec<u32> = Vec::with_capacity(text.len() / 9 + 1);
    let (head, rest) = text.as_bytes().split_at(text.len() % 9);
    for chunk in [head].into_iter().filter(|head| !head.is_empty()).chain(rest.chunks(9)) {
        let digits = chunk.iter().fold(0, |n, digit| n * 10 + u64::from(digit - b'0'));
        let mut carry = digits;
        for limb in &mut limbs {
            let product = u64::from(*limb) * 10_u64.pow(chunk.len() as u32) + carry;
            *limb = product as u32;
            carry = product >> 32;
        }
        if carry > 0 {
            limbs.push(carry as u32);
        }
    }
    let bytes: Vec<u8> = limbs.iter().rev().flat_map(|limb| limb.to_be_bytes()).collect();
    Some(bytes.into_iter().skip_while(|&byte| byte == 0).collect())
}

/// Inflates gzip, which cards carry, or zlib, which published test data carries; `None` beyond the limit.
fn inflate(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut inflated = Vec::new();
    let n_read = match bytes {
        [0x1f, 0x8b, ..] => flate2::read::GzDecoder::new(bytes).take(MAX_INFLATED + 1).read_to_end(&mut inflated),
        [0x78, ..] => flate2::read::ZlibDecoder::new(bytes).take(MAX_INFLATED + 1).read_to_end(&mut inflated),
        _ => return None,
    };
    (n_read.ok()? as u64 <= MAX_INFLATED).then_some(inflated)
}

/// Fields of the text before photo and signature; `None` where the count or the kind of fields surprises.
fn secure_values(signed: &[u8]) -> Option<Vec<(FieldName, String)>> {
    let is_later = signed.first() == Some(&b'V') && signed.get(1).is_some_and(u8::is_ascii_digit);
    let n_fields = if is_later { N_FIELDS_V2 } else { N_FIELDS_V1 };
    let mut fields: Vec<String> = signed.splitn(n_fields + 1, |&byte| byte == SEPARATOR).map(latin1).collect();
    if fields.len() != n_fields + 1 {
        return None;
    }
    // What follows the counted fields is the photo.
    fields.pop();
    let fields = if is_later { &fields[1..] } else { &fields[..] };
    let [indicator, reference, name, birth, gender, rest @ ..] = fields else { return None };
    let is_reference = reference.len() >= 18 && reference.bytes().all(|b| b.is_ascii_digit());
    if !matches!(indicator.as_str(), "0" | "1" | "2" | "3") || !is_reference {
        return None;
    }
    let at = |idx: usize| rest.get(idx).map(String::as_str).unwrap_or_default();
    let [care_of, district, landmark, house, location, pin, post_office, state, street, sub_district, town] = std::array::from_fn(at);
    let parts = [care_of, house, street, landmark, location, town, post_office, sub_district, district, state, pin];
    // The full number is not inside: only its last four digits, in the reference.
    Some(said([
        (FieldName::Name, name.clone()),
        (FieldName::DateOfBirth, iso_date(birth).unwrap_or_default()),
        (FieldName::Gender, sex(gender).to_owned()),
        (FieldName::Address, address(&parts)),
    ]))
}

/// Attributes of the XML of old cards; their spelling varies, and not all of it is well-formed.
fn xml_values(text: &str) -> Vec<(FieldName, String)> {
    let get = |names: &[&str]| names.iter().find_map(|name| attribute(text, name)).unwrap_or_default();
    let uid = get(&["uid"]);
    let is_number = number::check("IND", number::Kind::Aadhaar, &uid) == number::Verdict::Valid;
    let birth = iso_date(&get(&["dob"])).unwrap_or_else(|| get(&["yob"]));
    let parts: Vec<String> = [
        &["co", "gname"][..],
        &["house"],
        &["street"],
        &["lm"],
        &["loc"],
        &["vtc", "vtcName"],
        &["po", "poName"],
        &["subdist"],
        &["dist", "distName"],
        &["state", "stateName"],
        &["pc"],
    ]
    .iter()
    .map(|names| get(names))
    .collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    said([
        (FieldName::IdNumber, if is_number { uid } else { String::new() }),
        (FieldName::Name, get(&["name"])),
        (FieldName::DateOfBirth, birth),
        (FieldName::Gender, sex(&get(&["gender"])).to_owned()),
        (FieldName::Address, address(&parts)),
    ])
}

/// The value of an attribute, entities resolved.
fn attribute(text: &str, name: &str) -> Option<String> {
    let at = text.match_indices(name).map(|(at, _)| at).find(|&at| {
        let is_word = text[..at].ends_with(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
        is_word && text[at + name.len()..].trim_start().starts_with('=')
    })?;
    let rest = text[at + name.len()..].trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let value = rest[1..].split(quote).next()?;
    let value = value.replace("&quot;", "\"").replace("&apos;", "'").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    Some(value.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|value| !value.is_empty())
}

fn said<const N: usize>(values: [(FieldName, String); N]) -> Vec<(FieldName, String)> {
    values.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// Parts of an address in the order cards print them; a part said twice in a row, as town and post office often are, once.
fn address(parts: &[&str]) -> String {
    let mut said: Vec<&str> = parts.iter().map(|part| part.trim().trim_end_matches(',')).filter(|part| !part.is_empty()).collect();
    said.dedup_by(|next, kept| next.eq_ignore_ascii_case(kept));
    said.join(", ")
}

/// `DD-MM-YYYY`, `DD/MM/YYYY` or `YYYY-MM-DD`.
fn iso_date(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.trim().split(['-', '/']).collect();
    let [first, month, last] = parts.as_slice() else { return None };
    let (year, day) = if first.len() == 4 { (first, last) } else { (last, first) };
    super::coded_date::from_ccyymmdd(&format!("{year}{month:0>2}{day:0>2}"))
}

fn sex(text: &str) -> &'static str {
    match text.trim().chars().next().map(|c| c.to_ascii_uppercase()) {
        Some('M') => "M",
        Some('F') => "F",
        Some('T') => "X",
        _ => "",
    }
}

/// ISO-8859-1: every byte is the character of its number.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::RSA_PKCS1_SHA256;
    use proptest::prelude::*;
    use time::macros::date;

    use super::super::signer_key::tests::key_of;
    use super::*;
    use crate::document::testing::page;
    use crate::document::{self, Reading};
    use crate::ocr::Page;

    const V1: &str = "3|123420240101120000000|Asha Example|02-03-1985|F|D/O Ravi Example|Mysuru|Near Well|12|Hill View|570001|Mysuru|Karnataka|\
        First Cross|Mysuru|Mysuru";

    /// The digits of a code that says `fields`, signed with a new key, and that key.
    fn secure_code(fields: &str) -> (Code, SignerKey) {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let mut bytes = Vec::new();
        for field in fields.split('|') {
            bytes.extend(field.chars().map(|c| c as u8).chain([SEPARATOR]));
        }
        // A photo holds the separator too.
        bytes.extend([0xff, 0x4f, 0xff, 0x51, 1, 2, 0xff, 3]);
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &bytes, &mut signature).expect("a signature");
        bytes.extend(signature);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&bytes).expect("memory takes it");
        let digits = to_decimal(&gzip.finish().expect("memory takes it"));
        (code(&digits), key_of(&pair))
    }

    fn code(text: &str) -> Code {
        Code { kind: CodeKind::Qr, bytes: text.as_bytes().to_vec(), quad: Quad::default() }
    }

    fn to_decimal(bytes: &[u8]) -> String {
        let mut digits = vec![0_u8];
        for &byte in bytes {
            let mut carry = u32::from(byte);
            for digit in &mut digits {
                let n = u32::from(*digit) * 256 + carry;
                *digit = (n % 10) as u8;
                carry = n / 10;
            }
            while carry > 0 {
                digits.push((carry % 10) as u8);
                carry /= 10;
            }
        }
        digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect()
    }

    fn value(qr: &AadhaarQr, name: FieldName) -> &str {
        qr.values.iter().find(|(read, _)| *read == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    #[test]
    fn a_signed_code_is_read_and_its_signature_holds_under_the_right_key_only() {
        let (code, key) = secure_code(V1);
        let (_, other_key) = secure_code(V1);
        let qr = read(&code, &[other_key.clone(), key]).expect("a secure code");
        assert_eq!(qr.is_signed, Some(true));
        assert_eq!(value(&qr, FieldName::Name), "Asha Example");
        assert_eq!(value(&qr, FieldName::DateOfBirth), "1985-03-02");
        assert_eq!(value(&qr, FieldName::Gender), "F");
        assert_eq!(value(&qr, FieldName::IdNumber), "");
        assert_eq!(value(&qr, FieldName::Address), "D/O Ravi Example, 12, First Cross, Near Well, Hill View, Mysuru, Karnataka, 570001");
        assert!(qr.candidates(Side::Back).iter().all(|c| c.source == Source::SignedQr && c.checks == [Check::SignatureOk]));
        let unverified = read(&code, &[other_key]).expect("a secure code");
        assert_eq!(unverified.is_signed, Some(false));
        assert!(unverified.candidates(Side::Back).iter().all(|c| c.source == Source::Qr));
    }

    #[test]
    fn the_second_version_has_its_name_before_and_mobile_digits_after() {
        let (code, key) = secure_code(&format!("V2|{V1}|1234"));
        let qr = read(&code, &[key]).expect("a secure code");
        assert_eq!((qr.is_signed, value(&qr, FieldName::Name)), (Some(true), "Asha Example"));
    }

    #[test]
    fn a_signed_code_outranks_the_print_and_an_unknown_signer_is_told() {
        let lines = [(60.0, 20.0, "Government of India"), (200.0, 80.0, "Usha Example"), (200.0, 110.0, "DOB: 11/06/1978")];
        let (code, key) = secure_code(V1);
        let (_, other_key) = secure_code(V1);
        let pages = [(Side::Front, Page { codes: vec![code], ..page(&lines) })];
        let reading_with = |keys: &[SignerKey]| document::read(&pages, keys, date!(2026 - 11 - 22));
        let signed = reading_with(&[key]);
        let birth = &signed.fields[&FieldName::DateOfBirth];
        assert_eq!((birth.chosen.value.as_str(), birth.chosen.source), ("1985-03-02", Source::SignedQr));
        assert_eq!(birth.others.iter().map(|other| other.value.as_str()).collect::<Vec<_>>(), ["1978-06-11"]);
        let is_told = |reading: &Reading| reading.warnings.iter().any(|warning| warning.contains("signature"));
        assert!(!is_told(&signed) && is_told(&reading_with(&[other_key])) && !is_told(&reading_with(&[])));
    }

    #[test]
    fn surprises_are_refused() {
        let (short, key) = secure_code("3|123420240101120000000|Asha Example");
        assert!(read(&short, std::slice::from_ref(&key)).is_none());
        let (wrong, _) = secure_code(&V1.replacen('3', "9", 1));
        assert!(read(&wrong, &[]).is_none());
        let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        bomb.write_all(&vec![b'1'; 1 << 20]).expect("memory takes it");
        assert!(read(&code(&to_decimal(&bomb.finish().expect("memory takes it"))), &[]).is_none());
        for text in ["", "123", "https://example.org", &"9".repeat(200), &"1".repeat(20_000)] {
            assert!(read(&code(text), &[]).is_none());
        }
    }

    #[test]
    fn xml_of_old_cards_is_read_also_when_malformed() {
        let text = r#"</?xml version="1.0" encoding="UTF-8"?> <PrintLetterBarcodeData uid="234123412346" name="Asha &amp; Example" gender="FEMALE" yob="1985" co="D/O Ravi" house="12" loc="Hill View" vtc="Mysuru" po="Mysuru" dist="Mysuru" state="Karnataka" pc="570001""#;
        let qr = read(&code(text), &[]).expect("an old code");
        assert_eq!(qr.is_signed, None);
        assert_eq!(value(&qr, FieldName::IdNumber), "234123412346");
        assert_eq!(value(&qr, FieldName::Name), "Asha & Example");
        assert_eq!(value(&qr, FieldName::DateOfBirth), "1985");
        assert_eq!(value(&qr, FieldName::Address), "D/O Ravi, 12, Hill View, Mysuru, Karnataka, 570001");
    }
    proptest! {
        #[test]
        fn no_payload_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&Code { kind: CodeKind::Qr, bytes: bytes.clone(), quad: Quad::default() }, &[]);
            // What a code may inflate to.
            let _ = secure_values(&bytes);
            let _ = inflate(&bytes);
        }

        #[test]
        fn no_digits_and_no_attributes_make_the_reader_panic(digits in "[0-9]{90,600}", xml in "PrintLetterBarcodeData[ =\"'&;a-zé0-9]{0,80}") {
            let _ = read(&code(&digits), &[]);
            let _ = read(&code(&xml), &[]);
        }
    }
}
