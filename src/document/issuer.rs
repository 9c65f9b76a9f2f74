//! Which state issued a document, by what its headings say.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::layout::{Sheet, TextLine};
use super::text::{find_phrase, squeeze};

/// Headings stand in this part of a side, from its top; below it a state is somebody's nationality or place of birth.
const HEAD: f32 = 0.3;
/// Shorter names are looked for as a whole line alone: they are parts of other words.
const SHORT: usize = 5;

/// Names of so many letters are also found where the blanks around them were lost.
const LONG: usize = 8;

static NAMES: LazyLock<Vec<(String, Vec<char>)>> = LazyLock::new(|| {
    let states: BTreeMap<String, Vec<String>> =
        toml::from_str(include_str!("labels/states.toml")).expect("the label files are part of the program and tested");
    let names = states.into_iter().flat_map(|(code, names)| names.into_iter().map(move |name| (code.clone(), name)));
    let mut names: Vec<_> = names.map(|(code, name)| (code, squeeze(&name).chars().collect::<Vec<_>>())).collect();
    // `Republic of Georgia` before `Georgia`: the longer name says more.
    names.sort_by_key(|(_, name)| std::cmp::Reverse(name.len()));
    names
});

/// The state named in the headings, as its ISO 3166-1 alpha-3 code; of several names the longest.
pub(crate) fn issuer(sheets: &[Sheet]) -> Option<&'static str> {
    let headings: Vec<&TextLine> = sheets.iter().flat_map(headings).collect();
    let named = NAMES.iter().find(|(_, name)| headings.iter().any(|line| says(line, name)));
    named.map(|(code, _)| code.as_str())
}

/// Whether a line has the name of a state.
pub(crate) fn names_state(line: &TextLine) -> bool {
    NAMES.iter().any(|(_, name)| says(line, name))
}

/// The lines at the top of a side.
pub(crate) fn headings(sheet: &Sheet) -> impl Iterator<Item = &TextLine> {
    let lines = || sheet.lines.iter().filter(|line| !line.upright);
    let top = lines().map(|line| line.edges.top).fold(f32::INFINITY, f32::min);
    let bottom = lines().map(|line| line.edges.bottom).fold(f32::NEG_INFINITY, f32::max);
    lines().filter(move |line| line.edges.middle() < top + HEAD * (bottom - top))
}

/// Whether a line has the name as words of its own. `New Mexico` is not Mexico.
fn says(line: &TextLine, name: &[char]) -> bool {
    let compact = &line.compact;
    let Some((start, end, _)) = find_phrase(&compact.chars, name, 0) else { return false };
    let before: String = compact.chars[..start].iter().collect();
    let bounded = compact.starts_word[start] && compact.ends_word(end, &line.chars);
    if before.ends_with("NEW") {
        return false;
    }
    if name.len() < SHORT { before.is_empty() && end == compact.chars.len() } else { bounded || name.len() >= LONG }
}

#[cfg(test)]
mod tests {
    use super::issuer;
    use crate::document::field::Side;
    use crate::document::layout::Sheet;
    use crate::document::testing::page;

    #[test]
    fn a_state_is_told_by_its_heading() {
        let check = |heading: &str, expected: Option<&str>| {
            let lines = [(60.0, 10.0, heading), (60.0, 200.0, "Nationality"), (60.0, 224.0, "UKRAINE"), (60.0, 300.0, "Signature")];
            assert_eq!(issuer(&[Sheet::new(Side::Front, &page(&lines))]), expected, "{heading}");
        };
        check("REPÚBLICA FEDERATIVA DO BRASIL", Some("BRA"));
        check("REPUBLIKAHRVATSKA", Some("HRV"));
        check("NEW MEXICO", None);
        check("DRIVER LICENSE", None);
        check("IDENTITY CARD", None);
    }
}
