//! Documents with a machine-readable zone: passport and identity cards of Utopia.

use crate::canvas::Canvas;
use crate::card::{Desk, Specimen, Truth, mark};
use crate::mrz::Zone;
use crate::person::{Person, Region, date, dmy, with_month_name, yymmdd};

/// Data page of a passport, ID-3 with a TD3 zone.
pub(crate) fn passport(desk: &mut Desk<'_>) -> Specimen {
    let holder = Holder::invent(desk, 9);
    let personal_number = desk.chance.digits(9);
    let look = desk.look;
    let mut page = desk.sheet(125.0, 88.0);
    page.text(6.0, 7.5, look.title(4.6), "UTOPIA");
    page.text(32.0, 7.5, look.title(3.6), "PASSPORT / PASSEPORT");
    mark(&mut page, 96.0, 7.5);
    page.portrait(5.0, 17.0, 33.0, 42.0);
    let label = look.label(2.1);
    let value = look.value(3.4);
    let mut put = |x: f32, y: f32, name: &str, text: &str| page.field(x, y, (label, name), (value, text));
    put(44.0, 12.5, "Type / Type", "P");
    put(62.0, 12.5, "Code / Code", "UTO");
    put(84.0, 12.5, "Passport No. / Passeport n°", &holder.number);
    put(44.0, 19.5, "Surname / Nom", holder.person.surname);
    put(44.0, 26.5, "Given names / Prénoms", &holder.person.given_names);
    put(44.0, 33.5, "Nationality / Nationalité", "UTOPIAN");
    put(84.0, 33.5, "Personal No. / N° personnel", &personal_number);
    put(44.0, 40.5, "Date of birth / Date de naissance", &with_month_name(holder.person.birth));
    put(90.0, 40.5, "Sex / Sexe", &holder.person.sex.to_string());
    put(44.0, 47.5, "Place of birth / Lieu de naissance", holder.person.birthplace);
    put(44.0, 54.5, "Date of issue / Date de délivrance", &with_month_name(holder.issue));
    put(90.0, 54.5, "Authority / Autorité", "MFA AMAUROT");
    put(44.0, 61.5, "Date of expiry / Date d'expiration", &with_month_name(holder.expiry));
    let lines = holder.zone("P", &personal_number).td3();
    page.mrz(6.6, 77.5, &lines);
    holder.specimen("passport", page, None, None, lines)
}

/// Identity card with a TD1 zone on its back.
pub(crate) fn small_card(desk: &mut Desk<'_>) -> Specimen {
    let holder = Holder::invent(desk, 9);
    let look = desk.look;
    let european = desk.chance.below(2) == 0;
    let printed = |date| if european { dmy(date, '.') } else { with_month_name(date) };
    let mut front = desk.id1();
    front.text(4.0, 6.0, look.title(3.6), "UTOPIA");
    front.text(24.0, 6.0, look.title(3.0), "IDENTITY CARD");
    mark(&mut front, 64.0, 6.0);
    front.portrait(4.0, 12.0, 23.0, 30.0);
    let label = look.label(1.9);
    let value = look.value(2.9);
    let mut put = |x: f32, y: f32, name: &str, text: &str| front.field(x, y, (label, name), (value, text));
    put(31.0, 11.5, "Surname", holder.person.surname);
    put(31.0, 18.5, "Given names", &holder.person.given_names);
    put(31.0, 25.5, "Sex", &holder.person.sex.to_string());
    put(42.0, 25.5, "Nationality", "UTO");
    put(60.0, 25.5, "Date of birth", &printed(holder.person.birth));
    put(31.0, 32.5, "Place of birth", holder.person.birthplace);
    put(31.0, 39.5, "Document No.", &holder.number);
    put(60.0, 39.5, "Date of expiry", &printed(holder.expiry));
    put(31.0, 46.5, "Holder's signature", "");

    let mut back = desk.id1();
    mark(&mut back, 64.0, 6.0);
    let mut put = |x: f32, y: f32, name: &str, text: &str| back.field(x, y, (label, name), (value, text));
    put(4.0, 7.5, "Address", &holder.person.street);
    back.text(4.0, 14.2, value, &holder.person.town);
    let mut put = |x: f32, y: f32, name: &str, text: &str| back.field(x, y, (label, name), (value, text));
    put(4.0, 19.5, "Date of issue", &printed(holder.issue));
    put(40.0, 19.5, "Authority", "TOWN OF AMAUROT");
    put(4.0, 27.0, "Height", "172 cm");
    let lines = holder.zone("I", "").td1();
    back.mrz(4.7, 40.5, &lines);
    let address = format!("{}, {}", holder.person.street, holder.person.town);
    holder.specimen("national_id", front, Some(back), Some(address), lines)
}

/// Identity card in the larger format, with a TD2 zone on its front.
pub(crate) fn large_card(desk: &mut Desk<'_>) -> Specimen {
    let holder = Holder::invent(desk, 9);
    let look = desk.look;
    let mut front = desk.sheet(105.0, 74.0);
    front.text(5.0, 7.0, look.title(4.0), "UTOPIA");
    front.text(30.0, 7.0, look.title(3.4), "NATIONAL IDENTITY CARD");
    mark(&mut front, 83.0, 7.0);
    front.portrait(5.0, 13.0, 28.0, 36.0);
    let label = look.label(2.0);
    let value = look.value(3.1);
    let mut put = |x: f32, y: f32, name: &str, text: &str| front.field(x, y, (label, name), (value, text));
    put(38.0, 13.0, "Card No.", &holder.number);
    put(74.0, 13.0, "Nationality", "UTOPIAN");
    put(38.0, 20.5, "Surname", holder.person.surname);
    put(38.0, 28.0, "Given names", &holder.person.given_names);
    put(38.0, 35.5, "Date of birth", &dmy(holder.person.birth, '.'));
    put(74.0, 35.5, "Sex", &holder.person.sex.to_string());
    put(38.0, 43.0, "Date of issue", &dmy(holder.issue, '.'));
    put(74.0, 43.0, "Date of expiry", &dmy(holder.expiry, '.'));
    let lines = holder.zone("I", "").td2();
    front.mrz(6.8, 64.5, &lines);
    holder.specimen("national_id", front, None, None, lines)
}

/// A person with a document number and its dates.
struct Holder {
    person: Person,
    number: String,
    issue: time::Date,
    expiry: time::Date,
}

impl Holder {
    fn invent(desk: &mut Desk<'_>, number_length: usize) -> Self {
        let chance = &mut desk.chance;
        let person = Person::invent(chance, Region::Europe);
        let number = format!("{}{}", chance.letters(2), chance.digits(number_length - 2));
        let issue = date(chance, 2019, 2024);
        let expiry = issue.replace_year(issue.year() + 10).expect("no specimen is issued on 29 February");
        Self { person, number, issue, expiry }
    }

    fn zone<'a>(&'a self, code: &'a str, optional: &'a str) -> Zone<'a> {
        Zone {
            code,
            state: "UTO",
            number: &self.number,
            surname: self.person.surname,
            given_names: &self.person.given_names,
            birth: yymmdd(self.person.birth),
            sex: self.person.sex,
            expiry: yymmdd(self.expiry),
            optional,
        }
    }

    fn specimen(
        self,
        id_type: &'static str,
        front: Canvas<'_>,
        back: Option<Canvas<'_>>,
        address: Option<String>,
        mrz: Vec<String>,
    ) -> Specimen {
        let truth = Truth {
            id_type,
            country: "UTO",
            id_number: self.number,
            gender: Some(self.person.sex),
            person: self.person,
            accepted_names: Vec::new(),
            address,
            mrz: Some(mrz),
        };
        Specimen { front: front.image, back: back.map(|canvas| canvas.image), truth }
    }
}
