//! The tokens of the hosted API's contract: JWTs signed with HS256 over the API secret.
//!
//! Both sides use this file: the remote reader mints, the server verifies, `idmill token` does either. Nothing here
//! reads the clock; times are seconds since the Unix epoch and come in as arguments.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// How far the clocks of the two sides may differ, in seconds.
pub const CLOCK_SKEW_SECONDS: u64 = 60;

/// The claims that the hosted API's documentation names.
///
/// `Debug` shows no key id.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// API key: names the secret that signs.
    pub apikey: String,
    /// What the bearer may do in meetings: from `allow_join`, `ask_join`, `allow_mod`; mandatory even for OCR.
    pub permissions: Vec<String>,
    /// Version of the token's layout; 2 as soon as there are roles. One published sample writes it as a string.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "number_or_text")]
    pub version: Option<u64>,
    /// `crawler` may call the API; `rtc` may only join meetings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// When the token was issued.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "whole_seconds")]
    pub iat: Option<u64>,
    /// When the token ends.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "whole_seconds")]
    pub exp: Option<u64>,
}

impl std::fmt::Debug for Claims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claims").field("version", &self.version).field("roles", &self.roles).finish_non_exhaustive()
    }
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token was issued in the future: check the clocks")]
    NotYetValid,
    /// It is no JWT of three parts.
    #[error("the token is no JWT")]
    Malformed,
    /// It is not signed with HS256; `none` belongs here.
    #[error("the token is not signed with HS256")]
    WrongAlgorithm,
    /// The signature does not hold, or nobody knows the key: the two are not told apart for the bearer.
    #[error("the token's API key or signature is wrong")]
    WrongSignature,
    /// A claim is missing or does not fit; the sentence says which.
    #[error("{0}")]
    Claims(&'static str),
}

impl Claims {
    /// Claims for calling the API and nothing else, valid for `lifetime_seconds` from `now`.
    pub fn for_api(apikey: impl Into<String>, now: u64, lifetime_seconds: u64) -> Self {
        Self {
            apikey: apikey.into(),
            permissions: vec!["allow_join".into()],
            version: Some(2),
            roles: vec!["crawler".into()],
            iat: Some(now),
            exp: Some(now.saturating_add(lifetime_seconds)),
        }
    }

    /// Checks what the contract asks of the claims of a caller.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn check(&self, now: u64) -> Result<(), TokenError> {
        let exp = self.exp.ok_or(TokenError::Claims("the token has no exp claim"))?;
        if exp.saturating_add(CLOCK_SKEW_SECONDS) < now {
            return Err(TokenError::Expired);
        }
        if self.iat.is_some_and(|iat| iat > now.saturating_add(CLOCK_SKEW_SECONDS)) {
            return Err(TokenError::NotYetValid);
        }
        let allows = |name: &str| self.permissions.iter().any(|permission| permission == name);
        if !(allows("allow_join") || allows("ask_join") || allows("allow_mod")) {
            return Err(TokenError::Claims("the token's permissions name none of allow_join, ask_join and allow_mod"));
        }
        if allows("ask_join") && (allows("allow_join") || allows("allow_mod")) {
            return Err(TokenError::Claims("the token's permissions combine ask_join with another"));
        }
        if self.version.is_some_and(|version| version != 2) {
            return Err(TokenError::Claims("the token's version is not 2"));
        }
        if self.roles.iter().any(|role| role == "rtc") {
            return Err(TokenError::Claims("the token's role rtc may only join meetings, it may not call the API"));
        }
        if !self.roles.is_empty() && self.version.is_none() {
            return Err(TokenError::Claims("a token with roles needs version 2"));
        }
        Ok(())
    }
}

/// Signs `claims` with the API secret.
///
/// # Errors
/// The signing library refuses, which it does not do for any secret seen so far.
pub fn mint(claims: &Claims, secret: &SecretString) -> Result<SecretString, jsonwebtoken::errors::Error> {
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret.expose_secret().as_bytes()))
        .map(SecretString::from)
}

/// Reads the claims without looking at the signature: to find the secret to verify with, and to show to people.
///
/// # Errors
/// The text is no JWT, its header names another algorithm, or its claims have the wrong types.
pub fn inspect(token: &str) -> Result<Claims, TokenError> {
    let [header, _, _] = token.split('.').collect::<Vec<_>>()[..] else { return Err(TokenError::Malformed) };
    let header = BASE64_URL_SAFE_NO_PAD.decode(header).map_err(|_| TokenError::Malformed)?;
    let header: Value = serde_json::from_slice(&header).map_err(|_| TokenError::Malformed)?;
    // The library's own header knows no `none`, and takes it for one that it cannot read.
    if header["alg"] != "HS256" {
        return Err(TokenError::WrongAlgorithm);
    }
    jsonwebtoken::dangerous::insecure_decode_claims::<Claims>(token).map_err(|error| claims_error(&error))
}

/// Verifies the signature (in constant time) and the claims.
///
/// # Errors
/// The first of algorithm, signature and claims that does not hold.
pub fn verify(token: &str, secret: &SecretString, now: u64) -> Result<Claims, TokenError> {
    let mut validation = Validation::new(Algorithm::HS256);
    // The times are checked in `Claims::check`, with the caller's clock.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.set_required_spec_claims::<&str>(&[]);
    let key = DecodingKey::from_secret(secret.expose_secret().as_bytes());
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(|error| claims_error(&error))?.claims;
    claims.check(now)?;
    Ok(claims)
}

fn claims_error(error: &jsonwebtoken::errors::Error) -> TokenError {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => TokenError::WrongSignature,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName | ErrorKind::MissingAlgorithm => TokenError::WrongAlgorithm,
        ErrorKind::Json(_) => TokenError::Claims("the token's header or claims are missing something or have the wrong types"),
        _ => TokenError::Malformed,
    }
}

fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Version {
        Number(u64),
        Text(String),
    }
    match Option::<Version>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Version::Number(number)) => Ok(Some(number)),
        Some(Version::Text(text)) => text.trim().parse().map(Some).map_err(|_| serde::de::Error::custom("version is no number")),
    }
}

// RFC 7519 allows fractions of seconds, and JavaScript's `Date.now() / 1000` makes them.
fn whole_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let seconds = Option::<f64>::deserialize(deserializer)?;
    match seconds {
        None => Ok(None),
        Some(seconds) if (0.0..1e15).contains(&seconds) => Ok(Some(seconds as u64)),
        Some(_) => Err(serde::de::Error::custom("a time is out of range")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn secret() -> SecretString {
        SecretString::from("a secret of the tests")
    }

    fn signed(header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(secret().expose_secret().as_bytes())).unwrap()
    }

    #[track_caller]
    fn check(claims: &Value, expected: Result<(), TokenError>) {
        let token = signed(&Header::new(Algorithm::HS256), claims);
        assert_eq!(verify(&token, &secret(), NOW).map(drop), expected);
    }

    #[test]
    fn a_minted_token_verifies_and_keeps_its_claims() {
        let claims = Claims::for_api("key", NOW, 600);
        let token = mint(&claims, &secret()).unwrap();
        assert_eq!(verify(token.expose_secret(), &secret(), NOW), Ok(claims.clone()));
        assert_eq!(inspect(token.expose_secret()), Ok(claims));
    }

    #[test]
    fn the_samples_of_the_documentation_are_accepted() {
        check(&json!({"apikey": "k", "permissions": ["allow_join"], "exp": NOW + 600}), Ok(()));
        check(&json!({"apikey": "k", "permissions": ["allow_join", "allow_mod"], "version": 2, "iat": NOW, "exp": NOW + 600}), Ok(()));
        check(&json!({"apikey": "k", "permissions": ["ask_join"], "version": "2", "exp": NOW + 600, "jti": "x"}), Ok(()));
        check(&json!({"apikey": "k", "permissions": ["allow_join"], "version": 2, "roles": ["crawler"], "exp": NOW as f64 + 0.5}), Ok(()));
    }

    #[test]
    fn clocks_may_differ_by_a_minute() {
        check(&json!({"apikey": "k", "permissions": ["allow_join"], "exp": NOW - 60}), Ok(()));
        check(&json!({"apikey": "k", "permissions": ["allow_join"], "exp": NOW - 61}), Err(TokenError::Expired));
        check(&json!({"apikey": "k", "permissions": ["allow_join"], "iat": NOW + 60, "exp": NOW + 600}), Ok(()));
        check(&json!({"apikey": "k", "permissions": ["allow_join"], "iat": NOW + 61, "exp": NOW + 600}), Err(TokenError::NotYetValid));
    }

    #[test]
    fn claims_that_the_contract_rules_out_are_refused() {
        for claims in [
            json!({"apikey": "k", "permissions": ["allow_join"]}),
            json!({"apikey": "k", "permissions": [], "exp": NOW + 1}),
            json!({"apikey": "k", "permissions": ["ask_join", "allow_mod"], "exp": NOW + 1}),
            json!({"apikey": "k", "permissions": ["allow_join"], "version": 1, "exp": NOW + 1}),
            json!({"apikey": "k", "permissions": ["allow_join"], "roles": ["crawler"], "exp": NOW + 1}),
            json!({"apikey": "k", "permissions": ["allow_join"], "version": 2, "roles": ["rtc"], "exp": NOW + 1}),
            json!({"permissions": ["allow_join"], "exp": NOW + 1}),
            json!({"apikey": "k", "permissions": ["allow_join"], "exp": "soon"}),
            json!({"apikey": "k", "permissions": ["allow_join"], "exp": -1}),
            json!({"apikey": "k", "permissions": ["allow_join"], "version": "two", "exp": NOW + 1}),
            json!([]),
        ] {
            let token = signed(&Header::new(Algorithm::HS256), &claims);
            assert!(matches!(verify(&token, &secret(), NOW), Err(TokenError::Claims(_))), "{claims}");
        }
    }

    #[test]
    fn unsigned_and_wrongly_signed_tokens_are_refused() {
        let claims = json!({"apikey": "k", "permissions": ["allow_join"], "exp": NOW + 600});
        let payload = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
        let unsigned = format!("{}.{payload}.", BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#));
        assert!(verify(&unsigned, &secret(), NOW).is_err());
        assert_eq!(inspect(&unsigned), Err(TokenError::WrongAlgorithm));
        assert_eq!(inspect(&signed(&Header::new(Algorithm::HS512), &claims)), Err(TokenError::WrongAlgorithm));
        assert_eq!(verify(&signed(&Header::new(Algorithm::HS512), &claims), &secret(), NOW), Err(TokenError::WrongAlgorithm));
        let other = SecretString::from("another");
        assert_eq!(verify(&signed(&Header::new(Algorithm::HS256), &claims), &other, NOW), Err(TokenError::WrongSignature));
        for text in ["", "..", "a.b.c", "not a token", "Bearer a.b.c"] {
            assert!(verify(text, &secret(), NOW).is_err(), "{text}");
            assert!(inspect(text).is_err(), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_key() {
        assert!(!format!("{:?}", Claims::for_api("visible-key", NOW, 1)).contains("visible-key"));
    }
}
