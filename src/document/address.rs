//! Postal addresses: lines joined to one, and where an address ends.

/// An address from its printed lines, joined by `, `; none where there is nothing like one.
pub(crate) fn address(lines: &str) -> Option<String> {
    let parts: Vec<String> = lines.lines().map(tidy).filter(|line| line.chars().filter(|c| c.is_alphanumeric()).count() >= 2).collect();
    let joined = parts.join(", ").replace(",,", ",");
    let letters = joined.chars().filter(|c| c.is_alphabetic()).count();
    (letters >= 3).then_some(joined)
}

/// One line of print without what captions leave at its ends.
pub(crate) fn tidy(text: &str) -> String {
    let text = text.trim_matches(|c: char| matches!(c, ' ' | ':' | ',' | ';' | '/' | '|' | '=' | '-' | '–' | '\n'));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_by_commas() {
        assert_eq!(address("12 HIGH STREET,\nUTOPIA 12345").as_deref(), Some("12 HIGH STREET, UTOPIA 12345"));
        assert_eq!(address("12"), None);
    }
}
