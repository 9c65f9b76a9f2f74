//! The number of a licence or identity card of the United States or Canada.

use std::sync::LazyLock;

use regex_lite::Regex;

use crate::document::date::has_date;

use super::super::split_lines::number_line;
use super::Card;
use super::marks::MARKS;

impl Card<'_> {
    /// The licence's number, by its mark, or as the only print that looks like one.
    pub(super) fn number(&self) -> Option<(String, usize, f32)> {
        for (index, line, text) in self.lines() {
            let Some(hit) = MARKS.number.find(text) else { continue };
            let rest = number_line(self.sheet, line, hit.end());
            let end = MARKS.any.find(&text[hit.end()..]).map_or(rest.chars().count(), |next| next.start());
            let mut value: String = rest.chars().take(end).collect();
            // `4d DLN 9999999993 DOB`: the 3 is the number of the next field, as the 4d is of this one.
            // The number may go on in the next box, beyond this line's end.
            let next_is_birth = text.get(hit.end() + end..).is_some_and(|rest| rest.starts_with('D'));
            if hit.as_str().starts_with('4') && next_is_birth && value.trim_end().ends_with('3') {
                value = value.trim_end().strip_suffix('3').unwrap_or_default().to_owned();
            }
            if let Some(number) = licence_number(&value) {
                return Some((number, index, 0.9));
            }
            if !value.contains(|c: char| c.is_ascii_digit()) {
                for other in self.near(index, hit.start(), hit.end()) {
                    let text = &self.texts[other];
                    let end = MARKS.any.find(text).map_or(text.len(), |next| next.start());
                    let line = &self.sheet.lines[other];
                    let value = if end == text.len() { number_line(self.sheet, line, 0) } else { line.slice(0, end) };
                    if let Some(number) = licence_number(without_class(&value, &self.texts[index][hit.end()..])) {
                        return Some((number, other, 0.85));
                    }
                }
            }
        }
        self.lone_number()
    }

    fn lone_number(&self) -> Option<(String, usize, f32)> {
        static LONE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"^(?:[A-Z]{0,3}\d{6,13}[A-Z]?|[A-Z]\d{2,4}-\d{3,6}-\d{2,4}(?:-\d{1,4})*|[A-Z]\d{4}(?: \d{5}){2}|\d{2,4}[- ]\d{2,3}[- ]\d{3,4}|[A-Z](?: \d{3}){4})$")
                .expect("tested")
        });
        // A side without dates is a back, whose numbers are those of the blank card.
        if !self.lines().any(|(index, ..)| has_date(&self.text(index))) {
            return None;
        }
        let tallest = self.lines().map(|(_, line, _)| line.edges.height()).fold(0.0, f32::max);
        let mut found: Vec<(String, usize)> = Vec::new();
        for (index, line, text) in self.lines() {
            let is_date = has_date(&self.text(index));
            if LONE.is_match(text)
                && !is_date
                && line.confidence > 0.9
                && line.edges.height() > 0.25 * tallest
                && !found.iter().any(|(seen, _)| seen == text)
            {
                found.push((text.to_owned(), index));
            }
        }
        match found.as_slice() {
            [(number, index)] => Some((number.clone(), *index, 0.6)),
            _ => None,
        }
    }
}

/// A value without the class at its end, where that is the caption behind the number's: `DL NO. 9 CLASS` above `047182930 C`.
fn without_class<'a>(value: &'a str, captions: &str) -> &'a str {
    match value.trim_end().rsplit_once(' ') {
        Some((number, class)) if captions.contains("CLASS") && class.len() <= 2 && class.bytes().all(|b| b.is_ascii_alphabetic()) => number,
        _ => value,
    }
}

/// The number at the beginning of a value: letters, digits, blanks and hyphens as the state prints them.
fn licence_number(value: &str) -> Option<String> {
    // Ontario sets its hyphens apart.
    let value = value.replace(" - ", "-");
    let value = value.trim_start_matches(|c: char| !c.is_alphanumeric());
    let value = ["NUMBER", "NO", "No", "N°", "OLN"]
        .iter()
        .find_map(|sign| value.strip_prefix(sign))
        .map(|rest| rest.trim_start_matches(['.', ':', ' ']))
        .unwrap_or(value);
    // The number of the next field (`3 DOB`) may have been left at the end.
    let mut kept: Vec<&str> = Vec::new();
    for word in value.split_whitespace() {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let shaped = !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-');
        if !shaped || (!kept.is_empty() && word.chars().all(|c| c.is_ascii_uppercase()) && word.len() > 2) {
            break;
        }
        kept.push(word);
    }
    while kept.len() > 1 && matches!(kept[kept.len() - 1], "3" | "9" | "4A" | "4B" | "15" | "12" | "9A" | "1") {
        kept.pop();
    }
    let number = kept.join(" ");
    if has_date(&number) && number.len() < 12 && number.contains(['-', ' ', '/']) {
        return None;
    }
    let alnum = number.chars().filter(char::is_ascii_alphanumeric).count();
    let digits = number.chars().filter(char::is_ascii_digit).count();
    ((5..=20).contains(&alnum) && digits >= 3).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::licence_number;

    #[test]
    fn a_number_stands_behind_words_and_before_the_next_field() {
        let check = |value, expected: &str| assert_eq!(licence_number(value).as_deref(), Some(expected), "{value}");
        check("NUMBER12345678", "12345678");
        check("NO. S12345678 3", "S12345678");
    }
}
