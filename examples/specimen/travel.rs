//! Documents with a machine-readable zone: passport and identity cards of Utopia.

use crate::canvas::Canvas;
use crate::card::{Desk, Look, Specimen, Truth, mark};
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
    page.fields(
        label,
        value,
        &[
            (44.0, 12.5, "Type / Type", "P"),
            (62.0, 12.5, "Code / Code", "UTO"),
            (84.0, 12.5, "Passport No. / Passeport n°", &holder.number),
            (44.0, 19.5, "Surname / Nom", holder.person.surname),
            (44.0, 26.5, "Given names / Prénoms", &holder.person.given_names),
            (44.0, 33.5, "Nationality / Nationalité", "UTOPIAN"),
            (84.0, 33.5, "Personal No. / N° personnel", &personal_number),
            (44.0, 40.5, "Date of birth / Date de naissance", &with_month_name(holder.person.birth)),
            (90.0, 40.5, "Sex / Sexe", &holder.person.sex.to_string()),
            (44.0, 47.5, "Place of birth / Lieu de naissance", holder.person.birthplace),
            (44.0, 54.5, "Date of issue / Date de délivrance", &with_month_name(holder.issue)),
            (90.0, 54.5, "Authority / Autorité", "MFA AMAUROT"),
            (44.0, 61.5, "Date of expiry / Date d'expiration", &with_month_name(holder.expiry)),
        ],
    );
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
    front.fields(
        label,
        value,
        &[
            (31.0, 11.5, "Surname", holder.person.surname),
            (31.0, 18.5, "Given names", &holder.person.given_names),
            (31.0, 25.5, "Sex", &holder.person.sex.to_string()),
            (42.0, 25.5, "Nationality", "UTO"),
            (60.0, 25.5, "Date of birth", &printed(holder.person.birth)),
            (31.0, 32.5, "Place of birth", holder.person.birthplace),
            (31.0, 39.5, "Document No.", &holder.number),
            (60.0, 39.5, "Date of expiry", &printed(holder.expiry)),
            (31.0, 46.5, "Holder's signature", ""),
        ],
    );

    let mut back = desk.id1();
    mark(&mut back, 64.0, 6.0);
    back.fields(
        label,
        value,
        &[
            (4.0, 7.5, "Address", &holder.person.street),
            (4.0, 19.5, "Date of issue", &printed(holder.issue)),
            (40.0, 19.5, "Authority", "TOWN OF AMAUROT"),
            (4.0, 27.0, "Height", "172 cm"),
        ],
    );
    back.text(4.0, 14.2, value, &holder.person.town);
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
    front.fields(
        label,
        value,
        &[
            (38.0, 13.0, "Card No.", &holder.number),
            (74.0, 13.0, "Nationality", "UTOPIAN"),
            (38.0, 20.5, "Surname", holder.person.surname),
            (38.0, 28.0, "Given names", &holder.person.given_names),
            (38.0, 35.5, "Date of birth", &dmy(holder.person.birth, '.')),
            (74.0, 35.5, "Sex", &holder.person.sex.to_string()),
            (38.0, 43.0, "Date of issue", &dmy(holder.issue, '.')),
            (74.0, 43.0, "Date of expiry", &dmy(holder.expiry, '.')),
        ],
    );
    let lines = holder.zone("I", "").td2();
    front.mrz(6.8, 64.5, &lines);
    holder.specimen("national_id", front, None, None, lines)
}

/// Visa of a passport page's width, with a zone of two lines of 44.
pub(crate) fn large_visa(desk: &mut Desk<'_>) -> Specimen {
    let holder = Holder::invent(desk, 9);
    let mut page = desk.sheet(120.0, 80.0);
    holder.draw_visa(desk.look, &mut page);
    let lines = holder.zone("V", "").mrv_a();
    page.mrz(4.2, 70.5, &lines);
    holder.specimen("visa", page, None, None, lines)
}

/// Visa of the smaller format, with a zone of two lines of 36.
pub(crate) fn small_visa(desk: &mut Desk<'_>) -> Specimen {
    let holder = Holder::invent(desk, 9);
    let mut page = desk.sheet(105.0, 74.0);
    holder.draw_visa(desk.look, &mut page);
    let lines = holder.zone("V", "").mrv_b();
    page.mrz(6.8, 64.5, &lines);
    holder.specimen("visa", page, None, None, lines)
}

/// Identity card with the zone and the captions of French cards before 2021, which have no date of expiry in the zone.
pub(crate) fn french_card(desk: &mut Desk<'_>) -> Specimen {
    let mut holder = Holder::invent(desk, 9);
    // Year and month of issue, département, serial number.
    holder.number = format!("{}{}{}", &yymmdd(holder.issue)[..4], desk.chance.digits(3), desk.chance.digits(5));
    let look = desk.look;
    let mut front = desk.sheet(105.0, 74.0);
    front.text(5.0, 7.0, look.title(3.4), "CARTE NATIONALE D'IDENTITÉ N° :");
    front.text(66.0, 7.0, look.value(3.2), &holder.number);
    mark(&mut front, 83.0, 12.0);
    front.portrait(5.0, 14.0, 27.0, 35.0);
    let birth = dmy(holder.person.birth, '.');
    front.rows(
        look.label(2.3),
        look.value(3.1),
        &[
            (37.0, 18.0, "Nom :", holder.person.surname),
            (37.0, 25.0, "Prénom(s) :", &holder.person.given_names),
            (37.0, 32.0, "Sexe :", &holder.person.sex.to_string()),
            (58.0, 32.0, "Né(e) le :", &birth),
            (37.0, 39.0, "à :", holder.person.birthplace),
            (37.0, 46.0, "Taille :", "1,72m"),
        ],
    );
    let lines = holder.zone("ID", "").french_card();
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

    /// Everything on a visa but its zone.
    fn draw_visa(&self, look: Look, page: &mut Canvas<'_>) {
        page.text(5.0, 7.0, look.title(4.0), "UTOPIA");
        page.text(30.0, 7.0, look.title(3.4), "VISA");
        mark(page, 78.0, 7.0);
        page.portrait(5.0, 13.0, 26.0, 33.0);
        page.fields(
            look.label(2.0),
            look.value(3.0),
            &[
                (36.0, 12.0, "Valid for", "UTOPIA"),
                (74.0, 12.0, "Visa number", &self.number),
                (36.0, 19.5, "Valid from", &dmy(self.issue, '.')),
                (74.0, 19.5, "Until", &dmy(self.expiry, '.')),
                (36.0, 27.0, "Surname", self.person.surname),
                (36.0, 34.5, "Given names", &self.person.given_names),
                (36.0, 42.0, "Date of birth", &dmy(self.person.birth, '.')),
                (74.0, 42.0, "Sex", &self.person.sex.to_string()),
                (36.0, 49.5, "Remarks", "TOURIST"),
            ],
        );
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
            country: if mrz[0].starts_with("IDFRA") { "FRA" } else { "UTO" },
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
