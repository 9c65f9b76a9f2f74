//! The command line: a file a command.

mod annotate;
mod completions;
mod dead;
mod doctor;
mod probe;
mod scan;
mod schema;
mod serve;
mod submit;
mod token;
mod worker;

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::config::{Settings, Telemetry};
use crate::ocr::TELEMETRY_SWITCH;
use crate::telemetry::start_logging;

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
    Worker(worker::WorkerArgs),
    Serve(serve::ServeArgs),
    Submit(submit::SubmitArgs),
    Scan(scan::Scan),
    Token(token::TokenArgs),
    Dead(dead::DeadArgs),
    Doctor(doctor::DoctorArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Probe(probe::ProbeArgs),
}

impl Command {
    /// What has to be in the environment from the process's start: neither may be set safely in one that goes on.
    fn needed_variables(&self) -> &'static [(&'static str, &'static str)] {
        // Read when the engine's library is loaded.
        const NO_TELEMETRY: (&str, &str) = (TELEMETRY_SWITCH, "1");
        // Read when the first thread is made. The AMQP library reads headers by recursion, and a frame takes 26,000 levels,
        // which fit 128 MiB; the two megabytes that a thread has else were used up by 800. What is not used takes no memory.
        const DEEP_STACKS: (&str, &str) = ("RUST_MIN_STACK", "134217728");
        match self {
            Self::Worker(_) | Self::Doctor(_) => &[NO_TELEMETRY, DEEP_STACKS],
            Self::Serve(_) | Self::Scan(_) => &[NO_TELEMETRY],
            Self::Submit(_) | Self::Dead(_) => &[DEEP_STACKS],
            Self::Token(_) | Self::Schema(_) | Self::Completions(_) | Self::Probe(_) => &[],
        }
    }
}

/// The process that a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Process {
    /// `idmill worker`.
    Worker,
    /// `idmill serve`.
    Api,
}

impl Cli {
    /// Runs the command to its end.
    ///
    /// # Errors
    /// What kept the command from doing its work, with the context a person needs to act.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        ensure_environment(self.command.needed_variables())?;
        // What says something about the program alone must work where the settings do not.
        let settings = || Settings::load(self.config.as_deref());
        match self.command {
            Command::Worker(args) => block_on(args.run(settings().inspect_err(log_all_the_same)?)),
            Command::Serve(args) => block_on(args.run(settings().inspect_err(log_all_the_same)?)),
            Command::Submit(args) => block_on(args.run(settings()?)),
            Command::Scan(scan) => scan.run(&settings()?),
            Command::Token(args) => args.run(&settings()?),
            Command::Doctor(args) => block_on(args.run(settings()?)),
            Command::Dead(args) => block_on(args.run(settings()?)),
            Command::Schema(args) => args.run(),
            Command::Completions(args) => args.run(),
            Command::Probe(args) => args.run(&settings()?),
        }
    }
}

/// Starts the log of a process whose settings cannot be read, as the defaults have it: where it is collected, its last line
/// is wanted there too.
fn log_all_the_same(_: &anyhow::Error) {
    // Where even that fails, the error is printed as it is.
    let _ = start_logging(&Telemetry::default());
}

/// Starts the process over with those of the variables that are not set, unless all are; whoever sets one decides.
fn ensure_environment(variables: &[(&str, &str)]) -> anyhow::Result<()> {
    let missing: Vec<_> = variables.iter().filter(|(name, _)| std::env::var_os(name).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let program = std::env::current_exe().context("failed to find the program's own file")?;
    let mut arguments = std::env::args_os();
    let mut command = std::process::Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    let names = missing.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
    // Returns only where it failed.
    let error = command.args(arguments).envs(missing.into_iter().copied()).exec();
    Err(error).context(format!("failed to start over with {names}: set this where idmill is started"))
}

/// Longest wait for threads that work on what nobody waits for any more. Documents take a second or two, so that the engine's
/// runtime is not taken from under one of them as a rule.
const LAST_THREADS_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs a command on the runtime's own threads: on this one, each of its steps would be a change of threads.
fn block_on(command: impl Future<Output = anyhow::Result<ExitCode>> + Send + 'static) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("failed to start the tokio runtime")?;
    let outcome = runtime.block_on(async { tokio::spawn(command).await.context("the command panicked")? });
    // What the command gave up may still keep a thread busy: a document in the engine, a name that is looked up.
    runtime.shutdown_timeout(LAST_THREADS_TIMEOUT);
    outcome
}

/// Prints a command's result on stdout.
fn print_json(value: &serde_json::Value) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value).context("failed to write the result as JSON")?;
    text.push('\n');
    std::io::stdout().write_all(text.as_bytes()).context("failed to write to stdout")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn each_commands_help_has_examples_that_are_understood() {
        let mut n_examples = 0;
        let mut commands: Vec<clap::Command> = Cli::command().get_subcommands().cloned().collect();
        while let Some(command) = commands.pop() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.starts_with("Example"), "idmill {} --help shows no example", command.get_name());
            for example in help.split(['\n', '|', '&']).filter(|part| part.split_whitespace().any(|word| word == "idmill")) {
                // What stands before the program sets variables, what follows a < or > is the shell's.
                let words = example.split_whitespace().skip_while(|word| *word != "idmill").take_while(|word| !matches!(*word, "<" | ">"));
                Cli::command().try_get_matches_from(words).unwrap_or_else(|error| panic!("{example}: {error}"));
                n_examples += 1;
            }
            commands.extend(command.get_subcommands().cloned());
        }
        assert!(n_examples >= 20, "{n_examples}");
    }
}
