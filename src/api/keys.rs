//! Who may call: the API keys with their secrets, and the token of a request.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail, ensure};
use axum::http::{HeaderMap, header};
use secrecy::SecretString;

use super::error::{ApiError, Code};
use crate::config;
use crate::reader::token::{self, TokenError};

/// How often the file's time is looked at, at most.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Most bytes of a token: the contract's claims take some 300.
const MAX_TOKEN_BYTES: usize = 4096;

/// The secrets by key id.
type Keys = HashMap<String, SecretString>;

/// The file of API keys, read again when it changes.
pub(super) struct KeyFile {
    path: PathBuf,
    state: Mutex<State>,
    /// Verified against when the key is unknown, so that an unknown key takes as long as a wrong signature.
    nobody: SecretString,
}

struct State {
    keys: Arc<Keys>,
    modified: Option<SystemTime>,
    looked_at: Instant,
}

/// How callers prove who they are.
pub(super) enum Access {
    /// They need not; only on a loopback address.
    Open,
    /// With a token signed by one of these keys.
    Keys(KeyFile),
}

impl Access {
    /// What the settings say about callers.
    ///
    /// # Errors
    /// They name no way to know them, or a file of keys that cannot be used.
    pub(super) fn open(api: &config::Api) -> anyhow::Result<Self> {
        match &api.keys_file {
            _ if api.open => Ok(Self::Open),
            Some(path) => Ok(Self::Keys(KeyFile::open(path.clone()).context("failed to read the API keys")?)),
            None => {
                bail!("set api.keys_file to the file of API keys (KEY_ID SECRET, a line each), or api.open = true on a loopback address")
            }
        }
    }

    /// How many keys there are; `None` where none are wanted.
    pub(super) fn n_keys(&self) -> Option<usize> {
        match self {
            Self::Open => None,
            Self::Keys(file) => Some(file.current().len()),
        }
    }

    /// Checks the request's `Authorization` header, at `now` in seconds since the epoch.
    pub(super) fn check(&self, headers: &HeaderMap, now: u64) -> Result<(), ApiError> {
        match self {
            Self::Open => Ok(()),
            Self::Keys(file) => check_token(&file.current(), &file.nobody, headers, now),
        }
    }
}

impl KeyFile {
    /// Reads the file once, so that a wrong one stops the start.
    ///
    /// # Errors
    /// The file cannot be read, has a line that is no `KEY_ID SECRET`, or has no key at all.
    pub(super) fn open(path: PathBuf) -> anyhow::Result<Self> {
        let modified = modified(&path);
        let keys = Arc::new(read(&path)?);
        let nobody = SecretString::from(uuid::Uuid::new_v4().to_string());
        Ok(Self { path, state: Mutex::new(State { keys, modified, looked_at: Instant::now() }), nobody })
    }

    fn current(&self) -> Arc<Keys> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked_at.elapsed() >= LOOK_INTERVAL {
            state.looked_at = Instant::now();
            let modified = modified(&self.path);
            if modified != state.modified {
                match read(&self.path) {
                    Ok(keys) => {
                        state.keys = Arc::new(keys);
                        state.modified = modified;
                        tracing::info!("api.keys_file has changed and was read again");
                    }
                    // The file may be half written; the keys known so far stay until it can be read.
                    Err(error) => tracing::error!("api.keys_file has changed and cannot be used, the former keys stay: {error:#}"),
                }
            }
        }
        Arc::clone(&state.keys)
    }
}

fn modified(path: &std::path::Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|meta| meta.modified()).ok()
}

fn read(path: &std::path::Path) -> anyhow::Result<Keys> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("failed to read the file that api.keys_file names: {}", path.display()))?;
    parse(&text)
}

fn parse(text: &str) -> anyhow::Result<Keys> {
    let mut keys = Keys::new();
    for (line_idx, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace();
        // The line itself is never quoted: it holds a secret.
        let (Some(key_id), Some(secret), None) = (words.next(), words.next(), words.next()) else {
            bail!("line {} of api.keys_file is not KEY_ID SECRET", line_idx + 1);
        };
        ensure!(
            keys.insert(key_id.to_owned(), SecretString::from(secret)).is_none(),
            "line {} of api.keys_file names a key id for the second time",
            line_idx + 1
        );
    }
    ensure!(!keys.is_empty(), "api.keys_file holds no key");
    Ok(keys)
}

fn check_token(keys: &Keys, nobody: &SecretString, headers: &HeaderMap, now: u64) -> Result<(), ApiError> {
    let Some(token) = headers.get(header::AUTHORIZATION) else {
        return Err(Code::TokenMissing.into());
    };
    let invalid = |message: &str| ApiError::new(Code::TokenInvalid, message);
    let token = token.to_str().map_err(|_| invalid("the token holds characters that no JWT has"))?.trim();
    if token.is_empty() {
        return Err(Code::TokenMissing.into());
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Err(invalid("the token is longer than 4096 bytes"));
    }
    if token.contains(' ') {
        return Err(invalid("the token is sent as it is, without Bearer or another word before it"));
    }
    let secret = token::inspect(token).ok().and_then(|claims| keys.get(&claims.apikey));
    let verified = token::verify(token, secret.unwrap_or(nobody), now);
    let outcome = if secret.is_some() { verified } else { verified.and(Err(TokenError::WrongSignature)) };
    outcome.map(drop).map_err(|error| match error {
        TokenError::Expired => ApiError::from(Code::TokenExpired),
        TokenError::NotYetValid
        | TokenError::Malformed
        | TokenError::WrongAlgorithm
        | TokenError::WrongSignature
        | TokenError::Claims(_) => invalid(&error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use secrecy::ExposeSecret;

    use super::*;
    use crate::reader::token::Claims;

    const NOW: u64 = 1_800_000_000;

    #[test]
    fn the_file_has_a_key_a_line() {
        let keys = parse("# ours\nkey-1 secret-1\n\n  key-2\tsecret-2  \n").unwrap();
        assert_eq!(keys["key-2"].expose_secret(), "secret-2");
        assert_eq!(keys.len(), 2);
        for text in ["", "# nothing", "key", "key secret more", "key a\nkey b"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(!format!("{:#}", parse("key hidden more").unwrap_err()).contains("hidden"));
    }

    #[track_caller]
    fn check(header: Option<&str>, expected: Result<(), Code>) {
        let keys = parse("key-1 secret-1\nkey-2 secret-2").unwrap();
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_bytes(header.as_bytes()).unwrap());
        }
        let outcome = check_token(&keys, &"nobody".into(), &headers, NOW).map_err(|error| error.code);
        assert_eq!(outcome, expected);
    }

    fn token(key: &str, secret: &str, now: u64) -> String {
        token::mint(&Claims::for_api(key, now, 600), &secret.into()).unwrap().expose_secret().to_owned()
    }

    #[test]
    fn tokens_are_checked_against_the_key_they_name() {
        check(Some(&token("key-1", "secret-1", NOW)), Ok(()));
        check(Some(&token("key-2", "secret-2", NOW)), Ok(()));
        check(Some(&token("key-1", "secret-2", NOW)), Err(Code::TokenInvalid));
        check(Some(&token("key-3", "secret-1", NOW)), Err(Code::TokenInvalid));
        check(Some(&token("key-3", "nobody", NOW)), Err(Code::TokenInvalid));
        check(Some(&token("key-1", "secret-1", NOW - 700)), Err(Code::TokenExpired));
        check(Some(&format!("Bearer {}", token("key-1", "secret-1", NOW))), Err(Code::TokenInvalid));
        check(Some("\u{e9}"), Err(Code::TokenInvalid));
        check(Some(&"x".repeat(5000)), Err(Code::TokenInvalid));
        check(Some(""), Err(Code::TokenMissing));
        check(None, Err(Code::TokenMissing));
    }

    #[test]
    fn the_file_is_read_again_when_it_changes_and_kept_when_it_cannot_be() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        std::fs::write(&path, "key-1 secret-1").unwrap();
        let file = KeyFile::open(path.clone()).unwrap();
        let rewrite = |text: &str, seconds: u64| {
            std::fs::write(&path, text).unwrap();
            let time = SystemTime::now() + Duration::from_secs(seconds);
            std::fs::File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
            let mut state = file.state.lock().unwrap();
            state.looked_at = Instant::now().checked_sub(LOOK_INTERVAL).unwrap();
        };
        rewrite("key-2 secret-2", 10);
        assert!(file.current().contains_key("key-2"));
        rewrite("half", 20);
        assert!(file.current().contains_key("key-2"));
        rewrite("key-3 secret-3", 30);
        assert!(file.current().contains_key("key-3"));
    }
}
