//! The token that calls are made with: minted from key and secret, or read ready from a file.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use anyhow::{Context, bail, ensure};
use secrecy::{ExposeSecret, SecretString};

use crate::config;
use crate::reader::token::{self, Claims};

/// Life of a minted token, in seconds: what the hosted API's samples use, short enough that a leaked one is soon worth nothing.
const LIFETIME_SECONDS: u64 = 600;

/// Share of its life after which a token is replaced, so that none expires on its way: 80 %.
const RENEW_AFTER_SECONDS: u64 = LIFETIME_SECONDS / 5 * 4;

const SECRET_FILE: &str = "reader.remote.secret_file";
const TOKEN_FILE: &str = "reader.remote.token_file";

/// Where tokens come from, with the one in use.
pub(super) enum Credentials {
    /// Minted here.
    Minted { api_key: String, secret_file: PathBuf, cached: Mutex<Option<Minted>> },
    /// Made by somebody else and written to a file.
    File { path: PathBuf, cached: Mutex<Option<Loaded>> },
}

pub(super) struct Minted {
    token: SecretString,
    minted_at: u64,
}

pub(super) struct Loaded {
    token: SecretString,
    modified: Option<SystemTime>,
}

impl Credentials {
    /// Credentials as the settings describe them; reads the file once, so that a wrong path stops the start.
    pub(super) fn new(settings: &config::Remote) -> anyhow::Result<Self> {
        if let Some(path) = &settings.token_file {
            let loaded = load(path)?;
            return Ok(Self::File { path: path.clone(), cached: Mutex::new(Some(loaded)) });
        }
        let Some(secret_file) = &settings.secret_file else {
            bail!("the remote reader needs reader.remote.token_file, or reader.remote.api_key and reader.remote.secret_file");
        };
        ensure!(!settings.api_key.is_empty(), "reader.remote.api_key must not be empty when reader.remote.secret_file is set");
        config::read_secret(SECRET_FILE, secret_file)?;
        Ok(Self::Minted { api_key: settings.api_key.clone(), secret_file: secret_file.clone(), cached: Mutex::new(None) })
    }

    /// The setting that names the file.
    pub(super) fn setting(&self) -> &'static str {
        match self {
            Self::Minted { .. } => SECRET_FILE,
            Self::File { .. } => TOKEN_FILE,
        }
    }

    /// The token to use at `now`, in seconds since the epoch.
    pub(super) fn token(&self, now: u64) -> anyhow::Result<SecretString> {
        match self {
            Self::Minted { api_key, secret_file, cached } => {
                let mut cached = lock(cached);
                if let Some(minted) = &*cached
                    && now.abs_diff(minted.minted_at) < RENEW_AFTER_SECONDS
                {
                    return Ok(minted.token.clone());
                }
                // The secret is read again each time, so that a rotated one is picked up without a restart.
                let secret = config::read_secret(SECRET_FILE, secret_file)?;
                let claims = Claims::for_api(api_key.as_str(), now, LIFETIME_SECONDS);
                let token = token::mint(&claims, &secret).context("failed to sign a token")?;
                *cached = Some(Minted { token: token.clone(), minted_at: now });
                Ok(token)
            }
            Self::File { path, cached } => {
                let mut cached = lock(cached);
                let modified = std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
                if let Some(loaded) = &*cached
                    && loaded.modified == modified
                {
                    return Ok(loaded.token.clone());
                }
                let loaded = load(path)?;
                let token = loaded.token.clone();
                *cached = Some(loaded);
                Ok(token)
            }
        }
    }

    /// Forgets a token that was refused, unless another task has replaced it already.
    pub(super) fn forget(&self, refused: &SecretString) {
        let is_refused = |token: &SecretString| token.expose_secret() == refused.expose_secret();
        match self {
            Self::Minted { cached, .. } => drop(lock(cached).take_if(|minted| is_refused(&minted.token))),
            Self::File { cached, .. } => drop(lock(cached).take_if(|loaded| is_refused(&loaded.token))),
        }
    }
}

fn load(path: &Path) -> anyhow::Result<Loaded> {
    // The time is taken first: a file that changes in between is then read once more, not once too few.
    let modified = std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
    Ok(Loaded { token: config::read_secret(TOKEN_FILE, path)?, modified })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret_settings(dir: &Path) -> config::Remote {
        let secret_file = dir.join("secret");
        std::fs::write(&secret_file, "the secret\n").unwrap();
        config::Remote { api_key: "key".into(), secret_file: Some(secret_file), ..config::Remote::default() }
    }

    #[test]
    fn a_token_is_kept_for_four_fifths_of_its_life() {
        let dir = tempfile::tempdir().unwrap();
        let credentials = Credentials::new(&secret_settings(dir.path())).unwrap();
        let token = |now| credentials.token(now).unwrap().expose_secret().to_owned();
        let first = token(1_000);
        assert_eq!(token(1_479), first);
        let second = token(1_480);
        assert_ne!(second, first);
        assert!(token::verify(&second, &"the secret".into(), 1_480).is_ok());
    }

    #[test]
    fn a_refused_token_is_replaced_once() {
        let dir = tempfile::tempdir().unwrap();
        let credentials = Credentials::new(&secret_settings(dir.path())).unwrap();
        let first = credentials.token(1_000).unwrap();
        credentials.forget(&first);
        let second = credentials.token(1_001).unwrap();
        assert_ne!(second.expose_secret(), first.expose_secret());
        credentials.forget(&first);
        assert_eq!(credentials.token(1_002).unwrap().expose_secret(), second.expose_secret());
    }

    #[test]
    fn a_ready_token_is_read_again_when_its_file_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "first\n").unwrap();
        let settings = config::Remote { token_file: Some(path.clone()), ..config::Remote::default() };
        let credentials = Credentials::new(&settings).unwrap();
        assert_eq!(credentials.token(0).unwrap().expose_secret(), "first");
        std::fs::write(&path, "second\n").unwrap();
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        std::fs::File::options().append(true).open(&path).unwrap().set_modified(later).unwrap();
        assert_eq!(credentials.token(0).unwrap().expose_secret(), "second");
    }

    #[test]
    fn missing_credentials_stop_the_start() {
        assert!(Credentials::new(&config::Remote::default()).is_err());
        let missing = config::Remote { token_file: Some("/nowhere/token".into()), ..config::Remote::default() };
        assert!(Credentials::new(&missing).is_err());
        let dir = tempfile::tempdir().unwrap();
        let no_key = config::Remote { api_key: String::new(), ..secret_settings(dir.path()) };
        assert!(Credentials::new(&no_key).is_err());
    }
}
