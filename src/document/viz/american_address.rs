//! Addresses as cards of the United States and Canada print them: street lines, then city, state and postal code.

use std::ops::Range;
use std::sync::LazyLock;

use regex_lite::Regex;

use crate::document::layout::{Sheet, TextLine};

/// Codes of states, territories and provinces, and how Quebec writes its own; `AA` stands for any on specimens.
const STATES: &str = "AL|AK|AZ|AR|CA|CO|CT|DE|DC|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|PR|GU|VI|AS|MP|AA|ON|QC|BC|AB|MB|SK|NS|NB|NL|PE|YT|NT|NU|\\(QUEBEC\\)";

/// Canadian postal codes; they have no O, which is a nought misread.
const CANADIAN: &str = "[A-Z][0-9O][A-Z] ?[0-9O][A-Z][0-9O]";

/// An address and the lines it was read from.
pub(super) struct AddressBlock {
    /// Lines joined by `, `.
    pub(super) text: String,
    /// Indices of the lines, top to bottom.
    pub(super) lines: Vec<usize>,
}

struct Patterns {
    /// The line with the postal code: city, state, code; a digit of the code may be missing or one too many.
    last_line: Regex,
    /// A city and a state without a code.
    city: Regex,
    /// A postal code without a city.
    code: Regex,
    /// A line that only an address has.
    street: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let regex = |pattern: &str| Regex::new(pattern).expect("the patterns are part of the program and tested");
    Patterns {
        last_line: regex(&format!(r"^(.*?)[ ,.]*({STATES})[ .,]*(\d{{5,6}}(?:[- ]?\d{{4,5}})?|{CANADIAN})[ .|IL]*$")),
        city: regex(&format!(r"^[A-Z][A-Z .'-]{{2,}}(?:, ?(?:{STATES})[.,]?| \(QUEBEC\))$")),
        code: regex(&format!(r"^(?:\d{{5}}(?:-\d{{4}})?|{CANADIAN})$")),
        street: regex(
            r"^(?:8[. ]*)?(?:\d+|[NSEW]\d+|P\.? ?O\.? ?BOX|RR ?\d|R\.R\.|HC ?\d|BOX|APT|UNIT|STE|SUITE|#|ROOM|FL |LOT|HWY|HIGHWAY|COUNTY)",
        ),
    }
});

/// The address of a side, by the line that ends in state and postal code.
pub(super) fn find_address(sheet: &Sheet, texts: &[String]) -> Option<AddressBlock> {
    let lines: Vec<(usize, &TextLine, &str)> = sheet
        .lines
        .iter()
        .zip(texts)
        .enumerate()
        .filter(|(_, (line, _))| !line.upright)
        .map(|(i, (line, text))| (i, line, text.as_str()))
        .collect();
    let ends = lines.iter().find_map(|(index, own, text)| {
        let end = LastLine::of(text)?;
        // `4d LIC MA 12345` is a licence's number: a city has letters and does not begin with a field's number.
        let is_city = end.city.chars().filter(char::is_ascii_alphabetic).count() >= 3 || end.city.is_empty();
        let is_field = ["DD", "DL ", "LIC", "NO.", "4D", "5 ", "ID "].iter().any(|word| end.city.starts_with(word));
        (is_city && !is_field).then(|| {
            let before = own.slice(0, end.state.start);
            let comma = if before.contains(',') { "," } else { "" };
            let before = before.trim_matches(|c: char| matches!(c, ' ' | ',' | '.'));
            let state = own.slice(end.state.start, end.state.end);
            let code = with_noughts(&own.slice(end.code.start, end.code.end));
            (vec![*index], end.city.is_empty(), format!("{before}{comma} {state} {code}"))
        })
    });
    let (ending, is_without_city, tail) = ends.or_else(|| code_below(&lines))?;
    let last = ending[0];
    let own = &sheet.lines[last];
    let height = own.edges.height();
    let mut block = AddressBlock { text: String::new(), lines: ending };
    let mut parts = vec![spaced(tail.trim_start_matches([',', ' ']))];
    let mut lowest = own;
    // City and state may have been taken for two lines, or the street may take several.
    for _ in 0..4 {
        let above = lines
            .iter()
            .filter(|(index, line, _)| {
                let step = lowest.edges.middle() - line.edges.middle();
                !block.lines.contains(index)
                    && line.chars.iter().filter(|c| c.is_alphanumeric()).count() > 1
                    && step > 0.5 * height
                    && line.edges.bottom > lowest.edges.top - 0.8 * height
                    && (line.edges.left - lowest.edges.left).abs() < 3.0 * height
            })
            .max_by(|a, b| a.1.edges.middle().total_cmp(&b.1.edges.middle()));
        let Some((index, line, text)) = above else { break };
        let begins = PATTERNS.street.is_match(&with_house_number(text));
        let first_needed = parts.len() == 1
            || !parts.iter().any(|part| part.starts_with(|c: char| c.is_ascii_digit()) || part.len() > 4 && parts.len() > 1);
        if text.contains("ADDRESS") && text.len() < 12 {
            break;
        }
        if !begins && !first_needed {
            break;
        }
        if text.starts_with(['1', '2']) && person_line(&with_house_number(text)) && parts.len() > 1 {
            break;
        }
        let street = with_house_number(&without_code(line, text, &sheet.lines[last], sheet));
        parts.insert(0, spaced(&street));
        block.lines.insert(0, *index);
        lowest = line;
        let is_unit = ["APT", "UNIT", "STE", "SUITE", "#", "ROOM", "LOT"].iter().any(|word| text.starts_with(word));
        if begins && !is_unit {
            break;
        }
    }
    // The number of the field in a box of its own stands left of the first line; it is not part of the address.
    if parts.len() == 1 && !parts[0].starts_with(|c: char| c.is_ascii_digit()) && is_without_city {
        return None;
    }
    block.text = parts.iter().map(|part| part.trim_matches([' ', ',', '.']).to_owned()).collect::<Vec<_>>().join(", ");
    Some(block)
}

/// The last line of an address.
struct LastLine<'a> {
    city: &'a str,
    /// Where the code of the state stands in the line.
    state: Range<usize>,
    /// Where the postal code stands in the line.
    code: Range<usize>,
}

impl<'a> LastLine<'a> {
    /// Parts a line in capitals and ASCII.
    fn of(text: &'a str) -> Option<Self> {
        let found = PATTERNS.last_line.captures(text)?;
        Some(Self { city: found.get(1)?.as_str().trim(), state: found.get(2)?.range(), code: found.get(3)?.range() })
    }
}

/// Whether a line in capitals is the last one of an American address, and nothing else: city, state, a blank, postal code.
pub(crate) fn ends_in_state_and_code(text: &str) -> bool {
    LastLine::of(text).is_some_and(|end| {
        let is_city = end.city.len() >= 3 && end.city.chars().all(|c| c.is_ascii_uppercase() || matches!(c, ' ' | '.' | '\'' | '-'));
        is_city
            && end.code.end == text.len()
            && text[..end.state.start].ends_with([' ', ',', '('])
            && text[end.state.end..end.code.start].ends_with(' ')
            && PATTERNS.code.is_match(&text[end.code])
    })
}

/// The postal code with noughts for its letters O, where it is a Canadian one.
fn with_noughts(code: &str) -> String {
    code.replace('O', "0")
}

/// City and state with the postal code on a line of its own below: their indices, that there is a city, and the text.
fn code_below(lines: &[(usize, &TextLine, &str)]) -> Option<(Vec<usize>, bool, String)> {
    lines.iter().filter(|(_, _, text)| PATTERNS.city.is_match(text)).find_map(|(index, line, _)| {
        let height = line.edges.height();
        let (below, code, _) = lines.iter().find(|(_, other, text)| {
            let step = other.edges.middle() - line.edges.middle();
            PATTERNS.code.is_match(text)
                && (0.5 * height..2.0 * height).contains(&step)
                && (other.edges.left - line.edges.left).abs() < 2.0 * height
        })?;
        Some((vec![*index, *below], false, format!("{} {}", line.text(), with_noughts(&code.text()))))
    })
}

/// `1SAMPLE` and `2 JANE` are names with the number of their field.
fn person_line(text: &str) -> bool {
    let rest = text[1..].trim_start_matches(['.', ' ']);
    rest.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, ' ' | '-' | '\'' | ',' | '.'))
}

/// A street line without the field's number `8` that stands before it, with or without a blank.
fn without_code(line: &TextLine, text: &str, last: &TextLine, sheet: &Sheet) -> String {
    let whole = || line.slice(0, line.chars.len());
    // The number is read as a 6 now and then; then only its place gives it away.
    let width = line.edges.width() / line.chars.len().max(1) as f32;
    let stands_out = last.edges.left - line.edges.left;
    if text.starts_with(['6', 'B']) && text[1..].starts_with(|c: char| c.is_ascii_digit()) && stands_out > 0.8 * width {
        return line.slice(1, line.chars.len());
    }
    if !text.starts_with('8') {
        return whole();
    }
    let rest = text[1..].trim_start_matches(['.', ':', ' ']);
    let cut = line.slice(text.len() - rest.len(), line.chars.len());
    if text.len() - rest.len() > 1 || rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return cut;
    }
    // Glued: the number stands out to the left of the city below, as those of the names above do.
    let stands_out = stands_out > 0.45 * width;
    let numbered = sheet.lines.iter().any(|other| {
        let digits = other.chars.iter().take_while(|c| c.is_ascii_digit()).count();
        digits == 1
            && matches!(other.chars[0], '1' | '2')
            && other.chars.len() > 1
            && (other.edges.left - line.edges.left).abs() < 1.2 * width
    });
    if rest.starts_with(|c: char| c.is_ascii_digit()) && (numbered || stands_out) { cut } else { whole() }
}

/// A house number whose zeros and ones were read as letters: `1OO MAIN STREET`.
fn with_house_number(street: &str) -> String {
    let Some((first, rest)) = street.split_once(' ') else { return street.to_owned() };
    let n_digits = first.chars().filter(char::is_ascii_digit).count();
    let numeric = first.chars().all(|c| c.is_ascii_digit() || matches!(c, 'O' | 'I' | 'l' | 'S' | 'B' | 'G'));
    // `1 OO MAIN STREET` is `100 MAIN STREET` with a blank too many.
    let (head, rest) = match rest.split_once(' ') {
        Some((second, tail)) if numeric && second.chars().all(|c| matches!(c, 'O')) => (format!("{first}{second}"), tail),
        _ => (first.to_owned(), rest),
    };
    if !numeric || n_digits == 0 || first.len() > 6 {
        return street.to_owned();
    }
    let number: String = head
        .chars()
        .map(|c| match c {
            'O' => '0',
            'I' | 'l' => '1',
            'S' => '5',
            'B' => '8',
            'G' => '6',
            other => other,
        })
        .collect();
    format!("{number} {rest}")
}

/// Blanks that the recogniser lost between the number of a house and its street, and around commas.
fn spaced(text: &str) -> String {
    let chars: Vec<char> = text.trim().chars().collect();
    let digits = chars.iter().take_while(|c| c.is_ascii_digit()).count();
    let mut out = String::new();
    let unit = |before: &[char]| {
        let before: String = before.iter().collect();
        ["APT", "ROOM", "UNIT", "STE", "SUITE", "BOX", "LOT"].iter().any(|word| before.ends_with(word))
    };
    let ordinal = |rest: &[char]| {
        let rest: String = rest.iter().take(3).collect();
        ["TH", "ST ", "ND", "RD"].iter().any(|end| rest.starts_with(end))
    };
    for (place, c) in chars.iter().enumerate() {
        if place == digits && digits > 0 && c.is_alphabetic() && chars.len() > place + 2 && !ordinal(&chars[place..]) {
            out.push(' ');
        }
        if c.is_ascii_digit() && unit(&chars[..place]) {
            out.push(' ');
        }
        out.push(*c);
        if *c == ',' && chars.get(place + 1).is_some_and(|next| next.is_alphanumeric()) {
            out.push(' ');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::ends_in_state_and_code;

    #[test]
    fn the_last_line_of_an_address_is_told_from_other_lines() {
        let check = |text, expected| assert_eq!(ends_in_state_and_code(text), expected, "{text}");
        check("CHARLESTON, WV 25301", true);
        check("SALT LAKE CITY UT 84101-1234", true);
        check("ST. JOHN'S NL A1C 2B3", true);
        check("SOURIS PE COA 2BO", true);
        check("4D LIC MA 12345", false);
        check("TIRANA AL1234", false);
        check("CHARLESTON WV 253011", false);
        check("BANGKOK 10110", false);
        check("12 ELM STREET", false);
    }
}
