//! The name field of a zone: surname, two fillers, given names.

/// How many characters of the field the surname has, and how many stand before the given names.
pub(super) fn split(field: &str) -> (usize, usize) {
    let n_surname = field.trim_end_matches('<').find("<<").unwrap_or(field.len());
    let n_fillers = field[n_surname..].bytes().take_while(|&c| c == b'<').count();
    (n_surname, n_surname + n_fillers)
}

/// A field's words, parted by single blanks.
pub(super) fn words(field: &str) -> String {
    field.split('<').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(field: &str, surname: &str, given: &str) {
        let (n_surname, n_before_given) = split(field);
        assert_eq!((words(&field[..n_surname]), words(&field[n_before_given..])), (surname.to_owned(), given.to_owned()), "{field}");
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
