//! The name field of a zone: surname, two fillers, given names.

/// Surname and given names, each with blanks for single fillers; either may be empty.
pub(super) fn split(field: &str) -> (String, String) {
    let field = field.trim_end_matches('<');
    let (surname, given) = match field.split_once("<<") {
        Some((surname, given)) => (surname, given),
        None => (field, ""),
    };
    (words(surname), words(given))
}

/// A field's words, parted by single blanks.
pub(super) fn words(field: &str) -> String {
    field.split('<').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(field: &str, surname: &str, given: &str) {
        assert_eq!(split(field), (surname.to_owned(), given.to_owned()), "{field}");
    }

    #[test]
    fn names_are_parted_by_fillers() {
        check("ERIKSSON<<ANNA<MARIA<<<<<<<", "ERIKSSON", "ANNA MARIA");
        check("VAN<DER<MUELLEN<<MARTIN", "VAN DER MUELLEN", "MARTIN");
        check("ARKFREITH<<<<<<<<", "ARKFREITH", "");
        check("<<FIRST<NAME<<<", "", "FIRST NAME");
        check("<<<<<<", "", "");
    }
}
