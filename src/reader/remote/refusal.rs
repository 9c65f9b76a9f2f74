//! What an answer that is no reading means for the job: the hosted API's statuses and error bodies become failures.
//!
//! Pure. The API publishes no error table, so that statuses decide and bodies are only read for the words that help.

use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;

use super::words::{known_words, speaks_of_credentials, speaks_of_outage};
use crate::failure::{Class, Dependency, Failure};
use crate::reader::http_date::parse_http_date;

/// The failure that a status other than 2xx stands for.
pub(super) fn failure_of_status(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Failure {
    let class = class_of_status(status);
    let message = serde_json::from_slice::<Value>(body).ok().as_ref().and_then(error_message).unwrap_or_default();
    let mut reason = format!("the OCR API answered {status}");
    if status == 404 {
        reason.push_str(" (is reader.remote.url right?)");
    } else if matches!(status, 402 | 403) {
        reason.push_str(" (does the plan include the OCR API?)");
    }
    let words = known_words(&message);
    if !words.is_empty() {
        reason.push_str(": ");
        reason.push_str(&words);
    }
    Failure { class, dependency: dependency_of(class), reason, retry_after }
}

/// The failure that an error object sent with a 2xx stands for, or `None` where the object is no error.
pub(super) fn failure_of_error_object(value: &Value) -> Option<Failure> {
    let message = error_message(value)?;
    let code = codes(value).into_iter().find_map(number);
    let class = match code {
        // The codes that the real-time SDK documents for keys and tokens.
        Some(4001 | 4002 | 4006 | 4007 | 4008) => Class::Unauthorised,
        Some(status @ 400..=599) => class_of_status(status as u16),
        _ if speaks_of_outage(&message) => Class::Unavailable,
        // A refusal of ours would give up every job of the queue, one after the other, where it is about the token.
        _ if speaks_of_credentials(&message) || codes(value).into_iter().filter_map(Value::as_str).any(speaks_of_credentials) => {
            Class::Unauthorised
        }
        _ => Class::Rejected,
    };
    let words = known_words(&message);
    let reason = if words.is_empty() {
        "the OCR API answered 2xx with an error".to_owned()
    } else {
        format!("the OCR API answered 2xx with an error: {words}")
    };
    Some(Failure { class, dependency: dependency_of(class), reason, retry_after: None })
}

/// Whether a refusal is about the spelling of the body's keys.
pub(super) fn names_a_body_key(status: u16, body: &[u8]) -> bool {
    if !matches!(status, 400 | 422) {
        return false;
    }
    let body = body.to_ascii_lowercase();
    [&b"frontpart"[..], b"backpart"].iter().any(|key| body.windows(key.len()).any(|window| window == *key))
}

/// Reads a `Retry-After` header in either form; a date in the past is no wait at all.
pub(super) fn parse_retry_after(header: &str, now: OffsetDateTime) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = parse_http_date(header)?;
    Some(Duration::try_from(date - now).unwrap_or(Duration::ZERO))
}

fn class_of_status(status: u16) -> Class {
    match status {
        400 | 413 | 415 | 422 => Class::Rejected,
        408 | 425 | 500..=599 => Class::Unavailable,
        429 => Class::Throttled,
        // Our plan or address; or one document, which a firewall takes for an attack, or one job's trace headers.
        403 | 431 | 451 => Class::Denied,
        // 401, 402, 404, and what only a wrong URL explains: redirects, 405, 410.
        _ => Class::Unauthorised,
    }
}

fn dependency_of(class: Class) -> Option<Dependency> {
    match class {
        Class::Denied | Class::Unavailable | Class::Throttled | Class::Unauthorised => Some(Dependency::Ocr),
        Class::BadJob
        | Class::Expired
        | Class::BadImage
        | Class::ImageMissing
        | Class::Rejected
        | Class::NoData
        | Class::Internal
        | Class::DeliveryLimit => None,
    }
}

/// The message of an error object in any of the shapes that clients of the API were seen to read, first match wins.
fn error_message(value: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    find(value, "message")
        .and_then(text)
        .or_else(|| match find(value, "error")? {
            Value::String(message) => Some(message.clone()),
            error @ Value::Object(_) => Some(find(error, "message").and_then(text).unwrap_or_default()),
            _ => None,
        })
        .or_else(|| {
            let first = find(value, "errors")?.as_array()?.first()?;
            text(first).or_else(|| Some(find(first, "message").and_then(text).unwrap_or_default()))
        })
        .or_else(|| find(value, "detail").and_then(text))
}

/// The values that may be an error's code, its own first.
fn codes(value: &Value) -> Vec<&Value> {
    let keys = ["statusCode", "status", "code"];
    let places = [Some(value), find(value, "error")].into_iter().flatten();
    places.flat_map(|place| keys.iter().filter_map(|key| find(place, key))).collect()
}

fn find<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    value.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn statuses_decide_the_class() {
        use Class::*;
        for (status, class) in [
            (400, Rejected),
            (413, Rejected),
            (415, Rejected),
            (422, Rejected),
            (401, Unauthorised),
            (402, Unauthorised),
            (403, Denied),
            (431, Denied),
            (451, Denied),
            (404, Unauthorised),
            (302, Unauthorised),
            (408, Unavailable),
            (425, Unavailable),
            (429, Throttled),
            (500, Unavailable),
            (503, Unavailable),
        ] {
            let failure = failure_of_status(status, None, b"");
            assert_eq!(failure.class, class, "{status}");
            assert_eq!(failure.dependency.is_some(), !matches!(class, Rejected), "{status}");
        }
    }

    #[track_caller]
    fn check_reason(body: &Value, expected: &str) {
        assert_eq!(failure_of_status(400, None, body.to_string().as_bytes()).reason, expected);
    }

    #[test]
    fn error_bodies_of_every_shape_are_read() {
        check_reason(&json!({"message": "Invalid token"}), "the OCR API answered 400: Invalid token");
        check_reason(&json!({"error": "Invalid token"}), "the OCR API answered 400: Invalid token");
        check_reason(&json!({"error": {"message": "Invalid token", "code": 4002}}), "the OCR API answered 400: Invalid token");
        check_reason(&json!({"errors": [{"message": "Invalid token"}]}), "the OCR API answered 400: Invalid token");
        check_reason(&json!({"detail": "Invalid token"}), "the OCR API answered 400: Invalid token");
        check_reason(&json!({"detail": [{"loc": ["body"]}]}), "the OCR API answered 400");
        check_reason(&json!("Invalid token"), "the OCR API answered 400");
    }

    #[test]
    fn reasons_carry_no_content_of_documents() {
        check_reason(
            &json!({"message": "could not parse 'ERIKSSON ANNA' born 1974-08-12, number L898902C3"}),
            "the OCR API answered 400: could not parse …",
        );
        check_reason(&json!({"message": "/9j/4AAQSkZJRg is no image"}), "the OCR API answered 400: … is no image");
        check_reason(&json!({"message": "Müller"}), "the OCR API answered 400");
        check_reason(&json!({"message": "é".repeat(300)}), "the OCR API answered 400");
    }

    #[track_caller]
    fn check_error_object(value: &Value, expected: Option<Class>) {
        assert_eq!(failure_of_error_object(value).map(|failure| failure.class), expected, "{value}");
    }

    #[test]
    fn errors_sent_with_200_are_errors() {
        check_error_object(&json!({"message": "Invalid token", "code": 4002}), Some(Class::Unauthorised));
        check_error_object(&json!({"error": {"message": "plan", "code": "4006"}}), Some(Class::Unauthorised));
        check_error_object(&json!({"error": "bad image", "statusCode": 422}), Some(Class::Rejected));
        check_error_object(&json!({"error": "slow down", "status": 429}), Some(Class::Throttled));
        check_error_object(&json!({"error": "Internal Server Error"}), Some(Class::Unavailable));
        check_error_object(&json!({"error": "no document in the image"}), Some(Class::Rejected));
        check_error_object(&json!({"idType": "passport", "name": "A"}), None);
    }

    #[test]
    fn an_error_about_the_token_is_no_refusal_of_the_document_where_no_code_says_so() {
        for message in [
            "Invalid token",
            "jwt expired",
            "jwt malformed",
            "invalid signature",
            "Invalid API Key",
            "apikey is required",
            "Unauthorized",
            "Forbidden",
            "Access denied",
            "Account deactivated",
            "You are not authorised to use this API",
            "invalid permissions",
        ] {
            check_error_object(&json!({"message": message}), Some(Class::Unauthorised));
            check_error_object(&json!({"error": {"message": message}}), Some(Class::Unauthorised));
        }
        check_error_object(&json!({"error": "no", "code": "TOKEN_EXPIRED"}), Some(Class::Unauthorised));
        check_error_object(&json!({"error": {"message": "no", "code": "Unauthorized"}}), Some(Class::Unauthorised));
        for message in [
            "Unexpected token < in JSON at position 0",
            "permanent account number not found",
            "the document is expired",
            "signature not found",
            "invalid image signature",
            "document is not supported",
            "residence permission could not be read",
        ] {
            check_error_object(&json!({"message": message}), Some(Class::Rejected));
        }
        check_error_object(&json!({"message": "token service temporarily unavailable"}), Some(Class::Unavailable));
        check_error_object(&json!({"message": "Invalid token", "statusCode": 422}), Some(Class::Rejected));
    }

    #[test]
    fn the_body_key_is_found_in_any_spelling() {
        assert!(names_a_body_key(400, br#"{"message":"frontpart is required"}"#));
        assert!(names_a_body_key(422, br#"{"message":"\"backPart\" is not allowed"}"#));
        assert!(!names_a_body_key(400, br#"{"message":"invalid image"}"#));
        assert!(!names_a_body_key(500, br#"{"message":"frontpart is required"}"#));
    }

    #[test]
    fn retry_after_has_two_forms() {
        let now = datetime!(1994-11-06 08:49:00 UTC);
        assert_eq!(parse_retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(37)));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:48:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(parse_retry_after("soon", now), None);
        assert_eq!(parse_retry_after("-5", now), None);
    }
}
