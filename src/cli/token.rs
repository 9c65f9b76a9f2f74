//! `idmill token`: makes or looks at a JWT for either side of the API.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::config::{Settings, read_secret};
use crate::reader::token::{self, Claims};

/// Make or look at a token of the API.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  idmill token mint --api-key KEY_ID --secret-file secret | idmill token inspect --secret-file secret")]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a new token.
    Mint(Mint),
    /// Print what a token says, and whether it would be accepted.
    Inspect(Inspect),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  idmill token mint --api-key KEY_ID --secret-file /run/secrets/api-secret --valid-for 1h")]
struct Mint {
    /// API key that the token names; without it, reader.remote.api_key.
    #[arg(long, value_name = "KEY_ID")]
    api_key: Option<String>,

    /// File that holds the API secret; without it, reader.remote.secret_file.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,

    /// How long the token is valid.
    #[arg(long, default_value = "10m", value_name = "TIME", value_parser = humantime_serde::re::humantime::parse_duration)]
    valid_for: Duration,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  idmill token inspect --secret-file /run/secrets/api-secret < token")]
struct Inspect {
    /// File that holds the API secret, to check the signature too.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,

    /// File that holds the token; without it, standard input. An argument would stand in the list of processes.
    #[arg(value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl TokenArgs {
    /// Makes or looks at a token.
    ///
    /// # Errors
    /// The secret or the token cannot be read.
    pub(super) fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        match &self.command {
            Command::Mint(mint) => mint.run(settings, now),
            Command::Inspect(inspect) => inspect.run(now),
        }
    }
}

impl Mint {
    fn run(&self, settings: &Settings, now: u64) -> anyhow::Result<ExitCode> {
        let remote = &settings.reader.remote;
        let api_key = self.api_key.as_ref().unwrap_or(&remote.api_key);
        ensure!(!api_key.is_empty(), "name the API key with --api-key or reader.remote.api_key");
        let (named_by, secret_file) = match (&self.secret_file, &remote.secret_file) {
            (Some(path), _) => ("--secret-file", path),
            (None, Some(path)) => ("reader.remote.secret_file", path),
            (None, None) => bail!("name the file of the API secret with --secret-file or reader.remote.secret_file"),
        };
        let secret = read_secret(named_by, secret_file)?;
        let claims = Claims::for_api(api_key.as_str(), now, self.valid_for.as_secs());
        let token = token::mint(&claims, &secret).context("failed to sign the token")?;
        writeln!(std::io::stdout(), "{}", token.expose_secret())?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Inspect {
    fn run(&self, now: u64) -> anyhow::Result<ExitCode> {
        let text = match &self.token_file {
            Some(path) => std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?,
            None => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).context("failed to read standard input")?;
                text
            }
        };
        let text = text.trim();
        let claims = token::inspect(text)?;
        let verdict = match &self.secret_file {
            Some(path) => token::verify(text, &read_secret("--secret-file", path)?, now).map(|_| "accepted"),
            None => claims.check(now).map(|()| "accepted, if the signature holds"),
        };
        let shown = json!({
            "claims": claims,
            "issued": claims.iat.and_then(rfc3339),
            "expires": claims.exp.and_then(rfc3339),
            "signature": if self.secret_file.is_some() { "checked" } else { "not checked: no --secret-file" },
            "verdict": verdict.map_or_else(|error| error.to_string(), str::to_owned),
        });
        writeln!(std::io::stdout(), "{shown:#}")?;
        Ok(if verdict.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn rfc3339(seconds: u64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?.format(&Rfc3339).ok()
}
