use serde_json::{Value, json};

use super::{event, job};
use crate::broker::{Names, header};

/// AsyncAPI 3 document of the queues and exchanges under these names, from the worker's point of view.
pub fn asyncapi(names: &Names) -> Value {
    let queue = |name: &str| json!({"amqp": {"is": "queue", "queue": {"name": name, "durable": true, "exclusive": false, "autoDelete": false}, "bindingVersion": "0.3.0"}});
    let events = json!({"amqp": {
        "is": "routingKey",
        "exchange": {"name": names.events, "type": "topic", "durable": true, "autoDelete": false},
        "bindingVersion": "0.3.0"
    }});
    let channel = |address: &str, bindings: &Value, message: &str, what: &str| {
        json!({
            "address": address,
            "description": what,
            "messages": {message: {"$ref": format!("#/components/messages/{message}")}},
            "bindings": bindings,
        })
    };
    let operation = |action: &str, channel: &str, message: &str, what: &str| {
        json!({
            "action": action,
            "summary": what,
            "channel": {"$ref": format!("#/channels/{channel}")},
            "messages": [{"$ref": format!("#/channels/{channel}/messages/{message}")}],
        })
    };
    let mut job = job();
    if let Some(object) = job.as_object_mut() {
        object.remove("$schema");
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "idmill",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Reads identity documents: a job names images in S3, an event says what they say. At least once, duplicates with the same id.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "jobs": channel(&names.jobs, &queue(&names.jobs), "job", "Work queue; published to through the default exchange."),
            "documentRead": channel("document.read", &events, "documentRead", "Documents that were read."),
            "documentFailed": channel("document.failed", &events, "documentFailed", "Jobs that were given up."),
            "dead": channel(&names.dead, &queue(&names.dead), "deadLetter", "Jobs that were given up, as their producer sent them."),
        },
        "operations": {
            "takeJob": operation("receive", "jobs", "job", "Take a job."),
            "publishRead": operation("send", "documentRead", "documentRead", "Say what the document says."),
            "publishFailed": operation("send", "documentFailed", "documentFailed", "Say why a job was given up."),
            "buryJob": operation("send", "dead", "deadLetter", "Put a job aside."),
        },
        "components": {
            "messages": {
                "job": {"name": "job", "contentType": "application/json", "payload": job.clone()},
                "documentRead": {"name": "documentRead", "contentType": "application/cloudevents+json", "payload": event::read()},
                "documentFailed": {"name": "documentFailed", "contentType": "application/cloudevents+json", "payload": event::failed()},
                "deadLetter": {"name": "deadLetter", "contentType": "application/json", "headers": dead_headers(), "payload": job},
            }
        }
    })
}

fn dead_headers() -> Value {
    let text = |what: &str| json!({"type": "string", "description": what});
    json!({
        "type": "object",
        "properties": {
            (header::CLASS): text("Failure class."),
            (header::REASON): text("Why, in one sentence without document content."),
            (header::ATTEMPT): {"type": "integer", "minimum": 1, "description": "The attempt that failed."},
            (header::FIRST_SEEN): text("When the job was first taken, RFC 3339."),
            (header::DEAD_SINCE): text("When it was given up, RFC 3339."),
            (header::REPLAY): {"type": "integer", "minimum": 1, "description": "How often an operator replayed it."},
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reference of the document.
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        let document = asyncapi(&Names::new("idmill"));
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() >= 12);
        for reference in found {
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    }
}
