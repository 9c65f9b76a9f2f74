//! The `idmill` command.

use std::process::ExitCode;

use clap::Parser;

#[expect(clippy::print_stderr, reason = "the last words of a command that failed belong on stderr, logs or not")]
fn main() -> ExitCode {
    match idmill::cli::Cli::parse().run() {
        Ok(code) => code,
        // Whoever collects logs as JSON would drop a plain line, and it is the one that says why the process is gone.
        Err(error) if tracing::enabled!(tracing::Level::ERROR) => {
            tracing::error!(error = format!("{error:#}"), "idmill ends");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("idmill: {error:#}");
            ExitCode::FAILURE
        }
    }
}
