use serde_json::{Value, json};

use super::part_of;
use crate::document::{Check, FieldName, IdType, Side, Source};
use crate::failure::{Class, Dependency};

/// JSON Schema of an event: a document that was read, or a job that failed.
pub fn event() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Event",
        "description": "A CloudEvent 1.0 in structured mode. Keys that are not named here may be added.",
        "oneOf": [read(), failed()],
    })
}

/// The event of a document that was read.
pub(super) fn read() -> Value {
    let data = json!({
        "type": "object",
        "required": ["fields", "details", "warnings", "metadata"],
        "properties": {
            "fields": seven_keys(),
            "details": details(),
            "warnings": {"type": "array", "items": {"type": "string"}, "description": "What a person should look at."},
            "metadata": metadata(),
        }
    });
    envelope("document.read", &data)
}

/// The event of a job that was given up.
pub(super) fn failed() -> Value {
    let mut dependency = json!({"description": "The service at fault, if any.", "anyOf": [part_of::<Dependency>(), {"type": "null"}]});
    dependency["anyOf"][0]["description"] = "One of the services that a job depends on.".into();
    let data = json!({
        "type": "object",
        "required": ["failure", "metadata"],
        "properties": {
            "failure": {
                "type": "object",
                "required": ["class", "dependency", "reason", "attempts"],
                "properties": {
                    "class": part_of::<Class>(),
                    "dependency": dependency,
                    "reason": {"type": "string", "description": "A sentence without any document content."},
                    "attempts": {"type": "integer", "minimum": 1},
                }
            },
            "metadata": metadata(),
        }
    });
    envelope("document.failed", &data)
}

/// The seven keys of the hosted API's contract.
pub fn seven_keys() -> Value {
    let text = |what: &str| json!({"type": "string", "description": what});
    json!({
        "type": "object",
        "description": "A field that is not on the document is an empty string.",
        "required": ["idType", "idNumber", "name", "dateOfBirth", "address", "gender", "mobileNumber"],
        "properties": {
            "idType": part_of::<IdType>(),
            "idNumber": text("The document's number as printed."),
            "name": text("Given names, then surname."),
            "dateOfBirth": text("YYYY-MM-DD, or YYYY where only a year is printed."),
            "address": text("On one line."),
            "gender": {"type": "string", "enum": ["", "M", "F", "X"]},
            "mobileNumber": text("As printed."),
        }
    })
}

/// Every field that was read, by its name, and what else the images said.
fn details() -> Value {
    let mut candidate = json!({
        "type": "object",
        "required": ["value", "raw", "source", "side", "confidence", "checks"],
        "properties": {
            "value": {"type": "string", "minLength": 1, "description": "The normalised value."},
            "raw": {"type": "string", "description": "The text as it was read."},
            "source": part_of::<Source>(),
            "side": part_of::<Side>(),
            "confidence": {"type": "number", "minimum": 0, "maximum": 1},
            "checks": {"type": "array", "items": part_of::<Check>()},
            "box": {
                "type": "array", "minItems": 4, "maxItems": 4,
                "description": "The corners in pixels of the image that was sent, from its upper left one clockwise.",
                "items": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "integer"}}
            },
        }
    });
    candidate["properties"]["others"] =
        json!({"type": "array", "items": candidate.clone(), "description": "What other zones say of the same field."});
    let mut properties = serde_json::Map::new();
    for name in names_of(&part_of::<FieldName>()) {
        properties.insert(name, candidate.clone());
    }
    let texts = json!({"type": "array", "items": {"type": "string"}, "description": "The lines of the machine-readable zone."});
    properties.insert("mrz".into(), texts);
    properties.insert("signals".into(), json!({"type": "object", "description": "Quality, as data: never a verdict of genuineness."}));
    properties.insert(
        "extra".into(),
        json!({"type": "object", "description": "What the hosted API answered beyond the fields, by its own keys."}),
    );
    json!({"type": "object", "properties": properties})
}

fn metadata() -> Value {
    json!({"type": "object", "description": "The job's own, as it came."})
}

fn envelope(kind: &str, data: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["specversion", "id", "type", "source", "subject", "time", "datacontenttype", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "format": "uuid", "description": "The same for every duplicate: drop duplicates by it."},
            "type": {"const": format!("idmill.{kind}.v1")},
            "source": {"const": "idmill"},
            "subject": {"type": "string", "minLength": 1, "description": "The job's id."},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "data": data,
        }
    })
}

/// The names that an enum's schema allows.
pub(super) fn names_of(schema: &Value) -> Vec<String> {
    let branches = schema["oneOf"].as_array().into_iter().flatten();
    let described = branches.filter_map(|branch| branch["const"].as_str());
    let bare = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    described.chain(bare).map(str::to_owned).collect()
}
