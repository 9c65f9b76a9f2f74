//! The `idmill` command.

use std::process::ExitCode;

use clap::Parser;

#[expect(clippy::print_stderr, reason = "the last words of a command that failed belong on stderr, logs or not")]
fn main() -> ExitCode {
    match idmill::cli::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("idmill: {error:#}");
            ExitCode::FAILURE
        }
    }
}
