//! A reading as JSON: the seven keys of the hosted API's contract, and everything else as details.

use serde_json::{Map, Value, json};

use super::field::{Candidate, Field, FieldName, Reading};

/// The contract's keys other than `idType`, in the contract's order.
const KEYS: [(&str, FieldName); 6] = [
    ("idNumber", FieldName::IdNumber),
    ("name", FieldName::Name),
    ("dateOfBirth", FieldName::DateOfBirth),
    ("address", FieldName::Address),
    ("gender", FieldName::Gender),
    ("mobileNumber", FieldName::MobileNumber),
];

/// The seven keys; a field that was not read is an empty string.
pub fn seven_keys(reading: &Reading) -> Map<String, Value> {
    let mut keys = Map::new();
    keys.insert("idType".into(), json!(reading.id_type));
    keys.extend(KEYS.iter().map(|(key, name)| ((*key).into(), json!(reading.value(*name)))));
    keys
}

/// The `data` of a `document.read` event.
pub fn event_data(reading: &Reading) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("fields".into(), Value::Object(seven_keys(reading)));
    data.insert("details".into(), Value::Object(details(reading)));
    data.insert("warnings".into(), json!(reading.warnings));
    data
}

/// Every field that was read with what speaks for it, the machine-readable lines and the signals of quality.
pub fn details(reading: &Reading) -> Map<String, Value> {
    let mut details = Map::new();
    for (name, field) in &reading.fields {
        if let Value::String(key) = json!(name) {
            details.insert(key, field_details(field));
        }
    }
    if !reading.mrz.is_empty() {
        details.insert("mrz".into(), json!(reading.mrz));
    }
    if !reading.signals.is_empty() {
        details.insert("signals".into(), json!(reading.signals));
    }
    if !reading.extra.is_empty() {
        details.insert("extra".into(), json!(reading.extra));
    }
    details
}

fn field_details(field: &Field) -> Value {
    let mut value = candidate_details(&field.chosen);
    if !field.others.is_empty() {
        value["others"] = field.others.iter().map(candidate_details).collect();
    }
    value
}

fn candidate_details(candidate: &Candidate) -> Value {
    let mut value = json!({
        "value": candidate.value,
        "raw": candidate.raw,
        "source": candidate.source,
        "side": candidate.side,
        "confidence": (f64::from(candidate.confidence) * 1000.0).round() / 1000.0,
        "checks": candidate.checks,
    });
    if let Some(quad) = candidate.quad {
        value["box"] = quad.0.iter().map(|p| json!([p.x.round() as i64, p.y.round() as i64])).collect();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Check, IdType, Side, Source};
    use crate::ocr::Quad;

    #[test]
    fn an_empty_reading_has_all_seven_keys_and_no_details() {
        let reading = Reading::default();
        let keys = Value::Object(seven_keys(&reading)).to_string();
        assert_eq!(keys, r#"{"idType":"unknown","idNumber":"","name":"","dateOfBirth":"","address":"","gender":"","mobileNumber":""}"#);
        assert!(details(&reading).is_empty());
    }

    #[test]
    fn a_field_carries_what_speaks_for_it() {
        let chosen = Candidate {
            name: FieldName::IdNumber,
            value: "L898902C3".into(),
            raw: "L898902C3".into(),
            source: Source::Mrz,
            side: Side::Front,
            confidence: 0.98,
            quad: Some(Quad::from_edges(1.0, 2.0, 3.4, 4.0)),
            checks: vec![Check::CheckDigitOk],
        };
        let mut reading = Reading { id_type: IdType::Passport, mrz: vec!["P<UTO".into()], ..Reading::default() };
        reading.fields.insert(FieldName::IdNumber, Field { chosen, others: Vec::new() });
        assert_eq!(seven_keys(&reading)["idNumber"], "L898902C3");
        let details = Value::Object(details(&reading)).to_string();
        assert_eq!(
            details,
            r#"{"idNumber":{"value":"L898902C3","raw":"L898902C3","source":"mrz","side":"front","confidence":0.98,"checks":["check_digit_ok"],"box":[[1,2],[3,2],[3,4],[1,4]]},"mrz":["P<UTO"]}"#
        );
    }
}
