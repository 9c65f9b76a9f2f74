//! Driving licences: numbered fields as in Europe, and elements in a PDF417 symbol as in North America.

use crate::card::{Desk, Specimen, Truth, mark};
use crate::codes::{aamva, pdf417};
use crate::person::{Person, Region, date, dmy, mdy};

/// Licence with the numbered fields of the European model.
pub(crate) fn numbered(desk: &mut Desk<'_>) -> Specimen {
    let chance = &mut desk.chance;
    let person = Person::invent(chance, Region::Europe);
    let number = format!("{}{}", chance.letters(1), chance.digits(9));
    let issue = date(chance, 2015, 2023);
    let expiry = issue.replace_year(issue.year() + 15).expect("no specimen is issued on 29 February");
    let look = desk.look;
    let mut front = desk.id1();
    front.text(4.0, 6.5, look.title(3.8), "DRIVING LICENCE");
    front.text(42.0, 6.5, look.title(3.0), "UTOPIA");
    mark(&mut front, 64.0, 6.5);
    front.portrait(4.0, 12.0, 22.0, 29.0);
    let numeral = look.label(2.3);
    let value = look.plain(2.8);
    let (born, address) = (format!("{} {}", dmy(person.birth, '.'), person.birthplace), format!("{}, {}", person.street, person.town));
    front.rows(
        numeral,
        value,
        &[
            (30.0, 13.5, "1.", person.surname),
            (30.0, 18.0, "2.", &person.given_names),
            (30.0, 22.5, "3.", &born),
            (30.0, 27.0, "4a.", &dmy(issue, '.')),
            (56.0, 27.0, "4c.", "AMAUROT"),
            (30.0, 31.5, "4b.", &dmy(expiry, '.')),
            (30.0, 36.0, "5.", &number),
            (30.0, 40.5, "7.", ""),
            (30.0, 46.0, "8.", &address),
            (30.0, 50.5, "9.", "AM/B"),
        ],
    );

    let mut back = desk.id1();
    mark(&mut back, 64.0, 6.0);
    for (row, category) in ["AM", "A", "B", "C", "D", "BE"].iter().enumerate() {
        let y = 13.0 + 6.0 * row as f32;
        back.bar(4.0, y + 1.6, 76.0, 0.15, look.accent);
        back.text(6.0, y, look.value(2.6), category);
        if ["AM", "B"].contains(category) {
            back.text(28.0, y, look.plain(2.4), &dmy(issue, '.'));
            back.text(50.0, y, look.plain(2.4), &dmy(expiry, '.'));
        }
    }
    let truth = Truth {
        id_type: "driving_licence",
        country: "UTO",
        id_number: number,
        accepted_names: Vec::new(),
        gender: None,
        address: Some(address),
        person,
        mrz: None,
    };
    Specimen { front: front.image, back: Some(back.image), truth }
}

/// Licence with an AAMVA symbol on its back.
pub(crate) fn american(desk: &mut Desk<'_>) -> Specimen {
    let chance = &mut desk.chance;
    let person = Person::invent(chance, Region::America);
    let number = format!("{}{}", chance.letters(1), chance.digits(8));
    let issue = date(chance, 2019, 2023);
    let expiry = issue.replace_year(issue.year() + 8).expect("no specimen is issued on 29 February");
    let look = desk.look;
    let mut front = desk.id1();
    front.text(4.0, 6.5, look.title(4.4), "UTOPIA");
    front.text(30.0, 6.5, look.title(3.4), "DRIVER LICENSE");
    mark(&mut front, 64.0, 6.5);
    front.portrait(4.0, 12.0, 24.0, 31.0);
    let label = look.label(2.1);
    let value = look.value(2.6);
    front.rows(
        label,
        value,
        &[
            (32.0, 13.5, "4d DL", &number),
            (32.0, 18.5, "3 DOB", &mdy(person.birth, "/")),
            (60.0, 13.5, "9 CLASS", "D"),
            (32.0, 23.5, "1", person.surname),
            (32.0, 28.0, "2", &person.given_names),
            (32.0, 33.0, "8", &person.street),
            (32.0, 42.0, "15 SEX", &person.sex.to_string()),
            (46.0, 42.0, "16 HGT", "5'-08\""),
            (67.0, 42.0, "18 EYES", "BRO"),
            (32.0, 46.5, "4a ISS", &mdy(issue, "/")),
            (59.0, 46.5, "4b EXP", &mdy(expiry, "/")),
            (32.0, 51.0, "5 DD", &discriminator(&number)),
        ],
    );
    front.text(34.2, 36.8, value, &person.town);

    let mut given = person.given_names.split(' ');
    let (first, middle) = (given.next().unwrap_or_default().to_owned(), given.collect::<Vec<_>>().join(" "));
    let (city, postal_code) = person.town.split_once(", ZZ ").unwrap_or((&person.town, ""));
    let payload = aamva(&[
        ("DAQ", number.clone()),
        ("DCS", person.surname.into()),
        ("DDE", "N".into()),
        ("DAC", first),
        ("DDF", "N".into()),
        ("DAD", middle),
        ("DDG", "N".into()),
        ("DCA", "D".into()),
        ("DCB", "NONE".into()),
        ("DCD", "NONE".into()),
        ("DBD", mdy(issue, "")),
        ("DBB", mdy(person.birth, "")),
        ("DBA", mdy(expiry, "")),
        ("DBC", if person.sex == 'M' { "1" } else { "2" }.into()),
        ("DAU", "068 in".into()),
        ("DAY", "BRO".into()),
        ("DAG", person.street.clone()),
        ("DAI", city.into()),
        ("DAJ", "ZZ".into()),
        ("DAK", format!("{postal_code:0<9}  ")),
        ("DCF", discriminator(&number)),
        ("DCG", "USA".into()),
    ]);
    let mut back = desk.id1();
    back.text(4.0, 6.0, look.plain(2.2), "CLASS D  NONE   ENDORSEMENTS NONE   RESTRICTIONS NONE");
    mark(&mut back, 64.0, 50.0);
    back.code(5.0, 10.0, (3, 9), &pdf417(&payload));
    let truth = Truth {
        id_type: "driving_licence",
        country: "UTO",
        id_number: number,
        accepted_names: vec![format!("{} {}", person.surname, person.given_names)],
        gender: Some(person.sex),
        address: Some(format!("{}, {}", person.street, person.town)),
        person,
        mrz: None,
    };
    Specimen { front: front.image, back: Some(back.image), truth }
}

/// A discriminator that follows from the number, so that front and back bear the same one.
fn discriminator(number: &str) -> String {
    let tail: String = number.chars().filter(char::is_ascii_digit).rev().collect();
    format!("24{tail}00{tail}")
}
