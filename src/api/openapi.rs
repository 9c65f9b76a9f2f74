//! The API's description, OpenAPI 3.1, for people, generators and tests.

use serde_json::{Map, Value, json};

use super::error::Code;
use super::ocr::RequestLimits;
use crate::schema::seven_keys;

/// The document served at `/openapi.json`.
pub(super) fn document(limits: RequestLimits, is_open: bool) -> Value {
    let part = |what: &str| {
        json!({
            "type": "string",
            "minLength": 1,
            "description": format!("{what}: a data URI `data:image/jpeg;base64,…` or bare base64. The bytes decide what it is: \
                JPEG, PNG, WebP, TIFF, BMP or HEIC, at most {} bytes and {} pixels.", limits.max_image_bytes, limits.max_pixels)
        })
    };
    let mut back = part("The back image, where the document has one");
    back["type"] = json!(["string", "null"]);
    back["minLength"] = json!(0);
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "idmill",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Reads identity documents. The call is the hosted API's; the engine is inside, and nothing is stored."
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/ai/v1/ocr": {"post": {
                "operationId": "readDocument",
                "summary": "Read a document",
                "parameters": [{
                    "name": "details", "in": "query", "required": false, "schema": {"type": "boolean"},
                    "description": "Say too where each field was read, how sure it is, and which checks were made."
                }],
                "requestBody": {"required": true, "content": {"application/json": {
                    "schema": {"$ref": "#/components/schemas/Request"}
                }}},
                "responses": responses()
            }},
            "/livez": {"get": probe("The process answers.", "text/plain", json!({"type": "string"}))},
            "/readyz": {"get": ready()},
            "/metrics": {"get": probe("Metrics for Prometheus.", "text/plain", json!({"type": "string"}))},
            "/openapi.json": {"get": probe("This document.", "application/json", json!({"type": "object"}))}
        },
        "components": {"schemas": {
            "Request": {
                "type": "object",
                "description": "The keys are accepted in any case, and unknown keys are ignored.",
                "required": ["frontPart"],
                "properties": {"frontPart": part("The front image"), "backPart": back}
            },
            "Answer": answer(),
            "Details": {
                "type": "object",
                "description": "By field name; also `mrz` (the machine-readable lines) and `signals` (quality, as data).",
                "additionalProperties": true
            },
            "Error": {
                "type": "object",
                "required": ["message", "code", "requestId"],
                "properties": {
                    "message": {"type": "string"},
                    "code": {"type": "string", "enum": Code::ALL.map(Code::name)},
                    "requestId": {"type": "string", "format": "uuid"}
                }
            }
        }}
    });
    if !is_open {
        document["components"]["securitySchemes"] = json!({"token": {
            "type": "apiKey", "in": "header", "name": "Authorization",
            "description": "A JWT without any prefix, signed with HS256 over the API secret. Claims: apikey, permissions, exp; \
                optional version, roles, iat. `idmill token` makes one."
        }});
        document["paths"]["/ai/v1/ocr"]["post"]["security"] = json!([{"token": []}]);
    }
    document
}

fn answer() -> Value {
    let mut answer = seven_keys();
    answer["properties"]["details"] = json!({"$ref": "#/components/schemas/Details"});
    answer["properties"]["warnings"] = json!({"type": "array", "items": {"type": "string"}});
    answer["properties"]["timing"] = json!({"type": "object", "additionalProperties": {"type": "number"}});
    answer
}

/// The answers of the call: one for each status, with the codes that it may carry.
fn responses() -> Value {
    let mut responses = Map::new();
    responses.insert(
        "200".into(),
        json!({
            "description": "What the document says.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}}
        }),
    );
    let mut statuses: Vec<u16> = Code::ALL.map(|code| code.status().as_u16()).to_vec();
    statuses.retain(|status| !matches!(status, 404 | 405));
    statuses.sort_unstable();
    statuses.dedup();
    for status in statuses {
        let meanings: Vec<String> = Code::ALL
            .iter()
            .filter(|code| code.status().as_u16() == status)
            .map(|code| format!("`{}`: {}", code.name(), code.meaning()))
            .collect();
        let mut response = json!({
            "description": meanings.join("; "),
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
        });
        if status == Code::Overloaded.status().as_u16() {
            response["headers"] = json!({"Retry-After": {"schema": {"type": "integer", "minimum": 1}}});
        }
        responses.insert(status.to_string(), response);
    }
    Value::Object(responses)
}

fn probe(summary: &str, media_type: &str, schema: Value) -> Value {
    json!({"summary": summary, "responses": {"200": {"description": summary, "content": {media_type: {"schema": schema}}}}})
}

fn ready() -> Value {
    let body = json!({"application/json": {"schema": {
        "type": "object",
        "required": ["ready"],
        "properties": {"ready": {"type": "boolean"}, "reasons": {"type": "object", "additionalProperties": {"type": "string"}}}
    }}});
    json!({
        "summary": "Whether requests are taken.",
        "responses": {
            "200": {"description": "They are.", "content": body.clone()},
            "503": {"description": "They are not, and why.", "content": body}
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_code_is_documented_and_open_servers_ask_for_no_token() {
        let limits = RequestLimits { max_body_bytes: 4, max_image_bytes: 3, max_pixels: 2, read_timeout: Duration::from_secs(1) };
        let closed = document(limits, false);
        let text = closed["paths"]["/ai/v1/ocr"].to_string();
        for code in Code::ALL.into_iter().filter(|code| !matches!(code, Code::NotFound | Code::MethodNotAllowed)) {
            assert!(text.contains(code.name()), "{}", code.name());
        }
        assert!(closed.to_string().contains("securitySchemes"));
        assert!(!document(limits, true).to_string().contains("securitySchemes"));
    }
}
