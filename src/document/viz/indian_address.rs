//! Addresses of Indian cards: a caption, lines below it, the six digits of the postal code at the end.

use std::sync::LazyLock;

use regex_lite::Regex;

use crate::document::address::{address, tidy};
use crate::document::layout::Sheet;
use crate::document::person_name::person_name;

/// More lines than this no card takes for an address.
const MOST_LINES: usize = 9;

/// The address, the index of its first line, and the name of the relative it begins with (`S/O Ram Kumar`).
pub(super) fn find_address(sheet: &Sheet, texts: &[String]) -> Option<(String, usize, Option<String>)> {
    static CAPTION: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\b(?:(?:PERMANENT|PRESENT) )?(?:ADDRESS|ADDRES5|ADD)\b[ ]*[:.]?[ ]*|ADDRESS[:.]").expect("tested"));
    static PIN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?:^|[^0-9])\d{3} ?\d{3}(?:[^0-9]|$)").expect("tested"));
    let caption = texts.iter().enumerate().find_map(|(index, text)| {
        let hit = CAPTION.find(text).filter(|_| !text.contains("PLACE") && !text.contains("MAIL"))?;
        Some((index, (hit.start(), hit.end())))
    });
    // Without a caption, the relative's name begins it, and only the postal code tells that it is one.
    let addressed = || addressee(sheet, texts).map(|name| (name, (0, sheet.lines[name].chars.len())));
    let is_announced = caption.is_some() || addressed().is_some();
    let (first, caption) = caption.or_else(addressed).or_else(|| relative_line(texts).map(|relative| (relative, (0, 0))))?;
    let own = &sheet.lines[first];
    let height = own.edges.height();
    let rest = own.slice(caption.1, own.chars.len());
    let mut parts: Vec<String> = Vec::new();
    if rest.chars().filter(|c| c.is_ascii_alphanumeric()).count() > 2 || rest.contains(|c: char| c.is_ascii_digit()) {
        parts.push(rest.clone());
    }
    let done = |parts: &[String]| parts.last().is_some_and(|part| PIN.is_match(&part.to_uppercase()));
    let caption_left = own.edges_of(caption.0, caption.1).left;
    let mut value_left = own.edges_of(caption.1, own.chars.len()).left;
    let mut floor = own.edges;
    let mut used = vec![first];
    while !done(&parts) && parts.len() < MOST_LINES {
        let next = sheet
            .lines
            .iter()
            .enumerate()
            .filter(|(index, line)| {
                let beside = parts.is_empty() && line.edges.same_row(&own.edges) && line.edges.left > own.edges.right - height;
                let below = line.edges.middle() > floor.bottom - 0.2 * height && line.edges.top < floor.bottom + 1.2 * height;
                let aligned = (line.edges.left - caption_left).abs() < 3.0 * height || (line.edges.left - value_left).abs() < 3.0 * height;
                !used.contains(index) && !line.upright && (beside || (below && aligned))
            })
            .min_by(|a, b| a.1.edges.middle().total_cmp(&b.1.edges.middle()));
        let Some((index, line)) = next else { break };
        used.push(index);
        // The value in a box of its own, beside its caption: what goes on with it stands below it.
        if parts.is_empty() && line.edges.same_row(&own.edges) {
            value_left = line.edges.left;
        }
        let text = line.text();
        if stops(&texts[index]) {
            break;
        }
        // Lines in a regional script are recognised as question marks or as scribbles of little confidence.
        let foreign = texts[index].matches('?').count() * 3 > text.chars().count();
        if foreign || line.confidence < 0.6 {
            floor = line.edges;
            continue;
        }
        parts.push(text);
        floor = line.edges;
    }
    if !is_announced && !done(&parts) {
        return None;
    }
    let joined = parts.join("\n");
    let (relative, joined) = without_relative(&joined);
    let address = address(joined.trim())?;
    (address.chars().count() > 6).then_some((address, first, relative))
}

/// The line with the name below `To`, where a letter has its address without a caption.
pub(super) fn addressee(sheet: &Sheet, texts: &[String]) -> Option<usize> {
    let to = texts.iter().position(|text| matches!(text.trim_end_matches([',', ':', ' ']), "TO"))?;
    let own = sheet.lines[to].edges;
    let height = own.height();
    let below = sheet.lines.iter().enumerate().filter(|(_, line)| {
        (line.edges.left - own.left).abs() < 2.0 * height && (0.5 * height..3.0 * height).contains(&(line.edges.middle() - own.middle()))
    });
    let named = below.filter(|(_, line)| person_name(&line.text()).is_some());
    named.min_by(|a, b| a.1.edges.middle().total_cmp(&b.1.edges.middle())).map(|(name, _)| name)
}

/// The line that begins with whose child or spouse the holder is.
pub(super) fn relative_line(texts: &[String]) -> Option<usize> {
    texts.iter().position(|text| ["S/O", "D/O", "W/O", "C/O"].iter().any(|word| text.starts_with(word)))
}

fn stops(text: &str) -> bool {
    let words =
        ["DATE", "VALID", "ISSUE", "SIGN", "BLOOD", "NAME", "VID", "DOB", "AUTHORITY", "OFFICER", "WWW.", "HELP@", "1947", "MOBILE"];
    words.iter().any(|word| text.contains(word)) || text.bytes().filter(u8::is_ascii_digit).count() >= 12
}

/// Takes `S/O Ram Kumar,` off the beginning: it is whose child or spouse the holder is, not where the holder lives.
fn without_relative(text: &str) -> (Option<String>, &str) {
    static CARE_OF: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?i)^[ :,]*(?:S|D|W|C)[ ]?/[ ]?O[ .:-]*").expect("tested"));
    let Some(hit) = CARE_OF.find(text) else { return (None, text) };
    let rest = &text[hit.end()..];
    let end = rest.find([',', '\n']).unwrap_or(0);
    match person_name(&tidy(&rest[..end])) {
        Some(name) => (Some(name), rest[end..].trim_start_matches([',', ' ', '\n'])),
        None => (None, text),
    }
}
