//! Aadhaar numbers with their first eight digits hidden, as India's regulators want them stored.

use serde_json::Value;

use super::field::{Candidate, FieldName, IdType, Reading};

/// The reading with every Aadhaar number masked to `XXXX XXXX dddd`, in chosen values, in what else was read, in raw text and in
/// what the hosted API answered beyond the fields.
///
/// Documents that are known to be others come back unchanged; one of an unknown type may be an Aadhaar card under a name that
/// nobody foresaw. Lines that hold the number under another name (an address line, for example) are masked as well: any group
/// of twelve digits is taken for one.
pub fn mask_aadhaar(mut reading: Reading) -> Reading {
    match reading.id_type {
        IdType::Aadhaar | IdType::Unknown => {}
        IdType::Passport
        | IdType::NationalId
        | IdType::DrivingLicence
        | IdType::ResidencePermit
        | IdType::Visa
        | IdType::Pan
        | IdType::VoterId => return reading,
    }
    for field in reading.fields.values_mut() {
        mask_candidate(&mut field.chosen);
        field.others.iter_mut().for_each(mask_candidate);
    }
    reading.extra.values_mut().for_each(mask_json);
    reading
}

/// Masks what a value holds, whatever its keys are called. One with a fraction is a measure and no number of anybody.
fn mask_json(value: &mut Value) {
    match value {
        Value::String(text) => *text = masked(text),
        Value::Number(number) => {
            let text = number.as_f64().filter(|number| number.fract() == 0.0).map(|_| number.to_string()).unwrap_or_default();
            let hidden = masked(&text);
            if hidden != text {
                *value = Value::String(hidden);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(mask_json),
        Value::Object(object) => object.values_mut().for_each(mask_json),
        Value::Null | Value::Bool(_) => {}
    }
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
        while end < chars.len() && (chars[end].is_ascii_digit() || (chars[end].is_whitespace() && !digits.is_empty()) || chars[end] == '-')
        {
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
    use serde_json::json;

    use super::*;
    use crate::document::answer::event_data;

    #[test]
    fn the_last_four_digits_remain() {
        assert_eq!(masked("2341 2341 2346"), "XXXX XXXX 2346");
        assert_eq!(masked("No 234123412346."), "No XXXXXXXX2346.");
        assert_eq!(masked("2341 2341 2341 2123"), "XXXX XXXX XXXX 2123");
        assert_eq!(masked("2341 2341\n2346"), "XXXX XXXX\n2346");
        assert_eq!(masked("12/1 MG Road 560001"), "12/1 MG Road 560001");
    }

    #[test]
    fn what_the_hosted_api_adds_is_masked_too() {
        let extra = json!({"aadhaarNumber": 234123412346_u64, "vid": "2341-2341-2341-2123", "rawText": ["To", {"line": "2341 2341 2346"}],
                           "score": 0.123456789012345, "pages": 2});
        for (id_type, is_masked) in [(IdType::Aadhaar, true), (IdType::Unknown, true), (IdType::Passport, false)] {
            let extra = serde_json::from_value(extra.clone()).unwrap();
            let event = json!(event_data(&mask_aadhaar(Reading { id_type, extra, ..Reading::default() }))).to_string();
            assert_eq!(!event.contains("2341"), is_masked, "{event}");
            assert!(event.contains("0.123456789012345") && event.contains("\"pages\":2"), "{event}");
            assert!(event.contains("2346") && event.contains("2123"), "{event}");
        }
    }
}
