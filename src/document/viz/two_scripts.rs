//! Names that are printed in Cyrillic or Greek letters and in Latin ones: a recogniser of Latin letters returns the former
//! as the Latin letters they look like (`ИВАНОВА` as `VBAHOBA`), which must not be taken for the name.

use crate::document::customs::{Custom, has};
use crate::document::text::fold;

/// What a letter that looks like another one costs, and one too many or too few; a letter that is neither costs 1.
const ALIKE: f32 = 0.2;
const MORE_OR_LESS: f32 = 0.5;
/// Most that an echo may cost for each letter; empirically chosen on Bulgarian, Macedonian, Ukrainian and Greek names as
/// they were recognised. One of three hundred pairs of other names costs less, hence the list of states.
const MOST_COST: f32 = 0.4;

/// The lines of a name without those that say the next one in another script.
pub(super) fn latin_lines<'a>(lines: &[&'a str], issuer: Option<&str>) -> Vec<&'a str> {
    if !has(issuer, Custom::NamesInTwoScripts) {
        return lines.to_vec();
    }
    // What stands above the Latin letters is the other script, also where it is hardly legible.
    if let [other, latin] = *lines
        && letters(other).len() == letters(latin).len()
        && letters(other) != letters(latin)
    {
        return vec![latin];
    }
    let said_again = |index: usize| lines.get(index + 1).is_some_and(|next| echoes(lines[index], next));
    lines.iter().enumerate().filter(|(index, _)| !said_again(*index)).map(|(_, line)| *line).collect()
}

/// The Latin half of a line that has the name in both scripts: `TKAYEHKO/TKACHENKO`, `HEBEHA NEVENA`; else the line.
pub(super) fn latin_half<'a>(text: &'a str, issuer: Option<&str>) -> &'a str {
    if !has(issuer, Custom::NamesInTwoScripts) {
        return text;
    }
    if let Some((before, after)) = text.split_once('/') {
        return if echoes(before, after) { after.trim() } else { text };
    }
    let gaps: Vec<usize> = text.match_indices(' ').map(|(at, _)| at).collect();
    if gaps.len().is_multiple_of(2) {
        return text;
    }
    let (before, after) = text.split_at(gaps[gaps.len() / 2]);
    if echoes(before, after) { after.trim_start() } else { text }
}

/// Whether `latin` says what `other` does, on a document that prints names in two scripts.
pub(super) fn is_echo(other: &str, latin: &str, issuer: Option<&str>) -> bool {
    has(issuer, Custom::NamesInTwoScripts) && echoes(other, latin)
}

/// Whether every word of `latin` is a word of `other` in another script; a name that is the same in both is no echo.
pub(super) fn echoes(other: &str, latin: &str) -> bool {
    let (other, latin) = (letters(other), letters(latin));
    !latin.is_empty() && other.len() >= latin.len() && latin.iter().all(|word| other.iter().any(|seen| is_word_echo(seen, word)))
}

fn letters(text: &str) -> Vec<Vec<char>> {
    let words = text.split([' ', '-']).map(|word| fold(word).chars().filter(|c| c.is_alphanumeric()).collect::<Vec<char>>());
    words.filter(|word| !word.is_empty()).collect()
}

/// Whether a word is what is left of another one in Cyrillic or Greek letters.
fn is_word_echo(seen: &[char], latin: &[char]) -> bool {
    // Cyrillic and Greek write with one letter what takes two in Latin, hardly ever the other way round.
    let is_as_long = (latin.len().saturating_sub(3)..=latin.len() + 1).contains(&seen.len());
    if latin.len() < 3 || seen.len() < 3 || !is_as_long {
        return false;
    }
    // The cost of the alignment and, on the way, how many letters were read as others: two names of people differ, too,
    // but seldom in letters that look alike.
    let mut row: Vec<(f32, usize, usize)> = (0..=seen.len()).map(|n| (MORE_OR_LESS * n as f32, 0, 0)).collect();
    for (i, wanted) in latin.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = (MORE_OR_LESS * (i + 1) as f32, 0, 0);
        for (j, found) in seen.iter().enumerate() {
            let (cost, n_same, n_alike) = diagonal;
            let replaced = if found == wanted {
                (cost, n_same + 1, n_alike)
            } else if looks(*wanted).contains(*found) {
                (cost + ALIKE, n_same, n_alike + 1)
            } else {
                (cost + 1.0, n_same, n_alike)
            };
            let skipped = |step: (f32, usize, usize)| (step.0 + MORE_OR_LESS, step.1, step.2);
            let steps = [replaced, skipped(row[j]), skipped(row[j + 1])];
            diagonal = row[j + 1];
            row[j + 1] = steps.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or(replaced);
        }
    }
    let (cost, n_same, n_alike) = row[seen.len()];
    5 * n_alike > latin.len() && 4 * n_same >= latin.len() && cost <= MOST_COST * latin.len().max(seen.len()) as f32
}

/// The Latin letters that the Cyrillic and Greek letters for a sound are taken for.
fn looks(sound: char) -> &'static str {
    match sound {
        'B' => "65EMB",
        'C' => "UL4KSY",
        'D' => "A4MO",
        'E' => "EHA",
        'F' => "O0",
        'G' => "FTRIL",
        'H' => "XFTRE",
        'I' => "NUMWHYV",
        'J' => "NU",
        'K' => "XK",
        'L' => "ANJM",
        'M' => "MN",
        'N' => "H",
        'O' => "Q0WA",
        'P' => "NMR",
        'R' => "P",
        'S' => "CWMEZL",
        'T' => "OM",
        'U' => "YV",
        'V' => "BY",
        'X' => "EK",
        'Y' => "NURIV",
        'Z' => "3EBXK",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_in_another_script_is_left_out() {
        let check = |lines: &[&str], expected: &[&str]| assert_eq!(latin_lines(lines, Some("BGR")), expected);
        check(&["VBAHOBA", "IVANOVA"], &["IVANOVA"]);
        check(&["CAABWHA", "SLAVINA"], &["SLAVINA"]);
        check(&["FEOPIVEBA", "GEORGIEVA"], &["GEORGIEVA"]);
        check(&["nAnANIKOAAOY", "PAPANIKOLAOU"], &["PAPANIKOLAOU"]);
        check(&["CTOJAHOBCKA", "STOJANOVSKA"], &["STOJANOVSKA"]);
        check(&["OKCAHA IBAHIBHA", "OKSANA"], &["OKSANA"]);
    }

    #[test]
    fn names_of_two_lines_are_kept() {
        for lines in [["GARCIA", "GARCIA"], ["ANNA", "MARIA TERESA"], ["OROZPE DE", "LUJAMBIO"]] {
            assert_eq!(latin_lines(&lines, Some("BGR")), lines);
        }
        let lines = ["VBAHOBA", "IVANOVA"];
        assert_eq!(latin_lines(&lines, Some("ESP")), lines, "Spain has one script");
    }

    #[test]
    fn the_latin_half_of_a_line_is_taken() {
        let check = |text, expected| assert_eq!(latin_half(text, Some("UKR")), expected);
        check("TKAYEHKO/TKACHENKO", "TKACHENKO");
        check("MAP'AHA/MARIANA", "MARIANA");
        check("HEBEHA nETPOBA NEVENA PETROVA", "NEVENA PETROVA");
        check("ANNA MARIA", "ANNA MARIA");
        check("MORWENNA ANNE", "MORWENNA ANNE");
    }
}
