//! `idmill completions`: what makes a shell complete our commands and options.

use std::io::Write;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;

/// Print a script that makes a shell complete idmill's commands and options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  idmill completions bash > /etc/bash_completion.d/idmill
  idmill completions fish > ~/.config/fish/completions/idmill.fish")]
pub(super) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

impl CompletionsArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "idmill", &mut script);
        std::io::stdout().write_all(&script)?;
        Ok(ExitCode::SUCCESS)
    }
}
