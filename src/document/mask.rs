//! Aadhaar numbers with their first eight digits hidden, as India's regulators want them stored.

use super::field::{Candidate, FieldName, IdType, Reading};

/// The reading with every Aadhaar number masked to `XXXX XXXX dddd`, in chosen values, in what else was read and in raw text.
///
/// Other documents come back unchanged. Lines that hold the number under another name (an address line, for example)
/// are masked as well: any group of twelve digits is taken for one.
pub fn mask_aadhaar(mut reading: Reading) -> Reading {
    if reading.id_type != IdType::Aadhaar {
        return reading;
    }
    for field in reading.fields.values_mut() {
        mask_candidate(&mut field.chosen);
        field.others.iter_mut().for_each(mask_candidate);
    }
    reading
}

fn mask_candidate(candidate: &mut Candidate) {
    if matches!(candidate.name, FieldName::MobileNumber | FieldName::DateOfBirth) {
        return;
    }
    candidate.value = masked(&candidate.value);
    candidate.raw = masked(&candidate.raw);
}

/// Hides the first eight of every twelve digits (and the first twelve of sixteen, a virtual number) that stand together.
fn masked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = chars.clone();
    let mut place = 0;
    while place < chars.len() {
        let mut digits = Vec::new();
        let mut end = place;
        while end < chars.len() && (chars[end].is_ascii_digit() || (chars[end] == ' ' && !digits.is_empty()) || chars[end] == '-') {
            if chars[end].is_ascii_digit() {
                digits.push(end);
            }
            end += 1;
        }
        if digits.len() >= 12 {
            for hidden in &digits[..digits.len() - 4] {
                out[*hidden] = 'X';
            }
        }
        place = end.max(place + 1);
    }
    out.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn the_last_four_digits_remain() {
        assert_eq!(masked("2341 2341 2346"), "XXXX XXXX 2346");
        assert_eq!(masked("No 234123412346."), "No XXXXXXXX2346.");
        assert_eq!(masked("2341 2341 2341 2123"), "XXXX XXXX XXXX 2123");
        assert_eq!(masked("12/1 MG Road 560001"), "12/1 MG Road 560001");
    }
}
