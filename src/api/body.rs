//! The request's JSON -> the bytes of its images. Pure.
//!
//! A part is decoded where the parser meets it: its base64 text is borrowed from the body and never copied, unless the
//! client escaped something in it (PHP writes `\/` for every slash).

use std::fmt;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig, Simd};
use bytes::Bytes;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::{ApiError, Code};

/// Base64 as clients write it, with or without padding, read with the vector instructions that this processor has.
static BASE64: LazyLock<Simd> =
    LazyLock::new(|| Simd::standard(GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent)));

/// The images of one request.
#[derive(PartialEq)]
pub(super) struct Parts {
    /// The front.
    pub(super) front: Bytes,
    /// The back, where there is one.
    pub(super) back: Option<Bytes>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("n_front", &self.front.len()).field("n_back", &self.back.as_ref().map(Bytes::len)).finish()
    }
}

/// Parses the body; the keys are accepted in any case, since the hosted API's documentation spells them in two.
///
/// # Errors
/// The first thing about it that does not fit.
pub(super) fn parse(body: &[u8], max_image_bytes: usize) -> Result<Parts, ApiError> {
    let mut found = Found { max_image_bytes, front: None, back: None, error: None };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let outcome = deserializer.deserialize_map(BodyVisitor(&mut found)).and_then(|()| deserializer.end());
    if let Some(error) = found.error {
        return Err(error);
    }
    outcome.map_err(|error| {
        // The parser's own sentence may quote the body, its place does not.
        let place = format!("line {}, column {}", error.line(), error.column());
        let what = if error.is_data() { "the body is no JSON object" } else { "the body is no valid JSON" };
        ApiError::new(Code::BodyInvalid, format!("{what} ({place})"))
    })?;
    let front = found.front.ok_or_else(|| match found.back {
        Some(_) => ApiError::new(Code::ImageMissing, "frontPart is missing: a document with one side is sent as frontPart"),
        None => Code::ImageMissing.into(),
    })?;
    Ok(Parts { front: front.into(), back: found.back.map(Bytes::from) })
}

struct Found {
    max_image_bytes: usize,
    front: Option<Vec<u8>>,
    back: Option<Vec<u8>>,
    /// Why parsing was given up; the parser's error type cannot carry it.
    error: Option<ApiError>,
}

/// What a key of the body names.
#[derive(Clone, Copy)]
enum Key {
    Front,
    Back,
    Other,
}

impl Key {
    fn name(self) -> &'static str {
        match self {
            Self::Front => "frontPart",
            Self::Back => "backPart",
            Self::Other => "a key",
        }
    }
}

struct BodyVisitor<'f>(&'f mut Found);

impl<'de> Visitor<'de> for BodyVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let found = self.0;
        while let Some(key) = map.next_key_seed(KeySeed)? {
            if let Key::Other = key {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let part = map.next_value_seed(PartSeed { key, max_image_bytes: found.max_image_bytes, error: &mut found.error })?;
            let slot = match key {
                Key::Front => &mut found.front,
                Key::Back | Key::Other => &mut found.back,
            };
            match (&slot, part) {
                (_, None) => {}
                (None, part) => *slot = part,
                (Some(former), Some(part)) if *former == part => {}
                (Some(_), Some(_)) => {
                    let message = format!("{} is given twice with different content", key.name());
                    found.error = Some(ApiError::new(Code::ImageAmbiguous, message));
                    return Err(A::Error::custom("given up"));
                }
            }
        }
        Ok(())
    }
}

struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
        Ok(if key.eq_ignore_ascii_case("frontPart") {
            Key::Front
        } else if key.eq_ignore_ascii_case("backPart") {
            Key::Back
        } else {
            Key::Other
        })
    }
}

/// Decodes the value of a part; `None` where it is null or empty.
struct PartSeed<'e> {
    key: Key,
    max_image_bytes: usize,
    error: &'e mut Option<ApiError>,
}

impl PartSeed<'_> {
    fn give_up<E: Error>(self, code: Code, message: &str) -> Result<Option<Vec<u8>>, E> {
        *self.error = Some(ApiError::new(code, format!("{} {message}", self.key.name())));
        Err(E::custom("given up"))
    }

    fn wrong_type<E: Error>(self) -> Result<Option<Vec<u8>>, E> {
        self.give_up(Code::ImageNotBase64, "is no string")
    }
}

impl<'de> DeserializeSeed<'de> for PartSeed<'_> {
    type Value = Option<Vec<u8>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PartSeed<'_> {
    type Value = Option<Vec<u8>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let Some(base64) = payload(text) else {
            return self.give_up(Code::ImageNotBase64, "is a data URI that is not of the form data:image/jpeg;base64,…");
        };
        if base64.is_empty() {
            return Ok(None);
        }
        // The text is a third longer than the bytes; decided before memory is spent on them.
        if base64.len() / 4 * 3 > self.max_image_bytes.saturating_add(3) {
            let message = format!("is larger than {} bytes", self.max_image_bytes);
            return self.give_up(Code::ImageTooLarge, &message);
        }
        match BASE64.decode(base64).or_else(|error| {
            // Some encoders break lines. Looked for only now, since next to nobody does.
            let joined: Vec<u8> = base64.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
            if joined.len() == base64.len() { Err(error) } else { BASE64.decode(joined) }
        }) {
            Ok(bytes) if bytes.len() > self.max_image_bytes => {
                let message = format!("is larger than {} bytes", self.max_image_bytes);
                self.give_up(Code::ImageTooLarge, &message)
            }
            Ok(bytes) if bytes.is_empty() => Ok(None),
            Ok(bytes) => Ok(Some(bytes)),
            Err(_) => self.give_up(Code::ImageNotBase64, "is no base64, or is cut short"),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        self.wrong_type()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        self.wrong_type()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        self.wrong_type()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        self.wrong_type()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        self.wrong_type()
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Self::Value, A::Error> {
        self.wrong_type()
    }
}

/// The base64 text of a data URI or of bare base64. The declared media type is not looked at: the bytes decide.
fn payload(text: &str) -> Option<&str> {
    let text = text.trim();
    if !text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")) {
        return Some(text);
    }
    let (header, payload) = text.split_once(',')?;
    let is_base64 = header.rsplit(';').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("base64"));
    is_base64.then(|| payload.trim())
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    use super::*;

    const MAX: usize = 100;

    #[track_caller]
    fn check(body: &str, expected: Result<(&[u8], Option<&[u8]>), Code>) {
        let outcome = parse(body.as_bytes(), MAX).map_err(|error| error.code);
        let outcome = outcome.as_ref().map(|parts| (&parts.front[..], parts.back.as_deref())).map_err(|code| *code);
        assert_eq!(outcome, expected, "{body}");
    }

    #[test]
    fn both_spellings_and_both_forms_are_accepted() {
        let expected = Ok((&b"front"[..], Some(&b"back!"[..])));
        check(r#"{"frontPart":"data:image/jpeg;base64,ZnJvbnQ=","backPart":"data:image/jpeg;base64,YmFjayE="}"#, expected);
        check(r#"{"frontpart":"ZnJvbnQ=","backpart":"YmFjayE"}"#, expected);
        check(r#"{"FRONTPART":"DATA:image/png;charset=x;BASE64,ZnJvbnQ","BackPart":" YmFjayE= ","more":[{"a":1}]}"#, expected);
        check(r#"{"frontPart":"ZnJv\nbnQ=","backPart":"YmFj\r\nayE="}"#, expected);
    }

    #[test]
    fn escaped_slashes_are_read_like_plain_ones() {
        check(r#"{"frontPart":"data:image\/jpeg;base64,\/\/\/\/"}"#, Ok((&[255, 255, 255], None)));
    }

    #[test]
    fn the_back_may_be_absent_and_may_be_the_front_again() {
        check(r#"{"frontPart":"ZnJvbnQ=","backPart":"ZnJvbnQ="}"#, Ok((b"front", Some(b"front"))));
        for back in ["", r#","backPart":null"#, r#","backPart":"""#, r#","backPart":"data:,base64""#] {
            let body = format!(r#"{{"frontPart":"ZnJvbnQ="{back}}}"#);
            let expected = if back.contains("data:,") { Err(Code::ImageNotBase64) } else { Ok((&b"front"[..], None)) };
            check(&body, expected);
        }
    }

    #[test]
    fn a_part_given_twice_must_say_the_same() {
        check(r#"{"frontPart":"ZnJvbnQ=","frontpart":"ZnJvbnQ="}"#, Ok((b"front", None)));
        check(r#"{"frontPart":"ZnJvbnQ=","frontpart":"YmFjayE="}"#, Err(Code::ImageAmbiguous));
        check(r#"{"frontPart":"ZnJvbnQ=","frontPart":null}"#, Ok((b"front", None)));
    }

    #[test]
    fn what_is_missing_or_wrong_has_a_code_of_its_own() {
        check("{}", Err(Code::ImageMissing));
        check(r#"{"backPart":"YmFjayE="}"#, Err(Code::ImageMissing));
        check(r#"{"frontPart":""}"#, Err(Code::ImageMissing));
        check(r#"{"frontPart":"data:image/jpeg;base64,"}"#, Err(Code::ImageMissing));
        check(r#"{"frontPart":"===="}"#, Err(Code::ImageNotBase64));
        for value in ["1", "-1", "1.5", "true", "[]", "{}", r#"["ZnJvbnQ="]"#, r#""ZnJvb!""#, r#""data:image/jpeg,ZnJvbnQ=""#, r#""Z""#] {
            check(&format!(r#"{{"frontPart":{value}}}"#), Err(Code::ImageNotBase64));
        }
        for body in ["", "[]", "null", "1", r#""text""#, "{", r#"{"frontPart":"ZnJv"#, r#"{"frontPart":"ZnJv"} more"#, "\u{feff}{}"] {
            check(body, Err(Code::BodyInvalid));
        }
        assert_eq!(parse(b"{\"frontPart\":\"\xFF\"}", MAX).unwrap_err().code, Code::BodyInvalid);
        assert_eq!(parse("[".repeat(100_000).as_bytes(), MAX).unwrap_err().code, Code::BodyInvalid);
        let deep = format!(r#"{{"x":{}{},"frontPart":"ZnJvbnQ="}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(parse(deep.as_bytes(), MAX).is_ok(), "ignored values are not recursed into");
    }

    #[test]
    fn images_over_the_limit_are_refused_before_they_are_decoded() {
        check(&format!(r#"{{"frontPart":"{}"}}"#, BASE64_STANDARD.encode([7; MAX])), Ok((&[7; MAX], None)));
        check(&format!(r#"{{"frontPart":"{}"}}"#, BASE64_STANDARD.encode([7; MAX + 1])), Err(Code::ImageTooLarge));
        check(&format!(r#"{{"frontPart":"{}"}}"#, "!".repeat(1000)), Err(Code::ImageTooLarge));
    }

    #[test]
    fn errors_do_not_quote_the_body() {
        for body in [r#"{"frontPart":"SECRET!"}"#, r#"{"frontPart": SECRET}"#, r#"["SECRET"]"#, r#""SECRET""#] {
            assert!(!parse(body.as_bytes(), MAX).unwrap_err().message.contains("SECRET"), "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&body, MAX);
        }

        #[test]
        fn any_image_comes_through(front in prop::collection::vec(any::<u8>(), 1..MAX)) {
            let body = format!(r#"{{"frontPart":"{}"}}"#, BASE64_STANDARD.encode(&front));
            prop_assert_eq!(&parse(body.as_bytes(), MAX).unwrap().front[..], &front[..]);
        }
    }
}
