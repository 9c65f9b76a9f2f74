//! Machine-readable zones with their check digits, as ICAO Doc 9303 lays them out. Pure text.

/// What a zone says. Dates are `YYMMDD`.
pub(crate) struct Zone<'a> {
    /// Document code, for example `P` or `I`.
    pub(crate) code: &'a str,
    /// Issuing state and nationality.
    pub(crate) state: &'a str,
    /// Document number, at most nine characters; twelve on French cards.
    pub(crate) number: &'a str,
    /// Surname as printed; transliterated here.
    pub(crate) surname: &'a str,
    /// Given names as printed.
    pub(crate) given_names: &'a str,
    /// Date of birth.
    pub(crate) birth: String,
    /// `M`, `F` or `X`.
    pub(crate) sex: char,
    /// Date of expiry.
    pub(crate) expiry: String,
    /// Personal number or other optional data.
    pub(crate) optional: &'a str,
}

impl Zone<'_> {
    /// Passport, two lines of 44.
    pub(crate) fn td3(&self) -> Vec<String> {
        let number = checked(&fill(self.number, 9));
        let birth = checked(&self.birth);
        let expiry = checked(&self.expiry);
        let optional = checked(&fill(self.optional, 14));
        let composite = check_digit(&format!("{number}{birth}{expiry}{optional}"));
        vec![
            fill(&format!("{}{}{}", fill(self.code, 2), fill(self.state, 3), self.names()), 44),
            format!("{number}{}{birth}{}{expiry}{optional}{composite}", fill(self.state, 3), self.sex_cell()),
        ]
    }

    /// Card, two lines of 36.
    pub(crate) fn td2(&self) -> Vec<String> {
        let number = checked(&fill(self.number, 9));
        let birth = checked(&self.birth);
        let expiry = checked(&self.expiry);
        let optional = fill(self.optional, 7);
        let composite = check_digit(&format!("{number}{birth}{expiry}{optional}"));
        vec![
            fill(&format!("{}{}{}", fill(self.code, 2), fill(self.state, 3), self.names()), 36),
            format!("{number}{}{birth}{}{expiry}{optional}{composite}", fill(self.state, 3), self.sex_cell()),
        ]
    }

    /// Card, three lines of 30.
    pub(crate) fn td1(&self) -> Vec<String> {
        let number = checked(&fill(self.number, 9));
        let upper_optional = fill(self.optional, 15);
        let birth = checked(&self.birth);
        let expiry = checked(&self.expiry);
        let lower_optional = fill("", 11);
        let composite = check_digit(&format!("{number}{upper_optional}{birth}{expiry}{lower_optional}"));
        vec![
            format!("{}{}{number}{upper_optional}", fill(self.code, 2), fill(self.state, 3)),
            format!("{birth}{}{expiry}{}{lower_optional}{composite}", self.sex_cell(), fill(self.state, 3)),
            fill(&self.names(), 30),
        ]
    }

    /// Visa, two lines of 44 without a composite digit.
    pub(crate) fn mrv_a(&self) -> Vec<String> {
        self.visa(44)
    }

    /// Smaller visa, two lines of 36 without a composite digit.
    pub(crate) fn mrv_b(&self) -> Vec<String> {
        self.visa(36)
    }

    fn visa(&self, width: usize) -> Vec<String> {
        let (number, birth, expiry) = (checked(&fill(self.number, 9)), checked(&self.birth), checked(&self.expiry));
        let second = format!("{number}{}{birth}{}{expiry}{}", fill(self.state, 3), self.sex_cell(), self.optional);
        vec![fill(&format!("{}{}{}", fill(self.code, 2), fill(self.state, 3), self.names()), width), fill(&second, width)]
    }

    /// French identity card before 2021, two lines of 36: no expiry, and the given names on the second line.
    pub(crate) fn french_card(&self) -> Vec<String> {
        let office = format!("{}001", &self.number[4..7]);
        let first = format!("IDFRA{}{office}", fill(&transliterate(self.surname), 25));
        let given_names = fill(&transliterate(self.given_names), 14);
        let second = format!("{}{given_names}{}{}", checked(self.number), checked(&self.birth), self.sex_cell());
        let composite = check_digit(&format!("{first}{second}"));
        vec![first, format!("{second}{composite}")]
    }

    fn names(&self) -> String {
        format!("{}<<{}", transliterate(self.surname), transliterate(self.given_names))
    }

    fn sex_cell(&self) -> char {
        if self.sex == 'X' { '<' } else { self.sex }
    }
}

/// The check digit over these cells: weights 7, 3, 1 repeating, modulo 10.
pub(crate) fn check_digit(cells: &str) -> u32 {
    let value = |cell: char| cell.to_digit(36).unwrap_or(0);
    cells.chars().zip([7, 3, 1].iter().cycle()).map(|(cell, weight)| value(cell) * weight).sum::<u32>() % 10
}

/// The cells a printed name stands for.
fn transliterate(name: &str) -> String {
    let mut cells = String::new();
    for letter in name.chars() {
        match letter {
            'A'..='Z' => cells.push(letter),
            ' ' | '-' => cells.push('<'),
            '\'' => {}
            'Ä' | 'Æ' => cells.push_str("AE"),
            'Å' => cells.push_str("AA"),
            'Ö' | 'Ø' => cells.push_str("OE"),
            'Ü' => cells.push_str("UE"),
            'É' | 'È' | 'Ë' | 'Ê' => cells.push('E'),
            'Í' | 'Î' => cells.push('I'),
            'Ł' => cells.push('L'),
            'Ž' => cells.push('Z'),
            'Š' => cells.push('S'),
            'Č' => cells.push('C'),
            other => unreachable!("no transliteration for {other:?}: add it with the name that needs it"),
        }
    }
    cells
}

fn checked(cells: &str) -> String {
    format!("{cells}{}", check_digit(cells))
}

fn fill(text: &str, width: usize) -> String {
    format!("{text:<<width$.width$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_the_standard<'a>(code: &'a str, number: &'a str, expiry: &str, optional: &'a str) -> Zone<'a> {
        Zone {
            code,
            state: "UTO",
            number,
            surname: "ERIKSSON",
            given_names: "ANNA MARIA",
            birth: "740812".into(),
            sex: 'F',
            expiry: expiry.into(),
            optional,
        }
    }

    #[test]
    fn zones_are_those_of_the_standard() {
        let passport = of_the_standard("P", "L898902C3", "120415", "ZE184226B").td3();
        assert_eq!(passport, ["P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"]);
        let card = of_the_standard("I", "D23145890", "120415", "").td1();
        assert_eq!(card[1].len(), 30);
        assert_eq!(card[2], "ERIKSSON<<ANNA<MARIA<<<<<<<<<<");
        let card = of_the_standard("I", "D23145890", "120415", "").td2();
        assert_eq!(card, ["I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6"]);
    }

    #[test]
    fn the_small_card_has_the_standards_composite_digit() {
        let card = of_the_standard("I", "D23145890", "120415", "").td1();
        assert_eq!(card[..2], ["I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6"]);
    }

    #[test]
    fn visas_have_the_standards_digits_and_no_composite() {
        let mut visa = of_the_standard("V", "L898902C", "940623", "ZE184226B");
        visa.birth = "690806".into();
        assert_eq!(visa.mrv_a()[1], "L898902C<3UTO6908061F9406236ZE184226B<<<<<<<");
        assert_eq!(visa.mrv_b()[1], "L898902C<3UTO6908061F9406236ZE184226");
    }

    #[test]
    fn the_french_card_has_the_digits_of_its_specimen() {
        let mut card = of_the_standard("ID", "880692310285", "", "");
        (card.surname, card.given_names, card.birth) = ("BERTHIER", "CORINNE", "651206".into());
        assert_eq!(card.french_card()[1][..35], "8806923102858CORINNE<<<<<<<6512068F6"[..35]);
        assert!(card.french_card().iter().all(|line| line.len() == 36));
    }

    #[test]
    fn long_names_end_at_the_lines_end() {
        let mut zone = of_the_standard("P", "L898902C3", "120415", "");
        zone.given_names = "ANNA MARIA ELISABETH KATHARINA VIKTORIA";
        assert!(zone.td3().iter().all(|line| line.len() == 44));
    }
}
