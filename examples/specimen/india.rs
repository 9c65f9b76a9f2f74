//! Cards in the style of India: PAN and Aadhaar. The numbers lie where none are issued.

use crate::card::{Desk, Specimen, Truth, mark};
use crate::codes::{qr, secure_qr, verhoeff_digit};
use crate::person::{Person, Region, dmy};

/// Permanent account number card, in the captioned layout.
pub(crate) fn pan(desk: &mut Desk<'_>) -> Specimen {
    let chance = &mut desk.chance;
    let person = Person::invent(chance, Region::India);
    let father = std::iter::repeat_with(|| Person::invent(chance, Region::India)).find(|other| other.sex == 'M').expect("every second one");
    // ZZZ opens no series; the fourth letter says person, the fifth is the surname's initial.
    let number = format!("ZZZP{}{}{}", &person.surname[..1], chance.digits(4), chance.letters(1));
    let look = desk.look;
    let mut front = desk.id1();
    front.text(4.0, 6.5, look.title(3.3), "INCOME TAX DEPARTMENT");
    front.text(56.0, 6.5, look.title(3.0), "GOVT. OF INDIA");
    mark(&mut front, 62.0, 12.0);
    front.text(20.0, 12.5, look.label(2.3), "Permanent Account Number Card");
    front.text(26.0, 18.5, look.value(4.0), &number);
    front.portrait(4.0, 13.5, 14.0, 15.0);
    let label = look.label(2.1);
    let value = look.value(2.9);
    let father = format!("{} {}", father.given_names, person.surname);
    front.fields(
        label,
        value,
        &[
            (4.0, 31.5, "Name", &person.name()),
            (4.0, 38.5, "Father's Name", &father),
            (4.0, 45.5, "Date of Birth", &dmy(person.birth, '/')),
        ],
    );
    let truth = Truth {
        id_type: "pan",
        country: "IND",
        id_number: number,
        accepted_names: Vec::new(),
        gender: None,
        address: None,
        person,
        mrz: None,
    };
    Specimen { front: front.image, back: None, truth }
}

/// Aadhaar card with the secure QR on its back.
pub(crate) fn aadhaar(desk: &mut Desk<'_>) -> Specimen {
    let chance = &mut desk.chance;
    let mut person = Person::invent(chance, Region::India);
    // Printed in mixed case on these cards.
    person.given_names = capitalised(&person.given_names);
    let surname = capitalised(person.surname);
    let eleven = format!("99999999{}", chance.digits(3));
    let number = format!("{eleven}{}", verhoeff_digit(&eleven));
    let grouped = format!("{} {} {}", &number[..4], &number[4..8], &number[8..]);
    let reference = format!("{}20240115123045123", &number[8..]);
    let name = format!("{} {surname}", person.given_names);
    let gender = if person.sex == 'F' { "Female" } else { "Male" };
    let (town, pin) = person.town.split_once(" - ").unwrap_or((&person.town, ""));
    let care_of = format!("C/O {} {surname}", capitalised(&Person::invent(chance, Region::India).given_names));
    let state = "Utopia";
    let birth = dmy(person.birth, '-');
    let digits = secure_qr(
        chance,
        &reference,
        &[&name, &birth, &gender[..1], &care_of, town, "", &person.street, "", pin, town, state, "", town, town],
    );

    let look = desk.look;
    let mut front = desk.id1();
    front.text(24.0, 6.5, look.title(3.4), "Government of India");
    mark(&mut front, 64.0, 6.5);
    front.portrait(5.0, 12.0, 20.0, 25.0);
    let value = look.plain(3.0);
    front.text(29.0, 17.0, value, &name);
    front.text(29.0, 22.5, value, &format!("DOB: {}", dmy(person.birth, '/')));
    front.text(29.0, 28.0, value, gender);
    front.text(24.0, 45.5, look.value(4.6), &grouped);
    front.bar(4.0, 48.0, 77.6, 0.4, [180, 40, 40]);
    front.text(28.0, 52.0, look.label(2.4), "Aadhaar, a specimen only");

    let mut back = desk.id1();
    back.text(4.0, 6.0, look.title(2.6), "Unique Identification Authority of India");
    mark(&mut back, 64.0, 6.0);
    let ink = look.plain(2.3);
    back.text(4.0, 13.0, look.label(2.3), "Address:");
    let house = format!("{},", person.street);
    let region = format!("{state} - {pin}");
    for (line, text) in [format!("{care_of},"), house, format!("{town},"), region].iter().enumerate() {
        back.text(4.0, 17.0 + 4.0 * line as f32, ink, text);
    }
    back.code(46.0, 9.0, (4, 4), &qr(&digits));
    back.text(10.0, 50.5, look.value(4.0), &grouped);
    let address = format!("{care_of}, {}, {town}, {state} - {pin}", person.street);
    let truth = Truth {
        id_type: "aadhaar",
        country: "IND",
        id_number: grouped,
        accepted_names: vec![name],
        gender: Some(person.sex),
        address: Some(address),
        person,
        mrz: None,
    };
    Specimen { front: front.image, back: Some(back.image), truth }
}

/// `FIRST SECOND` as `First Second`.
fn capitalised(words: &str) -> String {
    let word = |word: &str| word[..1].to_owned() + &word[1..].to_lowercase();
    words.split(' ').map(word).collect::<Vec<_>>().join(" ")
}
