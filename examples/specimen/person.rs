//! Fictional persons. Every name is put together from lists; no record of anybody is behind them.

use time::Date;

use crate::chance::Chance;

/// One fictional holder.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// Surname in capitals, as printed.
    pub(crate) surname: &'static str,
    /// Given names in capitals, as printed.
    pub(crate) given_names: String,
    /// `M`, `F` or `X`.
    pub(crate) sex: char,
    /// Date of birth.
    pub(crate) birth: Date,
    /// Street and number.
    pub(crate) street: String,
    /// Postal code and town.
    pub(crate) town: String,
    /// Place of birth.
    pub(crate) birthplace: &'static str,
}

/// Where the names come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Region {
    /// Names with the letters of many European languages.
    Europe,
    /// Names in plain ASCII, addresses in the style of the United States.
    America,
    /// Names and addresses in the style of India.
    India,
}

const EUROPE_F: [&str; 10] = ["ANNA", "MARA", "TOVE", "ZOË", "LUCÍA", "FREJA", "MILENA", "ÉLODIE", "INGRID", "KATARINA"];
const EUROPE_M: [&str; 10] = ["ELIAN", "JONAS", "SØREN", "ANDRÉ", "MATEO", "OSKAR", "BENOÎT", "HENRIK", "ŁUKASZ", "TOMAS"];
const EUROPE_SURNAMES: [&str; 12] = [
    "ERIKSSON",
    "VALDARIS",
    "MORROW-QUILL",
    "O'HALLORAN",
    "MÜLLERSTEIN",
    "KOWALCZAK",
    "SANTOSA",
    "DUBREUIL",
    "BJÖRKLINT",
    "ŽELENKO",
    "VAN DER WOLKE",
    "ČERNOVIČ",
];
const AMERICA_F: [&str; 6] = ["GRACE", "HARPER", "JULIA", "OLIVE", "RUTH", "SADIE"];
const AMERICA_M: [&str; 6] = ["CALEB", "DEAN", "HENRY", "MARCUS", "OWEN", "SAMUEL"];
const AMERICA_SURNAMES: [&str; 8] =
    ["ASHBOURNE", "CALLOWHILL", "DRUMMOND", "FAIRWEATHER", "KINGSWELL", "MERRIDEW", "PENHALLOW", "WHITLOCK"];
const INDIA_F: [&str; 6] = ["ANANYA", "DIVYA", "KAVERI", "MEENAKSHI", "NANDITA", "REVATHI"];
const INDIA_M: [&str; 6] = ["ADITYA", "FARHAN", "HARSHAD", "KARTHIK", "NIKHIL", "VIKRANT"];
const INDIA_SURNAMES: [&str; 8] = ["BHANDARKAR", "CHAUDHURI", "DESHMUKHE", "IYENGARI", "KULKARNA", "MEHTARI", "NAMBIARI", "RAJWANSHI"];

impl Person {
    /// A person of the region.
    pub(crate) fn invent(chance: &mut Chance, region: Region) -> Self {
        let (female, male, surnames): (&[&str], &[&str], &[&'static str]) = match region {
            Region::Europe => (&EUROPE_F, &EUROPE_M, &EUROPE_SURNAMES),
            Region::America => (&AMERICA_F, &AMERICA_M, &AMERICA_SURNAMES),
            Region::India => (&INDIA_F, &INDIA_M, &INDIA_SURNAMES),
        };
        let sex = chance.pick(&['F', 'M']);
        let given = if sex == 'F' { female } else { male };
        let first = chance.pick(given);
        let second = chance.pick(given);
        let given_names = if first != second && chance.below(2) == 0 { format!("{first} {second}") } else { first.to_owned() };
        let street_number = 1 + chance.below(240);
        let (street, town) = match region {
            Region::Europe => (
                format!("{} {street_number}", chance.pick(&["ORCHARD LANE", "HARBOUR STREET", "MILLGATE", "LINDENALLEE", "RUE DU MOULIN"])),
                format!("{} {}", chance.digits(4), chance.pick(&["NEW HARBOUR", "AMAUROT", "LINDENAU", "PORT SOLANE"])),
            ),
            Region::America => (
                format!("{street_number} {}", chance.pick(&["WEST BROAD ST", "MAPLE AVE", "OLD MILL RD", "CEDAR CT"])),
                format!("{}, ZZ {}", chance.pick(&["NEW HARBOUR", "AMAUROT", "SOLANE"]), chance.digits(5)),
            ),
            Region::India => (
                format!("{street_number}, {}", chance.pick(&["Lotus Marg", "Banyan Road", "Temple Street", "Lake View Colony"])),
                format!("{} - {}", chance.pick(&["Amaurotpur", "Navharbour", "Solanegarh"]), chance.digits(6)),
            ),
        };
        Self {
            surname: chance.pick(surnames),
            given_names,
            sex,
            birth: date(chance, 1950, 2004),
            street,
            town,
            birthplace: chance.pick(&["AMAUROT", "NEW HARBOUR", "PORT SOLANE", "LINDENAU"]),
        }
    }

    /// Given names, then surname.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.given_names, self.surname)
    }
}

/// A date in these years, both included. The day is above 12, so that no reader can be right by luck about its order.
pub(crate) fn date(chance: &mut Chance, first_year: i32, last_year: i32) -> Date {
    let year = first_year + chance.below((last_year - first_year + 1) as u64) as i32;
    let month = time::Month::try_from(1 + chance.below(12) as u8).expect("1 to 12");
    Date::from_calendar_date(year, month, 13 + chance.below(16) as u8).expect("every month has 28 days")
}

/// ISO 8601.
pub(crate) fn iso(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

/// `YYMMDD`, as machine-readable zones have it.
pub(crate) fn yymmdd(date: Date) -> String {
    format!("{:02}{:02}{:02}", date.year() % 100, u8::from(date.month()), date.day())
}

/// Day, month and year around a separator.
pub(crate) fn dmy(date: Date, separator: char) -> String {
    format!("{:02}{separator}{:02}{separator}{:04}", date.day(), u8::from(date.month()), date.year())
}

/// Month, day and year around a separator; the separator may be empty.
pub(crate) fn mdy(date: Date, separator: &str) -> String {
    format!("{:02}{separator}{:02}{separator}{:04}", u8::from(date.month()), date.day(), date.year())
}

/// `13 MAR 1985`, as passports print it.
pub(crate) fn with_month_name(date: Date) -> String {
    const NAMES: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    format!("{:02} {} {:04}", date.day(), NAMES[usize::from(u8::from(date.month())) - 1], date.year())
}
