//! The hosted API's answer becomes a [`Reading`]. Pure.
//!
//! Seven keys are documented, all of them strings; the enumerations, the form of dates and what else may come are not.
//! So wrappers, arrays, numbers, nulls and unknown keys are taken as they come, and what has no place in a reading is
//! kept beside it.

use serde_json::{Map, Value};
use time::{Date, Month};

use super::refusal::failure_of_error_object;
use crate::document::{Candidate, Check, Field, FieldName, IdType, Reading, Side, Source};
use crate::failure::{Class, Dependency, Failure};

/// Keys that other services of the kind wrap their answers in.
const WRAPPERS: [&str; 5] = ["data", "result", "results", "response", "fields"];

/// Wrappers within wrappers that are opened before giving up.
const MAX_WRAPPERS: usize = 4;

/// Reads the body of a 2xx answer.
///
/// # Errors
/// It is no JSON, an error object, or holds no field at all.
pub(super) fn parse_answer(body: &[u8]) -> Result<Reading, Failure> {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        // A proxy's error page or a cut answer: the API itself answers JSON.
        return Err(Failure::of(Dependency::Ocr, Class::Unavailable, "the OCR API answered 2xx with a body that is no JSON"));
    };
    let mut objects = Vec::new();
    unwrap_objects(value, MAX_WRAPPERS, &mut objects);
    let mut reading = Reading::default();
    for object in &objects {
        take_object(object, &mut reading);
    }
    if !reading.fields.is_empty() && !has_a_name_alone(&objects) {
        return Ok(reading);
    }
    match objects.into_iter().find_map(|object| failure_of_error_object(&Value::Object(object))) {
        Some(error) => Err(error),
        None if reading.fields.is_empty() => Err(Failure::new(Class::NoData, "the OCR API answered without any field")),
        None => Ok(reading),
    }
}

/// Whether the answer has no key of another field than `name`, not even with an empty value. What JavaScript throws has a
/// `name` too, which is its kind.
fn has_a_name_alone(objects: &[Map<String, Value>]) -> bool {
    let is_another = |key: &String| key.eq_ignore_ascii_case("idType") || field_name(key).is_some_and(|name| name != FieldName::Name);
    !objects.iter().any(|object| object.keys().any(is_another))
}

fn unwrap_objects(value: Value, depth: usize, objects: &mut Vec<Map<String, Value>>) {
    match value {
        Value::Array(values) if depth > 0 => values.into_iter().for_each(|value| unwrap_objects(value, depth - 1, objects)),
        Value::Object(mut object) => {
            for wrapper in WRAPPERS {
                if depth > 0 && matches!(object.get(wrapper), Some(Value::Object(_) | Value::Array(_))) {
                    let inner = object.shift_remove(wrapper).unwrap_or_default();
                    unwrap_objects(inner, depth - 1, objects);
                }
            }
            objects.push(object);
        }
        _ => {}
    }
}

fn take_object(object: &Map<String, Value>, reading: &mut Reading) {
    for (key, value) in object {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            // One with a fraction, or with more digits than a number holds, is not what is printed.
            Value::Number(number) if !number.is_f64() => number.to_string(),
            Value::Null => continue,
            Value::Number(_) | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
        };
        if key.eq_ignore_ascii_case("idType") {
            if reading.id_type == IdType::Unknown {
                reading.id_type = id_type(&text);
            }
            // What it was called is kept too: the vocabulary is not documented.
            reading.extra.entry(key.clone()).or_insert_with(|| value.clone());
        } else if let Some(name) = field_name(key) {
            if !text.is_empty() && !reading.fields.contains_key(&name) {
                let field = field(name, text, &mut reading.warnings);
                reading.fields.insert(name, field);
            }
        } else {
            reading.extra.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
}

fn field_name(key: &str) -> Option<FieldName> {
    let mut chars = key.chars();
    let camel: String = chars.next()?.to_lowercase().chain(chars).collect();
    FieldName::named(&camel)
}

fn field(name: FieldName, raw: String, warnings: &mut Vec<String>) -> Field {
    let (value, checks) = match name {
        FieldName::DateOfBirth | FieldName::IssueDate | FieldName::ExpiryDate => match iso_date(&raw) {
            Some(date) => (date, vec![Check::FormatOk]),
            None => {
                let name = serde_json::to_value(name).ok();
                let name = name.as_ref().and_then(Value::as_str).unwrap_or("a date");
                warnings.push(format!("{name} is given as the OCR API wrote it: its form leaves day and month open"));
                (raw.clone(), Vec::new())
            }
        },
        FieldName::Gender => (gender(&raw), Vec::new()),
        _ => (raw.clone(), Vec::new()),
    };
    // The API says neither how sure it is nor which side it read.
    let chosen = Candidate { name, value, raw, source: Source::Remote, side: Side::Front, confidence: 1.0, quad: None, checks };
    Field { chosen, others: Vec::new() }
}

fn gender(raw: &str) -> String {
    match raw.to_ascii_lowercase().as_str() {
        "m" | "male" => "M".into(),
        "f" | "female" => "F".into(),
        "x" | "t" | "other" | "transgender" => "X".into(),
        _ => raw.to_owned(),
    }
}

/// ISO 8601 of a date of digits, where only one reading of it is possible.
fn iso_date(raw: &str) -> Option<String> {
    let raw = raw.split_once('T').map_or(raw, |(date, _)| date);
    let parts: Vec<&str> = raw.split(['-', '/', '.', ' ']).filter(|part| !part.is_empty()).collect();
    if parts.iter().any(|part| !part.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let (year, month, day) = match parts[..] {
        [year] if year.len() == 4 => return Some(year.to_owned()),
        [year, month, day] if year.len() == 4 => (year, month, day),
        [first, second, year] if year.len() == 4 => {
            let (a, b) = (first.parse::<u8>().ok()?, second.parse::<u8>().ok()?);
            match (a, b) {
                (13.., 1..=12) => (year, second, first),
                (1..=12, 13..) => (year, first, second),
                (a, b) if a == b => (year, second, first),
                _ => return None,
            }
        }
        _ => return None,
    };
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    let date = Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
    Some(date.to_string())
}

/// Words of documents' names, the more telling ones first: a "driver's licence identity card" is a licence.
const ID_TYPES: &[(&str, IdType)] = &[
    ("aadha", IdType::Aadhaar),
    ("adhar", IdType::Aadhaar),
    ("uidai", IdType::Aadhaar),
    ("uniqueid", IdType::Aadhaar),
    ("permanentaccount", IdType::Pan),
    ("pan", IdType::Pan),
    ("voter", IdType::VoterId),
    ("epic", IdType::VoterId),
    ("elector", IdType::VoterId),
    ("passport", IdType::Passport),
    ("driv", IdType::DrivingLicence),
    ("licen", IdType::DrivingLicence),
    ("residen", IdType::ResidencePermit),
    ("visa", IdType::Visa),
    ("national", IdType::NationalId),
    ("identitycard", IdType::NationalId),
    ("idcard", IdType::NationalId),
];

fn id_type(text: &str) -> IdType {
    let letters: String = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    // "pan" is short enough to stand inside other words ("Japan", "Spanish").
    let is_pan = matches!(letters.as_str(), "pan" | "pancard" | "panid");
    ID_TYPES.iter().find(|(word, _)| letters.contains(word) && (*word != "pan" || is_pan)).map_or(IdType::Unknown, |(_, id_type)| *id_type)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::document::answer::event_data;
    use crate::document::mask_aadhaar;

    fn parse(value: &Value) -> Result<Reading, Failure> {
        parse_answer(value.to_string().as_bytes())
    }

    fn documented() -> Value {
        json!({"idType": "Passport", "idNumber": "L898902C3", "name": "ANNA MARIA ERIKSSON", "dateOfBirth": "1974-08-12",
               "address": "", "gender": "Female", "mobileNumber": null})
    }

    #[test]
    fn the_documented_answer_becomes_a_reading() {
        let reading = parse(&documented()).unwrap();
        assert_eq!(reading.id_type, IdType::Passport);
        assert_eq!(reading.value(FieldName::IdNumber), "L898902C3");
        assert_eq!(reading.value(FieldName::DateOfBirth), "1974-08-12");
        assert_eq!(reading.value(FieldName::Gender), "F");
        assert!(!reading.fields.contains_key(&FieldName::Address), "an empty string is a field that was not read");
        assert_eq!(reading.fields[&FieldName::Name].chosen.source, Source::Remote);
    }

    #[test]
    fn wrapped_answers_read_like_plain_ones() {
        let plain = parse(&documented()).unwrap();
        for wrapper in ["data", "result", "response", "fields"] {
            assert_eq!(parse(&json!({wrapper: documented()})).unwrap().fields, plain.fields, "{wrapper}");
            assert_eq!(parse(&json!({wrapper: [documented()]})).unwrap().fields, plain.fields, "{wrapper}");
        }
        assert_eq!(parse(&json!([documented(), {"name": "SOMEBODY ELSE"}])).unwrap().fields, plain.fields);
        assert_eq!(parse(&json!({"data": {"result": documented()}, "message": "ok"})).unwrap().fields, plain.fields);
    }

    #[test]
    fn numbers_are_strings_and_unknown_keys_are_kept() {
        let reading = parse(&json!({"idNumber": 123456789, "IssuingCountry": "UTO", "bloodGroup": "0+", "faces": [1]})).unwrap();
        assert_eq!(reading.value(FieldName::IdNumber), "123456789");
        let cut = r#"{"name": "ANNA MARIA ERIKSSON", "idNumber": 98765432109876543210}"#;
        assert_eq!(parse_answer(cut.as_bytes()).unwrap().value(FieldName::IdNumber), "", "its last digits are lost");
        assert_eq!(reading.value(FieldName::IssuingCountry), "UTO");
        assert_eq!(reading.extra["bloodGroup"], "0+");
        assert_eq!(reading.extra["faces"], json!([1]));
    }

    #[test]
    fn answers_without_a_field_say_so() {
        for value in [json!({}), json!([]), json!({"idType": "passport", "name": "", "idNumber": null}), json!({"data": {}}), json!("text")]
        {
            assert_eq!(parse(&value).unwrap_err().class, Class::NoData, "{value}");
        }
        assert_eq!(parse(&json!({"error": "Invalid token", "code": 4002})).unwrap_err().class, Class::Unauthorised);
        assert_eq!(parse_answer(b"<html>").unwrap_err().class, Class::Unavailable);
        assert_eq!(parse_answer(b"").unwrap_err().class, Class::Unavailable);
    }

    #[test]
    fn the_kind_of_an_error_is_nobodys_name() {
        let thrown = json!({"name": "JsonWebTokenError", "message": "jwt malformed"});
        assert_eq!(parse(&thrown).unwrap_err().class, Class::Unauthorised);
        assert!(parse(&json!({"data": thrown, "statusCode": 401})).is_err());
        for document in [
            json!({"name": "ANNA MARIA ERIKSSON"}),
            json!({"name": "ANNA MARIA ERIKSSON", "idNumber": "", "message": "ok"}),
            json!({"name": "ANNA MARIA ERIKSSON", "idType": "passport", "message": "ok"}),
        ] {
            assert_eq!(parse(&document).unwrap().value(FieldName::Name), "ANNA MARIA ERIKSSON");
        }
    }

    #[test]
    fn of_an_aadhaar_number_four_digits_reach_an_event_whatever_the_api_calls_it() {
        for id_type in ["Aadhaar Card", "UIDAI", "something else"] {
            let answer = json!({"idType": id_type, "idNumber": "2341 2341 2346", "aadhaarNumber": "234123412346", "uid": 234123412346_u64,
                                "vid": "2341234123412123", "rawText": "VID : 2341 2341 2341 2123\n2341 2341 2346"});
            let event = Value::Object(event_data(&mask_aadhaar(parse(&answer).unwrap()))).to_string();
            assert!(!event.contains("2341") && event.matches("2346").count() >= 4, "{event}");
        }
    }

    #[test]
    fn dates_become_iso_where_there_is_no_doubt() {
        for (raw, expected) in [
            ("1990-01-31", Some("1990-01-31")),
            ("1990-01-31T00:00:00Z", Some("1990-01-31")),
            ("31/01/1990", Some("1990-01-31")),
            ("01-31-1990", Some("1990-01-31")),
            ("05.05.1990", Some("1990-05-05")),
            ("1990", Some("1990")),
            ("04/05/1990", None),
            ("31/02/1990", None),
            ("31 JAN 1990", None),
            ("31/01/90", None),
        ] {
            assert_eq!(iso_date(raw).as_deref(), expected, "{raw}");
        }
        let reading = parse(&json!({"dateOfBirth": "04/05/1990"})).unwrap();
        assert_eq!(reading.value(FieldName::DateOfBirth), "04/05/1990");
        assert!(reading.warnings[0].starts_with("dateOfBirth is given as"));
    }

    #[test]
    fn document_types_are_recognised_in_many_words() {
        for (text, expected) in [
            ("passport", IdType::Passport),
            ("PAN Card", IdType::Pan),
            ("Permanent Account Number", IdType::Pan),
            ("Aadhaar Card", IdType::Aadhaar),
            ("UIDAI", IdType::Aadhaar),
            ("Unique Identification Authority of India", IdType::Aadhaar),
            ("Driver's License", IdType::DrivingLicence),
            ("DRIVING_LICENCE", IdType::DrivingLicence),
            ("National Identity Card", IdType::NationalId),
            ("japan passport", IdType::Passport),
            ("Spanish identity card", IdType::NationalId),
            ("Residence Permit", IdType::ResidencePermit),
            ("library card", IdType::Unknown),
        ] {
            assert_eq!(id_type(text), expected, "{text}");
        }
    }
}
