//! The command line: a file a command.

mod scan;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Settings;

/// Reads identity documents for event-driven onboarding: AMQP jobs in, events out.
#[derive(Debug, Parser)]
#[command(name = "idmill", version)]
pub struct Cli {
    /// TOML file with settings; `IDMILL__SECTION__KEY` variables override it.
    #[arg(long, short = 'c', global = true, env = "IDMILL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Scan(scan::Scan),
}

impl Cli {
    /// Runs the command to its end.
    ///
    /// # Errors
    /// What kept the command from doing its work, with the context a person needs to act.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let settings = Settings::load(self.config.as_deref())?;
        match self.command {
            Command::Scan(scan) => scan.run(&settings),
        }
    }
}
