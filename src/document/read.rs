//! The pages of one document -> its reading.

use time::Date;

use super::classify::{Class, Region, classify};
use super::codes::{self, CodeReading};
use super::field::{IdType, Reading, Side};
use super::fuse::fuse;
use super::layout::Sheet;
use super::mrz::{self, Mrz};
use super::reconcile::{prefer_holders_number, reconcile_number};
use super::sides::Sides;
use super::signals;
use super::signer_key::SignerKey;
use super::viz;
use crate::ocr::Page;

/// Reads a document off its pages.
///
/// `keys` are the keys that may have signed Aadhaar codes; `today` decides which century two digits of a year belong to
/// and whether the document has expired.
pub fn read(pages: &[(Side, Page)], keys: &[SignerKey], today: Date) -> Reading {
    let sheets: Vec<Sheet> = pages.iter().map(|(side, page)| Sheet::new(*side, page)).collect();
    let all: Vec<&Page> = pages.iter().map(|(_, page)| page).collect();
    let zones = pages.iter().filter_map(|(side, page)| Some((*side, mrz::read(page, &all, today)?)));
    let mut zone = zones.max_by_key(|(_, zone)| weight(zone));
    if let Some((_, zone)) = &mut zone {
        zone.improve_names(&all);
    }
    let coded: Vec<CodeReading> = pages.iter().flat_map(|(side, page)| codes::read(&page.codes, *side, keys)).collect();
    // Without keys nothing can be said about a signature.
    let is_unverified = !keys.is_empty() && coded.iter().any(|coded| coded.is_signed == Some(false));
    let printed = classify(&sheets);
    let by_code = coded.first().map_or(printed.id_type, |coded| coded.id_type);
    let id_type = zone.as_ref().map_or(by_code, |(_, zone)| id_type(printed, zone));
    let mut candidates: Vec<_> = zone.iter().flat_map(|(side, zone)| zone.candidates(*side)).collect();
    candidates.extend(coded.into_iter().flat_map(|coded| coded.candidates));
    let class = Class { id_type, ..printed };
    let context = viz::Context { class, sheets: &sheets, zones: &candidates, today };
    let visual = viz::read(&context);
    candidates.extend(visual);
    if let Some((_, zone)) = &zone {
        reconcile_number(&mut candidates, zone, &sheets);
        prefer_holders_number(&mut candidates, zone, class);
    }
    let sides = Sides::of(pages, zone.as_ref(), &candidates);
    let fused = fuse(candidates);
    let mut reading = Reading { id_type, fields: fused.fields, warnings: fused.warnings, ..Reading::default() };
    if is_unverified {
        reading.warnings.push("the signature of the Aadhaar code is of none of the known keys".into());
    }
    signals::mark(&mut reading, pages, today);
    if let Some(sides) = sides {
        sides.mark(&mut reading);
    }
    reading.mrz = zone.map(|(_, zone)| zone.lines).unwrap_or_default();
    reading
}

/// Zones are compared by how many of their check digits hold, then by whether they are whole.
fn weight(zone: &Mrz) -> (usize, bool) {
    (zone.checks.iter().filter(|(_, holds)| *holds).count(), zone.is_whole())
}

/// The type that the zone's codes and the print agree on best.
///
/// Passports and visas have a letter of their own; what carries the letters of cards says in print what kind it is.
fn id_type(printed: Class, zone: &Mrz) -> IdType {
    match (zone.id_type, printed.id_type) {
        (IdType::Unknown, printed) => printed,
        (_, IdType::Pan | IdType::Aadhaar | IdType::VoterId) if printed.region == Region::India && weight(zone).0 < 2 => printed.id_type,
        (IdType::NationalId, IdType::ResidencePermit | IdType::DrivingLicence) | (IdType::ResidencePermit, IdType::NationalId) => {
            printed.id_type
        }
        (by_code, _) => by_code,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::date;

    use super::read;
    use crate::document::field::{FieldName, Side};
    use crate::document::testing::{AADHAAR_BACK, AADHAAR_FRONT, page};

    /// Type, number, name, birth date, address and sex, as the seven keys have them.
    fn check(lines: &[(f32, f32, &str)], expected: [&str; 6]) {
        let reading = read(&[(Side::Front, page(lines))], &[], date!(2026 - 11 - 22));
        let id_type = serde_json::to_value(reading.id_type).ok();
        let read = [
            id_type.as_ref().and_then(|id_type| id_type.as_str()).unwrap_or_default(),
            reading.value(FieldName::IdNumber),
            reading.value(FieldName::Name),
            reading.value(FieldName::DateOfBirth),
            reading.value(FieldName::Address),
            reading.value(FieldName::Gender),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn a_passport_without_a_legible_zone_is_read() {
        check(
            &[
                (300.0, 20.0, "REPUBLIC OF UTOPIA"),
                (60.0, 20.0, "PASSPORT"),
                (300.0, 80.0, "Passport No."),
                (300.0, 104.0, "XK4471902"),
                (60.0, 80.0, "Surname/Nom"),
                (60.0, 104.0, "ÅSTRÖM"),
                (60.0, 150.0, "Given names/Prénoms"),
                (60.0, 174.0, "LIV MARI"),
                (60.0, 220.0, "Date of birth/Date de naissance"),
                (60.0, 244.0, "04 MAY/MAI 1985"),
                (500.0, 220.0, "Sex/Sexe"),
                (500.0, 244.0, "F"),
                (60.0, 290.0, "Date of issue"),
                (60.0, 314.0, "12 JAN 2020"),
                (300.0, 290.0, "Date of expiry"),
                (300.0, 314.0, "11 JAN 2030"),
                (60.0, 360.0, "Father's name"),
                (60.0, 384.0, "NILS ÅSTRÖM"),
            ],
            ["passport", "XK4471902", "LIV MARI ÅSTRÖM", "1985-05-04", "", "F"],
        );
    }

    #[test]
    fn a_card_in_two_languages_with_values_beside_is_read() {
        check(
            &[
                (60.0, 20.0, "REPUBLIKA UTOPIJA"),
                (400.0, 20.0, "IDENTITY CARD"),
                (60.0, 80.0, "Prezime/Surname"),
                (300.0, 80.0, "KOVAČ"),
                (60.0, 120.0, "Ime/Name"),
                (300.0, 120.0, "Ana"),
                (60.0, 160.0, "Spol/Sex"),
                (300.0, 160.0, "Ž/F"),
                (60.0, 200.0, "Datum rođenja/Date of birth"),
                (400.0, 200.0, "01.02.1990"),
                (60.0, 240.0, "Broj isprave/Document number"),
                (400.0, 240.0, "112233445"),
            ],
            ["national_id", "112233445", "Ana KOVAČ", "1990-02-01", "", "F"],
        );
    }

    #[test]
    fn a_licence_with_numbered_fields_is_read() {
        check(
            &[
                (60.0, 20.0, "DRIVER LICENSE"),
                (400.0, 20.0, "Arizona"),
                (300.0, 60.0, "4d DLN D01234567"),
                (300.0, 100.0, "3 DOB 03/04/1971"),
                (60.0, 140.0, "1 DOE"),
                (60.0, 164.0, "2 JANE ANN"),
                (60.0, 188.0, "8 12 ELM STREET"),
                (80.0, 212.0, "PHOENIX, AZ 85007"),
                (60.0, 250.0, "4a ISS 01/10/2013"),
                (300.0, 250.0, "4b EXP 02/01/2021"),
                (60.0, 290.0, "15 SEX F"),
                (300.0, 290.0, "18 EYES BRO"),
                (60.0, 330.0, "5 DD 1234567890123456"),
            ],
            ["driving_licence", "D01234567", "JANE ANN DOE", "1971-03-04", "12 ELM STREET, PHOENIX, AZ 85007", "F"],
        );
    }

    #[test]
    fn a_licence_without_numbers_is_read() {
        check(
            &[
                (60.0, 20.0, "DRIVER'S LICENSE"),
                (400.0, 20.0, "West Virginia"),
                (60.0, 80.0, "JANE DOE"),
                (60.0, 110.0, "12 Elm Street"),
                (60.0, 134.0, "Charleston, WV 25301"),
                (60.0, 180.0, "LIC #:"),
                (130.0, 180.0, "034568"),
                (60.0, 220.0, "DOB:"),
                (120.0, 220.0, "03/23/1988"),
                (300.0, 220.0, "SEX:F"),
                (60.0, 260.0, "EXP:"),
                (120.0, 260.0, "03/23/2026"),
                (60.0, 300.0, "ISS:"),
                (120.0, 300.0, "03/23/2019"),
            ],
            ["driving_licence", "034568", "JANE DOE", "1988-03-23", "12 Elm Street, Charleston, WV 25301", "F"],
        );
    }

    #[test]
    fn an_aadhaar_card_is_read() {
        check(&AADHAAR_FRONT, ["aadhaar", "2341 2341 2346", "Asha Rao", "1978-06-11", "", "F"]);
    }

    #[test]
    fn the_back_of_an_aadhaar_card_is_read() {
        check(&AADHAAR_BACK, ["aadhaar", "2341 2341 2346", "", "", "12/4 Lake Road, Hapur, Uttar Pradesh - 245101", ""]);
    }

    #[test]
    fn an_old_tax_card_without_captions_is_read() {
        check(
            &[
                (60.0, 20.0, "INCOME TAX DEPARTMENT"),
                (500.0, 20.0, "GOVT. OF INDIA"),
                (60.0, 80.0, "ASHA RAO"),
                (60.0, 120.0, "MOHAN RAO"),
                (60.0, 160.0, "11/06/1978"),
                (60.0, 200.0, "Permanent Account Number"),
                (60.0, 230.0, "ABCPR1234F"),
            ],
            ["pan", "ABCPR1234F", "ASHA RAO", "1978-06-11", "", ""],
        );
    }

    #[test]
    fn an_electors_card_is_read() {
        check(
            &[
                (60.0, 20.0, "ELECTION COMMISSION OF INDIA"),
                (400.0, 60.0, "WKH1186253"),
                (60.0, 120.0, "NAME:"),
                (200.0, 120.0, "ASHA RAO"),
                (60.0, 160.0, "FATHER'S NAME:"),
                (260.0, 160.0, "MOHAN RAO"),
                (60.0, 200.0, "Sex/Gender : Female"),
            ],
            ["voter_id", "WKH1186253", "ASHA RAO", "", "", "F"],
        );
    }

    #[test]
    fn an_indian_driving_licence_is_read() {
        check(
            &[
                (60.0, 20.0, "INDIAN UNION DRIVING LICENCE"),
                (60.0, 60.0, "MH23 20073222610"),
                (60.0, 110.0, "Name: ASHA RAO"),
                (60.0, 150.0, "Date of Birth: 11/06/1978"),
                (60.0, 190.0, "Issue Date: 10/01/2016"),
                (60.0, 230.0, "Valid Till: 10/01/2036"),
                (60.0, 270.0, "Address:"),
                (60.0, 294.0, "55/2, Lake Road, Hapur 245101"),
            ],
            ["driving_licence", "MH23 20073222610", "ASHA RAO", "1978-06-11", "55/2, Lake Road, Hapur 245101", ""],
        );
    }

    proptest! {
        // A page takes a thousand times as long as a payload.
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn no_page_makes_the_reader_panic(
            lines in prop::collection::vec((0.0_f32..900.0, 0.0_f32..600.0, "(|[0-9]{1,2}[a-d]?\\.? ?|Name:? ?|DOB:? ?|PASSPORT ?|DRIVING LICEN[CS]E ?|Address ?|[A-Z<]{0,20})(\\PC{0,12}|[0-9./ -]{0,14}|[A-Z0-9<]{0,46})"), 0..12),
            back in any::<bool>(),
        ) {
            let lines: Vec<(f32, f32, &str)> = lines.iter().map(|(left, top, text)| (*left, *top, text.as_str())).collect();
            let mut pages = vec![(Side::Front, page(&lines))];
            if back {
                pages.push((Side::Back, page(&lines[lines.len() / 2..])));
            }
            let _ = read(&pages, &[], date!(2026 - 11 - 22));
        }
    }
}
