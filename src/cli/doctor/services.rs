//! The object store, the hosted API and both clocks; and who may call our own.

use time::OffsetDateTime;

use super::finding::Finding;
use crate::api;
use crate::config::{self, Settings};
use crate::document::FieldName;
use crate::failure::{Class, Failure};
use crate::reader::remote::{RemoteReader, TokenVerdict};
use crate::storage::Storage;

/// Difference between two clocks that is worth a look, in seconds.
const SKEW_TO_LOOK_AT: i64 = 30;

/// Difference from which on S3 refuses every request, in seconds.
const SKEW_REFUSED: i64 = 15 * 60;

/// Whether every bucket that a job may name can be read, and whether the store's clock agrees with ours.
pub(super) async fn check_storage(settings: &Settings) -> Vec<Finding> {
    let storage = match Storage::new(settings.storage.clone()).await {
        Ok(storage) => storage,
        Err(error) => return vec![Finding::failure("storage", format!("{error:#}"), "check storage.credentials_file")],
    };
    let mut findings = Vec::new();
    let mut clock = None;
    for bucket in [&settings.storage.bucket].into_iter().chain(&settings.storage.allowed_buckets) {
        let (outcome, server_time) = storage.probe(bucket).await;
        clock = clock.or(server_time.map(|server_time| (server_time, OffsetDateTime::now_utc())));
        findings.push(match outcome {
            Ok(()) => Finding::ok("storage", format!("bucket {bucket} can be read")),
            Err(failure) => storage_finding(bucket, &failure),
        });
        if findings.last().is_some_and(|finding| finding.message.contains("cannot be reached")) {
            break;
        }
    }
    findings.extend(clock.map(|(server_time, now)| skew("storage.clock", "the object store", server_time, now)));
    findings
}

fn storage_finding(bucket: &str, failure: &Failure) -> Finding {
    let message = format!("bucket {bucket}: {}", failure.reason);
    let refused = "check credentials, storage.bucket and storage.region, and grant s3:GetObject and s3:ListBucket on the bucket";
    let unreachable = "check storage.endpoint, and that nothing on the way keeps connections out";
    let advice = advice(failure.class, refused, refused, unreachable);
    if failure.class == Class::Throttled {
        Finding::warning("storage", message, advice)
    } else {
        Finding::failure("storage", message, advice)
    }
}

/// What to do about a service that fails a doctor's question.
fn advice(class: Class, unauthorised: &'static str, denied: &'static str, unreachable: &'static str) -> &'static str {
    match class {
        Class::Unauthorised => unauthorised,
        Class::Denied => denied,
        Class::Throttled => "try again in a minute",
        Class::BadJob
        | Class::Expired
        | Class::BadImage
        | Class::ImageMissing
        | Class::Rejected
        | Class::NoData
        | Class::Unavailable
        | Class::Internal
        | Class::DeliveryLimit => unreachable,
    }
}

/// Whether anybody may call the API.
pub(super) fn check_callers(settings: &config::Api) -> Finding {
    const CHECK: &str = "api.keys";
    match api::n_keys(settings) {
        Ok(Some(n_keys)) => Finding::ok(CHECK, format!("{n_keys} in the file that api.keys_file names")),
        Ok(None) => Finding::ok(CHECK, format!("none are wanted, as api.open is set; only this machine reaches {}", settings.listen)),
        Err(error) => {
            let advice = match &settings.keys_file {
                Some(_) => "mend the file, a line KEY_ID SECRET for each caller",
                None => "write such a file and name it in api.keys_file (IDMILL__API__KEYS_FILE)",
            };
            Finding::failure(CHECK, format!("{error:#}"), advice)
        }
    }
}

/// Whether the fields that send a document on to the hosted API are fields: the worker does not start otherwise.
pub(super) fn check_required_fields(required: &[String]) -> Finding {
    const CHECK: &str = "reader.required";
    let unknown: Vec<_> = required.iter().filter(|name| FieldName::named(name).is_none()).map(String::as_str).collect();
    if !unknown.is_empty() {
        let message = format!("reader.required_fields names what is no field: {}", unknown.join(", "));
        return Finding::failure(CHECK, message, "name fields as events spell them, idNumber for example");
    }
    match required {
        [] => Finding::ok(CHECK, "the OCR API is asked where the engine finds no field at all"),
        _ => Finding::ok(CHECK, format!("the OCR API is asked where one of these is missing: {}", required.join(", "))),
    }
}

/// Whether the hosted API answers and accepts our token, and whether its clock agrees with ours.
pub(super) async fn check_ocr(settings: &Settings) -> Vec<Finding> {
    let reader = match RemoteReader::new(&settings.reader.remote, settings.storage.max_object_bytes) {
        Ok(reader) => reader,
        Err(error) => return vec![Finding::failure("ocr", format!("{error:#}"), "mend the setting that the message names")],
    };
    let probe = match reader.probe().await {
        Ok(probe) => probe,
        Err(failure) => return vec![Finding::failure("ocr", failure.reason, ocr_advice(failure.class))],
    };
    let token = match probe.token {
        TokenVerdict::Accepted => Finding::ok("ocr", "the OCR API accepts our token and refuses a wrong one; no image was sent"),
        TokenVerdict::Unknown(status) => Finding::warning(
            "ocr",
            format!("the OCR API answers, but a call without an image gets {status} with and without a valid token"),
            "whether the token is accepted shows at the first document only: submit one",
        ),
    };
    let clock = probe.server_time.map(|server_time| skew("ocr.clock", "the OCR API", server_time, OffsetDateTime::now_utc()));
    [token].into_iter().chain(clock).collect()
}

/// What to do about a hosted API that fails a call without an image.
fn ocr_advice(class: Class) -> &'static str {
    advice(
        class,
        "check reader.remote.url, api_key and secret_file or token_file; idmill token inspect looks at a token",
        "check the account's plan, whether the API or a firewall before it takes calls from this address, and reader.remote.api_key and \
         secret_file or token_file; idmill token inspect looks at a token",
        "check reader.remote.url, proxy and ca_file, and that nothing on the way keeps connections out",
    )
}

fn skew(check: &'static str, whose: &str, server_time: OffsetDateTime, now: OffsetDateTime) -> Finding {
    let seconds = (now - server_time).whole_seconds();
    let message = match seconds {
        0 => format!("the clock agrees with {whose}'s"),
        1.. => format!("the clock is {seconds} s ahead of {whose}'s"),
        _ => format!("the clock is {} s behind {whose}'s", -seconds),
    };
    match seconds.abs() {
        SKEW_REFUSED.. => Finding::failure(check, message, "set the clock, with NTP for example: requests signed with it are refused"),
        SKEW_TO_LOOK_AT.. => Finding::warning(check, message, "set the clock, with NTP for example: deadlines and tokens depend on it"),
        _ => Finding::ok(check, message),
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::super::finding::Status;
    use super::*;

    #[test]
    fn misspelt_required_fields_are_named() {
        let found = |names: &[&str]| check_required_fields(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!((found(&[]).status, found(&["idNumber", "dateOfBirth"]).status), (Status::Ok, Status::Ok));
        let finding = found(&["idNumber", "idnumber", "shoeSize"]);
        assert_eq!(finding.status, Status::Failure);
        assert!(finding.message.ends_with("no field: idnumber, shoeSize"), "{}", finding.message);
    }

    #[test]
    fn what_to_do_about_keys_depends_on_whether_a_file_is_named() {
        let advice = |api: config::Api| check_callers(&api).advice.unwrap_or_default();
        assert!(advice(config::Api::default()).contains("name it in api.keys_file"));
        let missing = config::Api { keys_file: Some("/nowhere/keys".into()), ..config::Api::default() };
        assert!(advice(missing).starts_with("mend the file"));
    }

    #[test]
    fn clocks_are_compared_in_both_directions() {
        let now = datetime!(2030-01-02 03:04:05 UTC);
        let found = |seconds| skew("clock", "the store", now + Duration::seconds(seconds), now);
        assert_eq!((found(0).status, found(29).status, found(-29).status), (Status::Ok, Status::Ok, Status::Ok));
        assert_eq!((found(30).status, found(-30).status), (Status::Warning, Status::Warning));
        assert_eq!((found(900).status, found(-900).status), (Status::Failure, Status::Failure));
        assert_eq!(found(40).message, "the clock is 40 s behind the store's");
    }
}
