//! Checks that numbers of persons and documents carry in themselves, as one table: evidence for choosing between
//! readings and for warnings, never a reason to alter a number.

mod algorithm;
mod asia;
mod europe;
mod india;
mod world;

use super::field::Check;

/// Which number of a country is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The number of the person that the state itself uses.
    National,
    /// Aadhaar number.
    Aadhaar,
    /// Permanent account number of India.
    Pan,
    /// Number of India's elector's photo identity card.
    VoterId,
}

/// What a check says of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The number has the shape, and its check holds.
    Valid,
    /// The shape or the check fails.
    Invalid,
    /// No check is known for this country and kind, or a failure says nothing.
    Unknown,
}

/// One row of the table.
struct Rule {
    country: &'static str,
    kind: Kind,
    /// How many letters and digits it has.
    lengths: &'static [usize],
    /// Letters and digits only, upper case.
    holds: fn(&str) -> bool,
    /// Numbers that fail may be right all the same: issued without the check, or of another kind.
    is_lenient: bool,
}

const fn strict(country: &'static str, kind: Kind, lengths: &'static [usize], holds: fn(&str) -> bool) -> Rule {
    Rule { country, kind, lengths, holds, is_lenient: false }
}

const fn lenient(country: &'static str, kind: Kind, lengths: &'static [usize], holds: fn(&str) -> bool) -> Rule {
    Rule { country, kind, lengths, holds, is_lenient: true }
}

const RULES: [Rule; 39] = [
    strict("ESP", Kind::National, &[9], europe::dni),
    strict("POL", Kind::National, &[11], europe::pesel),
    strict("ITA", Kind::National, &[16], europe::codice_fiscale),
    strict("FRA", Kind::National, &[15], europe::nir),
    strict("PRT", Kind::National, &[12], europe::cartao_de_cidadao),
    strict("NLD", Kind::National, &[9], europe::bsn),
    strict("BEL", Kind::National, &[11], europe::belgian_number),
    strict("DEU", Kind::National, &[11], europe::german_tax_id),
    strict("HRV", Kind::National, &[11], europe::oib),
    strict("SWE", Kind::National, &[10, 12], europe::personnummer),
    strict("FIN", Kind::National, &[10, 11], europe::hetu),
    strict("NOR", Kind::National, &[11], europe::fodselsnummer),
    // Numbers given out since 2007 need not hold.
    lenient("DNK", Kind::National, &[10], europe::cpr),
    strict("ISL", Kind::National, &[10], europe::kennitala),
    strict("EST", Kind::National, &[11], europe::baltic_code),
    strict("LTU", Kind::National, &[11], europe::baltic_code),
    strict("ROU", Kind::National, &[13], europe::cnp),
    strict("BGR", Kind::National, &[10], europe::egn),
    strict("SVN", Kind::National, &[13], europe::emso),
    strict("SRB", Kind::National, &[13], europe::emso),
    strict("BIH", Kind::National, &[13], europe::emso),
    strict("MKD", Kind::National, &[13], europe::emso),
    strict("MNE", Kind::National, &[13], europe::emso),
    strict("CZE", Kind::National, &[9, 10], europe::rodne_cislo),
    strict("SVK", Kind::National, &[9, 10], europe::rodne_cislo),
    strict("CHE", Kind::National, &[13], europe::ahv),
    strict("TUR", Kind::National, &[11], asia::tckn),
    strict("CHN", Kind::National, &[18], asia::resident_identity_number),
    // Numbers given out since October 2020 need not hold.
    lenient("KOR", Kind::National, &[13], asia::rrn),
    strict("THA", Kind::National, &[13], asia::thai_number),
    strict("ISR", Kind::National, &[9], asia::israeli_number),
    strict("ZAF", Kind::National, &[13], world::south_african_number),
    strict("BRA", Kind::National, &[11], world::cpf),
    strict("CHL", Kind::National, &[8, 9], world::rut),
    strict("MEX", Kind::National, &[18], world::curp),
    strict("IDN", Kind::National, &[16], asia::nik),
    strict("IND", Kind::Aadhaar, &[12], india::aadhaar),
    strict("IND", Kind::Pan, &[10], india::pan),
    // Cards have been issued whose last digit is no check digit.
    lenient("IND", Kind::VoterId, &[10], india::epic),
];

/// Checks a number of a country (ISO 3166-1 alpha-3, or ICAO's `D`); blanks, hyphens, dots and slashes in it do not matter.
pub(crate) fn check(country: &str, kind: Kind, number: &str) -> Verdict {
    let Some(rule) = rule(country, kind) else { return Verdict::Unknown };
    let number = bare(number);
    // Mexico alone has a letter beyond ASCII in its numbers; the other rules cut theirs by bytes.
    if !number.chars().all(|c| c.is_ascii_alphanumeric() || c == '+' || (c == 'Ñ' && country == "MEX")) {
        return Verdict::Invalid;
    }
    match (rule.holds)(&number.to_uppercase()) {
        true => Verdict::Valid,
        false if rule.is_lenient => Verdict::Unknown,
        false => Verdict::Invalid,
    }
}

/// What speaks for or against a number that is read as a person's of a country; `None` where nothing does.
///
/// One of another length is another number: some passports call `personal` what no other document prints.
pub(crate) fn national_check(country: &str, number: &str) -> Option<Check> {
    let is_as_long = rule(country, Kind::National)?.lengths.contains(&bare(number).chars().count());
    match check(country, Kind::National, number) {
        Verdict::Valid => Some(Check::FormatOk),
        Verdict::Invalid if is_as_long => Some(Check::FormatFailed),
        Verdict::Invalid | Verdict::Unknown => None,
    }
}

fn rule(country: &str, kind: Kind) -> Option<&'static Rule> {
    let country = super::country::reported_code(country);
    RULES.iter().find(|rule| rule.country == country && rule.kind == kind)
}

/// A number without what may part its groups.
fn bare(number: &str) -> String {
    number.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '.' | '/' | '<')).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check_all(kind: Kind, expected: Verdict, numbers: &[(&str, &str)]) {
        for (country, number) in numbers {
            assert_eq!(check(country, kind, number), expected, "{country} {number}");
        }
    }

    /// The numbers of python-stdnum's documentation.
    const VALID: [(&str, &str); 35] = [
        ("ESP", "54362315K"),
        ("ESP", "X2482300W"),
        ("POL", "44051401359"),
        ("ITA", "RCCMNL83S18D969H"),
        ("FRA", "295109912611193"),
        ("PRT", "00000000 0 ZZ4"),
        ("NLD", "111222333"),
        ("BEL", "85073003328"),
        ("DEU", "36574261809"),
        ("D", "36574261809"),
        ("HRV", "33392005961"),
        ("SWE", "880320-0016"),
        ("SWE", "19880320-0016"),
        ("FIN", "131052-308T"),
        ("NOR", "15108695088"),
        ("DNK", "2110625629"),
        ("ISL", "4504013150"),
        ("EST", "36805280109"),
        ("LTU", "33309240064"),
        ("ROU", "1630615123457"),
        ("BGR", "7523169263"),
        ("SVN", "0101006500006"),
        ("CZE", "7103192745"),
        ("TUR", "17291716060"),
        ("CHN", "360426199101010071"),
        ("KOR", "9710139019902"),
        ("THA", "1234545678781"),
        ("ISR", "039337423"),
        ("ZAF", "7503305044089"),
        ("BRA", "390.533.447-05"),
        ("CHL", "12.531.909-2"),
        ("MEX", "BOXW310820HNERXN09"),
        ("CHE", "756.9217.0769.85"),
        ("IDN", "3171011708450001"),
        ("CZE", "530101123"),
    ];

    #[test]
    fn the_documented_numbers_are_valid() {
        check_all(Kind::National, Verdict::Valid, &VALID);
        check_all(Kind::Aadhaar, Verdict::Valid, &[("IND", "2341 2341 2346"), ("IND", "999999990019")]);
        check_all(Kind::Pan, Verdict::Valid, &[("IND", "AAAPL1234C")]);
        check_all(Kind::VoterId, Verdict::Valid, &[("IND", "WKH1186253")]);
    }

    #[test]
    fn a_number_with_one_digit_changed_is_not_valid() {
        for (country, number) in VALID {
            // Only a place and a date are inside, no check digit.
            if country == "IDN" || number.len() == 9 && country == "CZE" {
                continue;
            }
            let at = number.rfind(|c: char| c.is_ascii_digit()).expect("every number has a digit");
            let digit = number.as_bytes()[at];
            let changed = format!("{}{}{}", &number[..at], char::from((digit - b'0' + 1) % 10 + b'0'), &number[at + 1..]);
            assert_ne!(check(country, Kind::National, &changed), Verdict::Valid, "{country} {changed}");
        }
        check_all(Kind::Aadhaar, Verdict::Invalid, &[("IND", "234123412347"), ("IND", "123412341234"), ("IND", "2341")]);
        check_all(Kind::Pan, Verdict::Invalid, &[("IND", "AAAPL0000C"), ("IND", "AAAXL1234C"), ("IND", "AAAPL12345")]);
    }

    #[test]
    fn only_a_number_of_the_right_length_fails() {
        let check = |country, number, expected| assert_eq!(national_check(country, number), expected, "{country} {number}");
        check("TUR", "17291716061", Some(Check::FormatFailed));
        check("TUR", "17291716060", Some(Check::FormatOk));
        check("PRT", "10471829", None);
        check("DNK", "211062-5628", None);
        check("UTO", "17291716061", None);
    }

    #[test]
    fn what_is_not_known_or_not_certain_is_said_so() {
        check_all(Kind::National, Verdict::Unknown, &[("UTO", "1"), ("DNK", "2110625628"), ("", "")]);
        check_all(Kind::VoterId, Verdict::Unknown, &[("IND", "WKH1186254")]);
        check_all(Kind::National, Verdict::Invalid, &[("ESP", ""), ("ESP", "é"), ("SWE", "8803200016é"), ("MEX", "ÑÑÑ")]);
    }

    proptest! {
        #[test]
        fn no_number_makes_a_rule_panic(number in "(\\PC{0,20}|[0-9]{0,18}[A-Z]?|[A-ZÑ0-9+]{0,20})") {
            for rule in &RULES {
                let _ = check(rule.country, rule.kind, &number);
            }
        }
    }
}
